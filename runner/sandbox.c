/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/sandbox.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "runner/cgroup.h"
#include "runner/keeper.h"
#include "runner/output.h"
#include "runner/owner_watch.h"
#include "runner/pty.h"
#include "runner/report.h"
#include "runner/rlimits.h"
#include "runner/sandbox_places.h"
#include "runner/sandbox_plan.h"
#include "runner/terminal.h"
#include "runner/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define READ_SIZE ((size_t)65536)

struct sandbox {
    char *name;
    struct child_plan plan; /* its spec is gone after start */
    struct cgroup *cgroup;
    struct places *places; /* in a whole tree; NULL: there is none */
    struct output output;
    char *buffer;  /* READ_SIZE */
    int keeper_fd; /* the keeper's end of control_fd */
    /* our ends, the plan has the child's */
    int control_fd, report_fd;
    int watch_fd, upper_fd; /* -1: nobody watches; the tree is none */
    struct owner_records *records;
    struct owner_watch *watch;
    int output_fds[2];               /* stdout, stderr */
    const struct terminal *terminal; /* the user's, or NULL */
    int pty_socket_fd, pty_fd;       /* ours of the command's terminal */
    struct keeper_spec keeper_spec;  /* lives as long as the keeper */
    struct keeper *keeper;           /* NULL: not started, or reaped */
    struct report report;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void close_child_ends(struct sandbox *sandbox)
{
    struct child_plan *plan = &sandbox->plan;
    close_fd(&sandbox->keeper_fd);
    close_fd(&plan->scratch_fd);
    close_fd(&plan->report_fd);
    close_fd(&plan->pty.socket_fd);
    close_fd(&plan->watch_fd);
    close_fd(&plan->stdio_fds[0]);
    close_fd(&plan->stdio_fds[1]);
}

/* The child needs 0 to 2 for itself, and we may have been started without them. */
static int above_stdio(int *fd, struct error **err)
{
    if (*fd > STDERR_FILENO)
        return 0;
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (moved < 0)
        return error_errno(err, "moving a descriptor");
    (void)close(*fd);
    *fd = moved;
    return 0;
}

static int make_pipe(int *read_fd, int *write_fd, struct error **err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return error_errno(err, "pipe");
    *read_fd = fds[0];
    *write_fd = fds[1];
    return above_stdio(read_fd, err) < 0 ? -1 : above_stdio(write_fd, err);
}

static int make_socket_pair(int *a, int *b, struct error **err)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return error_errno(err, "socket pair");
    *a = fds[0];
    *b = fds[1];
    return above_stdio(a, err) < 0 ? -1 : above_stdio(b, err);
}

static int open_terminal(struct sandbox *sandbox, struct error **err)
{
    struct pty_spec *pty = &sandbox->plan.pty;
    pty->window = terminal_window(sandbox->terminal);
    return make_socket_pair(&sandbox->pty_socket_fd, &pty->socket_fd, err);
}

static int open_ends(struct sandbox *sandbox, struct error **err)
{
    struct child_plan *plan = &sandbox->plan;
    if (make_socket_pair(&sandbox->control_fd, &sandbox->keeper_fd, err) < 0 ||
        make_pipe(&sandbox->report_fd, &plan->report_fd, err) < 0)
        return -1;
    if (sandbox->terminal)
        return open_terminal(sandbox, err);
    for (int i = 0; i < 2; i++) {
        if (make_pipe(&sandbox->output_fds[i], &plan->stdio_fds[i], err) < 0)
            return -1;
        if (fcntl(sandbox->output_fds[i], F_SETFL, O_NONBLOCK) < 0)
            return error_errno(err, "pipe");
    }
    return 0;
}

static int open_scratch(struct child_plan *plan, const char *path, struct error **err)
{
    plan->scratch_fd = fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, err);
    return plan->scratch_fd < 0 ? -1 : above_stdio(&plan->scratch_fd, err);
}

static int open_watch(struct sandbox *sandbox, const struct sandbox_spec *spec, struct error **err)
{
    int fds[2];
    if (!spec->records)
        return 0;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) < 0)
        return error_errno(err, "socket pair");
    sandbox->watch_fd = fds[0];
    sandbox->plan.watch_fd = fds[1];
    sandbox->records = spec->records;
    if (above_stdio(&sandbox->watch_fd, err) < 0 || above_stdio(&sandbox->plan.watch_fd, err) < 0)
        return -1;
    if (!spec->root.upper)
        return 0;
    sandbox->upper_fd = fs_open(AT_FDCWD, spec->root.upper, O_PATH | O_DIRECTORY, 0, err);
    return sandbox->upper_fd < 0 ? -1 : 0;
}

