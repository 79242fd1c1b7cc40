/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/foreign.h"

#include "base/force.h"
#include "base/fs.h"
#include "base/hashmap.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/strvec.h"
#include "runner/binfmt.h"
#include "runner/fd_passing.h"
#include "runner/syscalls.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANDLERS "/proc/sys/fs/binfmt_misc"
#define MAX_HANDLER 4096
#define HEAD_SIZE 4096 /* of an interpreter: its program headers */

#if defined(__x86_64__)
#define OWN_ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE "arm64"
#endif

struct answer {
    char *interpreter; /* to be bound; NULL: none */
    struct error *error;
    bool is_ours; /* our handler runs them, or would */
};

struct foreign {
    pthread_mutex_t lock;
    struct hashmap answers; /* by architecture */
    bool own_userns;
    int handlers_fd; /* our binfmt_misc; -1: not made */
};

static void answer_free(void *data)
{
    struct answer *answer = data;
    free(answer->interpreter);
    error_free(answer->error);
    free(answer);
}

struct foreign *foreign_new(bool own_userns)
{
    struct foreign *foreign = NEW(struct foreign);
    pthread_mutex_init(&foreign->lock, NULL);
    hashmap_init(&foreign->answers, answer_free);
    foreign->own_userns = own_userns;
    foreign->handlers_fd = -1;
    return foreign;
}

void foreign_free(struct foreign *foreign)
{
    if (!foreign)
        return;
    close_auto(&foreign->handlers_fd);
    hashmap_release(&foreign->answers);
    pthread_mutex_destroy(&foreign->lock);
    free(foreign);
}

/* --- a child of ours ------------------------------------------------------------------------- */

/* `run` does async-signal-safe work only, and its result is the child's status. */
static int run_child(int (*run)(void *data), void *data)
{
    sigset_t all, before;
    int status = -1;
    (void)sigfillset(&all);
    /* no handler of ours may run in the copy, where it would act on what we share */
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        _exit(run(data));
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return pid > 0 ? status : -1;
}

/* --- does it run? ---------------------------------------------------------------------------- */

struct trial {
    int program_fd, null_fd;
};

static int execute_trial(void *data)
{
    static char *const argv[] = { (char *)(uintptr_t) "trial", NULL };
    static char *const env[] = { NULL };
    const struct trial *trial = data;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(trial->null_fd, fd) < 0)
            return 1;
    /* an emulator opens it by its number */
    if (fcntl(trial->program_fd, F_SETFD, 0) < 0)
        return 1;
    (void)syscall(SYS_execveat, trial->program_fd, "", argv, env, AT_EMPTY_PATH);
    return 1;
}

static bool runs_here(const struct binfmt_arch *arch)
{
    AUTO(strbuf_release) struct strbuf program = STRBUF_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* then it doesn't */
    AUTO(close) int fd = memfd_create("trial", MFD_CLOEXEC);
    AUTO(close) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    binfmt_format_program(arch, &program);
    if (fd < 3 || null_fd < 3 || force_has("no-binfmt") ||
        io_write_full(fd, program.data, program.size, "trial", &ignored) < 0)
        return false;
    struct trial trial = { fd, null_fd };
    return run_child(execute_trial, &trial) == 0;
}

/* --- handlers that others registered --------------------------------------------------------- */

/* Of the handler that takes them, as far as handlers can be listed; free() it. NULL: not known. */
static char *listed_interpreter(const struct binfmt_arch *arch, bool *is_fixed)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* not mounted here, as in most containers */
    AUTO(close) int fd = fs_open(AT_FDCWD, HANDLERS, O_RDONLY | O_DIRECTORY, 0, &ignored);
    char *found = NULL;
    if (fd < 0 || fs_list_fd(fd, &names, HANDLERS, &ignored) < 0)
        return NULL;
    for (size_t i = 0; i < names.n && !found; i++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        AUTO(error_free) struct error *unreadable = NULL; /* "register" is */
        if (fs_read_file(fd, names.items[i], &text, MAX_HANDLER, &unreadable) == 0)
            found = binfmt_handler_interpreter(text.data, arch, is_fixed);
    }
    return found;
}

static bool is_static(const char *path)
{
    char head[HEAD_SIZE];
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);
    return size > 0 && binfmt_is_static(head, (size_t)size);
}

