/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spawn.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERROR_OUT_MAX ((size_t)64 * 1024)
#define WAIT_STEP_MS 20 /* between looks at a child that has no pidfd */

extern char **environ;

struct child {
    pid_t pid;
    int pid_fd; /* -1: the kernel or a filter doesn't give one */
    int out, error_out;
    bool ended;
    int status;
};

void spawn_result_init(struct spawn_result *result)
{
    *result = (struct spawn_result){ 0, STRBUF_INIT, STRBUF_INIT };
}

void spawn_result_release(struct spawn_result *result)
{
    strbuf_release(&result->out);
    strbuf_release(&result->error_out);
}

static void child_kill(struct child *child)
{
    if (child->pid <= 0 || child->ended)
        return;
    (void)kill(-child->pid, SIGKILL); /* its group; gone already is as good */
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    child->ended = true;
}

static void child_release(struct child *child)
{
    child_kill(child);
    close_auto(&child->pid_fd);
    close_auto(&child->out);
    close_auto(&child->error_out);
}
DEFINE_AUTO_STRUCT(struct child, child_release)

/* A file in memory rather than a pipe: nothing to feed while it runs, and no SIGPIPE. */
static int input_open(const struct spawn_spec *spec, struct error **err)
{
    if (!spec->input) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return fd < 0 ? error_errno(err, "opening /dev/null") : fd;
    }
    AUTO(close) int fd = memfd_create("stdin", MFD_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "making a file in memory");
    if (io_write_full(fd, spec->input, spec->input_size, "standard input", err) < 0)
        return -1;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return error_errno(err, "seeking");
    return take_fd(&fd);
}

static int pipe_open(int *read_end, int *write_end, struct error **err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "making a pipe");
    *read_end = ends[0];
    *write_end = ends[1];
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
        return error_errno(err, "making a pipe");
    return 0;
}

static void posix_spawn_file_actions_destroy_auto(posix_spawn_file_actions_t *actions)
{
    posix_spawn_file_actions_destroy(actions);
}

static void posix_spawnattr_destroy_auto(posix_spawnattr_t *attributes)
{
    posix_spawnattr_destroy(attributes);
}

/* errno of the first call that didn't work, 0 */
static int add_actions(posix_spawn_file_actions_t *actions, const int stdio[3], int dir_fd,
                       int pass_fd)
{
    int failure = 0;
    for (int i = 0; i < 3 && !failure; i++)
        failure = posix_spawn_file_actions_adddup2(actions, stdio[i], i);
    if (pass_fd > STDERR_FILENO && !failure) /* onto itself: it stays open */
        failure = posix_spawn_file_actions_adddup2(actions, pass_fd, pass_fd);
    if (dir_fd >= 0 && !failure)
        failure = posix_spawn_file_actions_addfchdir_np(actions, dir_fd);
    return failure;
}

/* A group of its own to kill, no signal blocked, and none ignored but by default. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, handled;
    sigemptyset(&none);
    sigemptyset(&handled);
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGCHLD };
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaddset(&handled, signals[i]);
    int failure = posix_spawnattr_setsigmask(attributes, &none);
    if (!failure)
        failure = posix_spawnattr_setsigdefault(attributes, &handled);
    if (!failure)
        failure = posix_spawnattr_setpgroup(attributes, 0);
    if (!failure)
        failure = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    return failure;
}

static int child_spawn(struct child *child, const struct spawn_spec *spec, const int stdio[3],
                       int dir_fd)
{
    AUTO(posix_spawn_file_actions_destroy) posix_spawn_file_actions_t actions;
    AUTO(posix_spawnattr_destroy) posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failure = add_actions(&actions, stdio, dir_fd, spec->pass_fd);
    if (!failure)
        failure = set_attributes(&attributes);
    /* posix_spawn has char *const *, and leaves the strings alone */
    union {
        const char *const *in;
        char *const *out;
    } argv = { spec->argv }, env = { spec->env };
    if (!failure)
        failure = posix_spawnp(&child->pid, spec->argv[0], &actions, &attributes, argv.out,
                               spec->env ? env.out : environ);
    return failure;
}

static int child_start(struct child *child, const struct spawn_spec *spec, struct error **err)
{
    AUTO(close) int in = input_open(spec, err);
    AUTO(close) int out = -1;
    AUTO(close) int error_out = -1;
    if (in < 0 || pipe_open(&child->out, &out, err) < 0 ||
        pipe_open(&child->error_out, &error_out, err) < 0)
        return error_wrap(err, "running %s", spec->argv[0]);
    AUTO(close) int dir = -1;
    if (spec->dir) {
        dir = fs_open(AT_FDCWD, spec->dir, O_PATH | O_DIRECTORY, 0, err);
        if (dir < 0)
            return error_wrap(err, "running %s", spec->argv[0]);
    }
    const int stdio[] = { in, out, error_out };
    int failure = child_spawn(child, spec, stdio, dir);
    if (failure) {
        child->pid = 0;
        errno = failure;
        return error_errno(err, "running %s", spec->argv[0]);
    }
    child->pid_fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    return 0;
}