/* The command is executing, and may be waiting for the first answer. */
static int start_watch(struct sandbox *sandbox, struct error **err)
{
    int listener_fd = -1;
    uint64_t root_mount = 0;
    if (sandbox->watch_fd < 0)
        return 0;
    int received = owner_watch_receive(sandbox->watch_fd, &listener_fd, &root_mount, err);
    if (received <= 0)
        return received;
    sandbox->watch =
        owner_watch_start(listener_fd, root_mount, sandbox->upper_fd, sandbox->records, err);
    return sandbox->watch ? 0 : -1;
}

static struct sandbox *sandbox_alloc(const struct sandbox_spec *spec)
{
    struct sandbox *sandbox = NEW(struct sandbox);
    sandbox->name = xstrdup(spec->name ? spec->name : "sandbox");
    sandbox->keeper_fd = sandbox->control_fd = sandbox->report_fd = -1;
    sandbox->watch_fd = sandbox->upper_fd = -1;
    sandbox->output_fds[0] = sandbox->output_fds[1] = -1;
    sandbox->pty_socket_fd = sandbox->pty_fd = -1;
    sandbox->terminal = spec->terminal;
    output_init(&sandbox->output, spec->log, spec->log_data);
    return sandbox;
}

/* data: the spec */
static void warn(void *data, const struct error *error)
{
    const struct sandbox_spec *spec = data;
    if (spec->warn)
        spec->warn(spec->warn_data, error_message(error));
}

struct sandbox *sandbox_create(const struct sandbox_spec *spec, struct error **err)
{
    if ((spec->isolation == ISOLATION_CHROOT ? userns_check_chroot(err)
                                             : userns_check_privilege(err)) < 0)
        return NULL;
    AUTO(sandbox_free) struct sandbox *sandbox = sandbox_alloc(spec);
    struct child_plan *plan = &sandbox->plan;
    if (plan_init(plan, spec, err) < 0 || open_scratch(plan, spec->scratch, err) < 0 ||
        open_ends(sandbox, err) < 0 || open_watch(sandbox, spec, err) < 0)
        return error_wrap_null(err, "%s", sandbox->name);
    if (spec->root.directory) {
        sandbox->places = sandbox_places_new(plan, err);
        if (!sandbox->places)
            return error_wrap_null(err, "%s", sandbox->name);
    }
    if (spec->limits && cgroup_is_needed(spec->limits)) {
        const struct cgroup_warning warning = { warn, (void *)(uintptr_t)spec };
        sandbox->cgroup = cgroup_new(spec->limits, &warning, err);
        if (!sandbox->cgroup)
            return NULL;
    }
    sandbox->buffer = xmalloc(READ_SIZE);
    return TAKE(sandbox);
}

static struct keeper *start_keeper(struct sandbox *sandbox, struct error **err)
{
    struct child_plan *plan = &sandbox->plan;
    size_t n_cgroup_fds = 0;
    const int *cgroup_fds =
        sandbox->cgroup ? cgroup_procs_fds(sandbox->cgroup, &n_cgroup_fds) : NULL;
    const bool bare = plan->spec->isolation == ISOLATION_CHROOT;
    plan->shares_memory = plan->shares_memory && !sandbox->cgroup && keeper_can_share();
    sandbox->keeper_spec =
        (struct keeper_spec){ .shares_memory = plan->shares_memory,
                              .bare = bare,
                              .namespaces =
                                  bare ? 0
                                       : CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                                             (plan->no_cgroup_namespace ? 0 : CLONE_NEWCGROUP) |
                                             (plan->own_network ? CLONE_NEWNET : 0),
                              .control_fd = sandbox->keeper_fd,
                              .report_fd = plan->report_fd,
                              .cgroup_fds = cgroup_fds,
                              .n_cgroup_fds = n_cgroup_fds,
                              .no_clone3 = plan->no_clone3,
                              .terminal = sandbox->terminal,
                              .child = child_main,
                              .data = plan };
    return keeper_start(&sandbox->keeper_spec, err);
}

/* The keeper is gone, and with it, the kernel sees to that, everything in its pid namespace. */
static void reap(struct sandbox *sandbox)
{
    if (!sandbox->keeper)
        return;
    keeper_reap(TAKE(sandbox->keeper));
    owner_watch_free(TAKE(sandbox->watch)); /* nobody is left to ask */
}

static void end(struct sandbox *sandbox)
{
    sandbox_kill(sandbox);
    reap(sandbox);
}