/* They run here. In a sandbox, too, unless the emulator would be looked for in the image. */
static struct answer *answer_of_others(const struct binfmt_arch *arch)
{
    struct answer *answer = NEW(struct answer);
    bool is_fixed = true;
    char *interpreter = listed_interpreter(arch, &is_fixed);
    if (interpreter && !is_fixed && is_static(interpreter)) {
        answer->interpreter = TAKE(interpreter);
    } else if (interpreter && !is_fixed) {
        error_set_(&answer->error, ERR_UNSUPPORTED,
                   "the emulator for %s, %s, would have to be in the image with its libraries: it "
                   "is registered without the flag F",
                   arch->name, interpreter);
        error_hint(&answer->error, "sudo apt-get install qemu-user-static binfmt-support");
    }
    free(interpreter);
    return answer;
}

/* --- our own handlers ------------------------------------------------------------------------ */

static char *find_program(const char *name)
{
    const char *dirs = getenv("PATH");
    while (dirs && *dirs) {
        size_t size = strcspn(dirs, ":");
        AUTO(free) char *path = xasprintf("%.*s/%s", (int)size, dirs, name);
        if (*path == '/' && !strchr(path, ':') && access(path, X_OK) == 0 && is_static(path))
            return TAKE(path);
        dirs += size;
        dirs += *dirs == ':';
    }
    return NULL;
}

/* Debian's qemu-user-static, and what others (and Debian from 13 on) call it. NULL: none is there
 * that needs nothing of the image. */
static char *find_emulator(const struct binfmt_arch *arch)
{
    AUTO(free) char *debian = xasprintf("qemu-%s-static", arch->qemu);
    AUTO(free) char *plain = xasprintf("qemu-%s", arch->qemu);
    char *found = find_program(debian);
    return found ? found : find_program(plain);
}

struct making {
    int socket;
    bool in_userns; /* a new one, to see whether it can be */
};

/*
 * Mounting wants a mount namespace that belongs to our user namespace, and ours is the host's. The
 * mount isn't attached to anything: it lives as long as its descriptor.
 */
static int make_handlers(void *data)
{
    const struct making *making = data;
    if (unshare(CLONE_NEWNS | (making->in_userns ? CLONE_NEWUSER : 0)) < 0)
        return 1;
    int fs = sys_fsopen("binfmt_misc");
    if (fs < 0 || sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
        return 1;
    int fd = sys_fsmount(fs, 0);
    char byte = 0;
    return fd < 0 || fd_send(making->socket, fd, &byte, 1) < 0;
}

/* -1: this kernel has them for the whole machine only. */
static int handlers_open(bool in_userns)
{
    int pair[2];
    if (force_has("no-binfmt") || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    AUTO(close) int ours = pair[0];
    AUTO(close) int theirs = pair[1];
    struct making making = { theirs, in_userns };
    char byte;
    int fd;
    if (run_child(make_handlers, &making) != 0 || fd_receive(ours, &fd, &byte, 1) < 0)
        return -1;
    return fd;
}

static int add_handler(struct foreign *foreign, const struct binfmt_arch *arch, struct error **err)
{
    AUTO(free) char *emulator = find_emulator(arch);
    AUTO(strbuf_release) struct strbuf rule = STRBUF_INIT;
    if (!emulator)
        return error_set(err, ERR_NOT_FOUND, "no emulator");
    binfmt_format_rule(arch, emulator, &rule);
    AUTO(close) int fd = fs_open(foreign->handlers_fd, "register", O_WRONLY, 0, err);
    if (fd < 0)
        return -1;
    return io_write_full(fd, rule.data, rule.size, "registering it with binfmt_misc", err);
}

/* Our handlers hide those of others: what these ran has to run with ours. */
static bool may_hide_others(const struct foreign *foreign)
{
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&foreign->answers, e));) {
        const struct answer *answer = e->value;
        AUTO(free) char *emulator = find_emulator(binfmt_find(e->key));
        if (!answer->error && !answer->is_ours && !emulator)
            return false;
    }
    return true;
}