/* 1: read something, 0: nothing is there now, or the end; then *fd is closed. */
static int drain(int *fd, struct strbuf *buf, struct error **err)
{
    if (*fd < 0)
        return 0;
    char chunk[16384];
    ssize_t n;
    do {
        n = read(*fd, chunk, sizeof(chunk));
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN)
        return error_errno(err, "reading the output");
    if (n == 0) {
        close_auto(fd);
        *fd = -1;
    }
    if (n > 0)
        strbuf_add(buf, chunk, (size_t)n);
    return n > 0;
}

static int drain_both(struct child *child, size_t max_output, struct spawn_result *result,
                      struct error **err)
{
    int out = drain(&child->out, &result->out, err);
    int error_out = out < 0 ? -1 : drain(&child->error_out, &result->error_out, err);
    if (error_out < 0)
        return -1;
    if (result->out.size > max_output)
        return error_set(err, ERR_LIMIT, "more than %zu bytes of output", max_output);
    /* of errors the end says most */
    if (result->error_out.size > 2 * ERROR_OUT_MAX)
        strbuf_remove(&result->error_out, 0, result->error_out.size - ERROR_OUT_MAX);
    return out || error_out;
}

static int child_reap(struct child *child, struct error **err)
{
    int status;
    pid_t pid = waitpid(child->pid, &status, WNOHANG);
    if (pid < 0 && errno != EINTR)
        return error_errno(err, "waiting for the program");
    if (pid != child->pid)
        return 0;
    child->ended = true;
    child->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

/* -2: time is up; -1: for ever; never longer than a look at a child without pidfd may wait */
static int wait_time(const struct child *child, int timeout_ms, uint64_t start, struct error **err)
{
    int wait = -1;
    if (timeout_ms) {
        uint64_t passed = clock_monotonic_ms() - start;
        if (passed >= (uint64_t)timeout_ms) {
            error_set_(err, ERR_FAILED, "still running after %d ms", timeout_ms);
            return -2;
        }
        wait = timeout_ms - (int)passed;
    }
    if (child->pid_fd < 0 && (wait < 0 || wait > WAIT_STEP_MS))
        wait = WAIT_STEP_MS;
    return wait;
}

/* What lies in the pipes at the end: no waiting for descendants that hold them, nor for what they
 * still write (a pipe holds at most 1 MiB, 64 reads). */
static int drain_rest(struct child *child, size_t max_output, struct spawn_result *result,
                      struct error **err)
{
    int more = 1;
    for (int i = 0; i < 80 && more > 0; i++)
        more = drain_both(child, max_output, result, err);
    return more < 0 ? -1 : 0;
}

static int child_watch(struct child *child, const struct spawn_spec *spec,
                       struct spawn_result *result, struct error **err)
{
    uint64_t start = clock_monotonic_ms();
    while (!child->ended) {
        struct pollfd fds[] = {
            { .fd = child->out, .events = POLLIN },
            { .fd = child->error_out, .events = POLLIN },
            { .fd = child->pid_fd, .events = POLLIN },
        };
        int wait = wait_time(child, spec->timeout_ms, start, err);
        if (wait < -1 || cancel_poll(fds, ARRAY_SIZE(fds), wait, err) < 0)
            return -1;
        if (drain_both(child, spec->max_output, result, err) < 0)
            return -1;
        if ((child->pid_fd < 0 || fds[2].revents) && child_reap(child, err) < 0)
            return -1;
    }
    return drain_rest(child, spec->max_output, result, err);
}

int spawn_run(const struct spawn_spec *spec, struct spawn_result *result, struct error **err)
{
    AUTO(child_release) struct child child = { .pid_fd = -1, .out = -1, .error_out = -1 };
    AUTO(spawn_result_release) struct spawn_result found;
    spawn_result_init(&found);
    if (child_start(&child, spec, err) < 0)
        return -1;
    if (child_watch(&child, spec, &found, err) < 0)
        return error_wrap(err, "running %s", spec->argv[0]);
    if (found.error_out.size > ERROR_OUT_MAX)
        strbuf_remove(&found.error_out, 0, found.error_out.size - ERROR_OUT_MAX);
    spawn_result_release(result);
    *result = found;
    result->status = child.status;
    spawn_result_init(&found);
    return 0;
}