static int read_one_report(struct sandbox *sandbox, struct error **err)
{
    struct pollfd fd = { sandbox->report_fd, POLLIN, 0 };
    if (cancel_poll(&fd, 1, -1, err) < 0)
        return -1;
    ssize_t size = io_read_full(sandbox->report_fd, &sandbox->report, sizeof(sandbox->report),
                                "report of the child", err);
    if (size < 0)
        return -1;
    if ((size_t)size < sizeof(sandbox->report))
        sandbox->report.kind = REPORT_NONE; /* executing; or dead, which wait will see */
    sandbox->report.text[REPORT_TEXT_SIZE - 1] = '\0';
    return 0;
}

/* The report, if there is one, before the pipe closes by exec. */
static int read_report(struct sandbox *sandbox, struct error **err)
{
    do {
        if (read_one_report(sandbox, err) < 0)
            return -1;
        AUTO(error_free) struct error *refused = NULL;
        const struct sandbox_spec *spec = sandbox->plan.spec;
        if (sandbox->report.kind == REPORT_WARNING && spec->warn)
            spec->warn(spec->warn_data, sandbox->report.text);
        if (sandbox->report.kind == REPORT_NOTE && rlimit_refusal(sandbox->report.text, &refused))
            warn((void *)(uintptr_t)sandbox->plan.spec, refused);
    } while (sandbox->report.kind == REPORT_NOTE || sandbox->report.kind == REPORT_WARNING);
    if (sandbox->report.kind == REPORT_LIMIT)
        return rlimit_refusal(sandbox->report.text, err);
    return sandbox->report.kind == REPORT_SETUP ? report_error(&sandbox->report, err) : 0;
}

int sandbox_start(struct sandbox *sandbox, struct error **err)
{
    sandbox->keeper = start_keeper(sandbox, err);
    if (!sandbox->keeper)
        return error_wrap(err, "%s", sandbox->name);
    close_child_ends(sandbox);
    if (read_report(sandbox, err) < 0 || start_watch(sandbox, err) < 0) {
        end(sandbox);
        return error_wrap(err, "%s", sandbox->name);
    }
    close_fd(&sandbox->report_fd);
    if (!sandbox->terminal)
        return 0;
    sandbox->pty_fd = pty_receive(sandbox->pty_socket_fd, err);
    return sandbox->pty_fd < 0 ? error_wrap(err, "%s", sandbox->name) : 0;
}

/* What is there now, until it is more than `enough`: the other stream has its turn then. */
static int drain(struct sandbox *sandbox, int which, size_t enough, struct error **err)
{
    int *fd = &sandbox->output_fds[which];
    for (size_t total = 0; *fd >= 0 && total < enough;) {
        ssize_t size = read(*fd, sandbox->buffer, READ_SIZE);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return 0;
        if (size < 0)
            return error_errno(err, "reading the output");
        if (size == 0)
            close_fd(fd);
        else
            output_add(&sandbox->output, which, sandbox->buffer, (size_t)size,
                       clock_monotonic_ms());
        total += (size_t)size;
    }
    return 0;
}

/* false: the keeper is gone without a word */
static bool read_status(struct sandbox *sandbox, struct keeper_status *status)
{
    return recv(sandbox->control_fd, status, sizeof(*status), MSG_WAITALL) ==
           (ssize_t)sizeof(*status);
}

/* Until the keeper has told the status, or is gone without (false). */
static int pump(struct sandbox *sandbox, struct keeper_status *status, bool *told,
                struct error **err)
{
    for (;;) {
        struct pollfd fds[] = { { sandbox->output_fds[0], POLLIN, 0 },
                                { sandbox->output_fds[1], POLLIN, 0 },
                                { sandbox->control_fd, POLLIN, 0 } };
        int timeout_ms = output_wait_ms(&sandbox->output, clock_monotonic_ms());
        if (cancel_poll(fds, 3, timeout_ms, err) < 0)
            return -1;
        for (int i = 0; i < 2; i++)
            if (fds[i].revents && drain(sandbox, i, READ_SIZE, err) < 0)
                return -1;
        output_tick(&sandbox->output, clock_monotonic_ms());
        if (fds[2].revents) {
            *told = read_status(sandbox, status);
            return 0;
        }
    }
}

/* The same, with the user's terminal; a command that couldn't be executed doesn't get it. */
static int pump_terminal(struct sandbox *sandbox, struct keeper_status *status, bool *told,
                         struct error **err)
{
    if (sandbox->report.kind != REPORT_EXEC &&
        terminal_relay(sandbox->terminal, sandbox->pty_fd, sandbox->control_fd, err) < 0)
        return -1;
    *told = read_status(sandbox, status);
    return 0;
}