static int make_ours(struct foreign *foreign, struct error **err)
{
    if (foreign->handlers_fd >= 0)
        return 0;
    foreign->handlers_fd = may_hide_others(foreign) ? handlers_open(false) : -1;
    if (foreign->handlers_fd < 0)
        return error_set(err, ERR_UNSUPPORTED,
                         "this kernel has no handlers for single namespaces (Linux 6.7 has)");
    for (size_t i = 0; binfmt_at(i); i++) {
        AUTO(error_free) struct error *ignored = NULL; /* told when somebody wants it */
        if (strcmp(binfmt_at(i)->name, OWN_ARCHITECTURE) != 0 && !runs_here(binfmt_at(i)))
            (void)add_handler(foreign, binfmt_at(i), &ignored);
    }
    return 0;
}

/* --- the answer ------------------------------------------------------------------------------ */

/* Tried in a namespace that is thrown away: once made, handlers hide those of others for good. */
static bool can_have_handlers(void)
{
    AUTO(close) int fd = handlers_open(true);
    return fd >= 0;
}

static void refuse(const struct binfmt_arch *arch, bool has_emulator, struct error **err)
{
    error_set_(err, ERR_UNSUPPORTED, "this machine runs no programs for %s", arch->name);
    if (!has_emulator && can_have_handlers())
        error_hint(err,
                   "sudo apt-get install qemu-user-static, or put a static qemu-%s into PATH: "
                   "nothing else has to be set up",
                   arch->qemu);
    else
        error_hint(err,
                   "sudo apt-get install qemu-user-static binfmt-support, on the machine itself "
                   "where this is a container; or docker run --privileged --rm tonistiigi/binfmt "
                   "--install %s",
                   arch->name);
}

static struct answer *find_answer(struct foreign *foreign, const struct binfmt_arch *arch)
{
    struct answer *answer;
    AUTO(error_free) struct error *why = NULL;
    if (runs_here(arch)) {
        answer = answer_of_others(arch);
        answer->is_ours = foreign->handlers_fd >= 0;
        if (!answer->error || !foreign->own_userns)
            return answer;
        answer_free(answer);
    }
    answer = NEW(struct answer);
    AUTO(free) char *emulator = find_emulator(arch);
    if (foreign->own_userns && emulator && make_ours(foreign, &why) == 0 && runs_here(arch)) {
        answer->is_ours = true;
        return answer;
    }
    refuse(arch, emulator != NULL, &answer->error);
    return answer;
}

bool foreign_runs(const char *architecture)
{
    const struct binfmt_arch *arch = binfmt_find(architecture);
    return !arch || !strcmp(architecture, OWN_ARCHITECTURE) || runs_here(arch);
}

bool foreign_may_run(const char *architecture)
{
    const struct binfmt_arch *arch = binfmt_find(architecture);
    AUTO(free) char *emulator = arch ? find_emulator(arch) : NULL;
    return emulator && can_have_handlers();
}

void foreign_list(struct strvec *run, struct strvec *may, struct strvec *none)
{
    for (size_t i = 0; binfmt_at(i); i++) {
        const char *name = binfmt_at(i)->name;
        if (!strcmp(name, OWN_ARCHITECTURE))
            continue;
        strvec_push(foreign_runs(name) ? run : foreign_may_run(name) ? may : none, name);
    }
}

int foreign_refuse(const char *architecture, struct error **err)
{
    const struct binfmt_arch *arch = binfmt_find(architecture);
    AUTO(free) char *emulator = arch ? find_emulator(arch) : NULL;
    assert(arch);
    refuse(arch, emulator != NULL, err);
    return -1;
}

int foreign_prepare(struct foreign *foreign, const char *architecture, const char **interpreter,
                    struct error **err)
{
    const struct binfmt_arch *arch = binfmt_find(architecture);
    *interpreter = NULL;
    /* one that we know nothing of: the command itself will show it */
    if (!arch || !strcmp(architecture, OWN_ARCHITECTURE))
        return 0;
    pthread_mutex_lock(&foreign->lock);
    struct answer *answer = hashmap_get(&foreign->answers, architecture);
    if (!answer) {
        answer = find_answer(foreign, arch);
        hashmap_put(&foreign->answers, architecture, answer);
    }
    pthread_mutex_unlock(&foreign->lock);
    if (answer->error) {
        error_move(err, error_copy(answer->error));
        return -1;
    }
    *interpreter = answer->interpreter;
    return 0;
}