static char *exec_message(const struct report *report)
{
    switch (report->error) {
    case ENOENT:
    case ENOTDIR:
        if (report->interpreter_missing)
            return xasprintf("%s: the interpreter or loader that it needs is not in the image",
                             report->text);
        return xasprintf("%s: no such file or directory in the image", report->text);
    case EACCES:
        return xasprintf("%s: permission denied", report->text);
    case ENOEXEC:
        return xasprintf("%s: exec format error: not a program for this machine, or a script "
                         "without #!",
                         report->text);
    default:
        return xasprintf("%s: %s", report->text,
                         strerrordesc_np(report->error) ? strerrordesc_np(report->error)
                                                        : "unknown error");
    }
}

static void fill_result(struct sandbox *sandbox, const struct keeper_status *status, bool told,
                        struct sandbox_result *result)
{
    *result = (struct sandbox_result){ 0 };
    if (told && status->code == CLD_EXITED) {
        result->status = status->status;
    } else {
        result->signal = told ? status->status : SIGKILL;
        result->status = 128 + result->signal;
    }
    result->oom_killed = sandbox->cgroup && cgroup_oom_killed(sandbox->cgroup);
    if (sandbox->report.kind == REPORT_EXEC)
        result->exec_message = exec_message(&sandbox->report);
    result->tail = output_take_tail(&sandbox->output);
}

int sandbox_wait(struct sandbox *sandbox, struct sandbox_result *result, struct error **err)
{
    struct keeper_status status;
    bool told = false;
    if ((sandbox->terminal ? pump_terminal : pump)(sandbox, &status, &told, err) < 0) {
        end(sandbox);
        output_finish(&sandbox->output);
        return error_wrap(err, "%s", sandbox->name);
    }
    reap(sandbox);
    /* nobody is left to write: what is in the pipes now is all there will be */
    for (int i = 0; i < 2; i++)
        if (drain(sandbox, i, SIZE_MAX, err) < 0)
            return error_wrap(err, "%s", sandbox->name);
    output_finish(&sandbox->output);
    if (sandbox->places && places_restore(sandbox->places, err) < 0)
        return error_wrap(err, "%s", sandbox->name);
    fill_result(sandbox, &status, told, result);
    return 0;
}

void sandbox_kill(struct sandbox *sandbox)
{
    keeper_stop(sandbox->control_fd);
}

pid_t sandbox_pid(const struct sandbox *sandbox)
{
    return sandbox->keeper ? keeper_pid(sandbox->keeper) : 0;
}

void sandbox_free(struct sandbox *sandbox)
{
    if (!sandbox)
        return;
    end(sandbox);
    close_child_ends(sandbox);
    close_fd(&sandbox->control_fd);
    close_fd(&sandbox->report_fd);
    close_fd(&sandbox->watch_fd);
    close_fd(&sandbox->upper_fd);
    close_fd(&sandbox->output_fds[0]);
    close_fd(&sandbox->output_fds[1]);
    close_fd(&sandbox->pty_socket_fd);
    close_fd(&sandbox->pty_fd);
    cgroup_free(sandbox->cgroup);
    places_free(sandbox->places);
    plan_release(&sandbox->plan);
    output_release(&sandbox->output);
    free(sandbox->buffer);
    free(sandbox->name);
    free(sandbox);
}

int sandbox_run(const struct sandbox_spec *spec, struct sandbox_result *result, struct error **err)
{
    AUTO(sandbox_free) struct sandbox *sandbox = sandbox_create(spec, err);
    if (!sandbox || sandbox_start(sandbox, err) < 0)
        return -1;
    return sandbox_wait(sandbox, result, err);
}

void sandbox_result_release(struct sandbox_result *result)
{
    free(result->exec_message);
    free(result->tail);
    *result = (struct sandbox_result){ 0 };
}

int sandbox_result_check(const struct sandbox_result *result, struct error **err)
{
    if (!result->status)
        return 0;
    const char *name = result->signal ? sigdescr_np(result->signal) : NULL;
    if (result->exec_message)
        (void)error_set(err, ERR_RUN, "%s", result->exec_message);
    else if (result->oom_killed)
        (void)error_set(err, ERR_RUN, "killed: out of memory within its limit (--memory)");
    else if (result->signal)
        (void)error_set(err, ERR_RUN, "killed by signal %d (%s)", result->signal,
                        name ? name : "unknown");
    else
        (void)error_set(err, ERR_RUN, "exit code: %d", result->status);
    if (result->tail && *result->tail)
        error_detail(err, "%s", result->tail);
    return -1;
}
