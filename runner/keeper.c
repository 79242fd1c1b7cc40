/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/keeper.h"

#include "base/force.h"
#include "base/mem.h"
#include "base/pool.h"
#include "runner/report.h"
#include "runner/syscalls.h"
#include "runner/terminal.h"

#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_CLOSED 65536               /* descriptors closed one by one */
#define GUARD_SIZE ((size_t)64 << 10)  /* a multiple of any page size */
#define STACK_SIZE ((size_t)512 << 10) /* a dozen paths of PATH_MAX lie on the child's */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_SHARE false
#else
#define CAN_SHARE true
#endif

struct keeper {
    pid_t pid;
    /* with shares_memory */
    const struct keeper_spec *spec;
    struct thread *thread; /* idle while the keeper lives */
    sem_t started;         /* the child has executed, and needs the spec no more */
    int error;
    char *stacks; /* of the keeper and its child, each above a guard */
};

/* Like fork, with namespaces and a pidfd: 0 in the child. */
static pid_t clone_process(uint64_t namespaces, bool no_clone3, int *pidfd)
{
    int fd = -1;
    struct clone_args args = { .flags = namespaces | CLONE_PIDFD,
                               .pidfd = (uint64_t)(uintptr_t)&fd,
                               .exit_signal = SIGCHLD };
    long pid = -1;
    errno = ENOSYS;
    if (!no_clone3)
        pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid < 0 && errno == ENOSYS) /* old container filters answer so */
        pid = syscall(SYS_clone, namespaces | CLONE_PIDFD | SIGCHLD, NULL, &fd, NULL, NULL);
    if (pid > 0)
        *pidfd = fd;
    return (pid_t)pid;
}

/*
 * On a stack that ends at `top`, in our memory. With CLONE_VFORK it returns when the child has
 * executed or ended. `number` gets what CLONE_PIDFD or CLONE_PARENT_SETTID say.
 */
static pid_t clone_sharing(int (*run)(void *data), void *data, void *top, uint64_t flags,
                           int *number)
{
    return clone(run, top, (int)flags | CLONE_VM | SIGCHLD, data, number, NULL, NULL);
}

/* The lowest descriptor of `kept` from `from` on; UINT_MAX: none. */
static unsigned next_kept(const int *kept, size_t n, unsigned from)
{
    unsigned next = UINT_MAX;
    for (size_t i = 0; i < n; i++)
        if ((unsigned)kept[i] >= from && (unsigned)kept[i] < next)
            next = (unsigned)kept[i];
    return next;
}

static void close_others(const int *kept, size_t n)
{
    unsigned from = 0, next;
    do {
        next = next_kept(kept, n, from);
        unsigned last = next == UINT_MAX ? next : next - 1;
        if (next != from && sys_close_range(from, last) < 0) /* before 5.9, or a filter */
            for (unsigned fd = from; fd <= last && fd < MAX_CLOSED; fd++)
                (void)close((int)fd);
        from = next + 1;
    } while (next != UINT_MAX);
}

_Noreturn static void fail(const struct keeper_spec *spec, const char *what)
{
    struct report report;
    (void)report_errno(&report, what, NULL);
    (void)!write(spec->report_fd, &report, sizeof(report)); /* they also see us end */
    _exit(1);
}

/* -- a keeper without a pid namespace -- */

struct dirent64 { /* of the kernel */
    uint64_t ino;
    int64_t off;
    uint16_t size;
    uint8_t type;
    char name[];
};

/* The pid of a name in /proc; 0: it is none. */
static pid_t parse_pid(const char *name)
{
    pid_t pid = 0;
    for (; *name >= '0' && *name <= '9'; name++)
        pid = pid * 10 + (*name - '0');
    return *name ? 0 : pid;
}

/* Of /proc/PID/stat: the number after ") S "; 0 when it is gone. */
static pid_t parent_of(int proc_fd, const char *name)
{
    char path[64], text[512];
    size_t used = 0;
    if (!text_append(path, sizeof(path), &used, name) ||
        !text_append(path, sizeof(path), &used, "/stat"))
        return 0;
    int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        (void)close(fd);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    const char *end = strrchr(text, ')'); /* the name before may hold anything */
    pid_t parent = 0;
    for (const char *p = end && strlen(end) > 4 ? end + 4 : ""; *p >= '0' && *p <= '9'; p++)
        parent = parent * 10 + (*p - '0');
    return parent;
}

static void kill_children(int proc_fd)
{
    _Alignas(struct dirent64) char buf[8192];
    const pid_t self = getpid();
    long size;
    (void)lseek(proc_fd, 0, SEEK_SET); /* a directory: it can */
    while ((size = syscall(SYS_getdents64, proc_fd, buf, sizeof(buf))) > 0) {
        for (long at = 0; at < size;) {
            const struct dirent64 *entry = (const void *)(buf + at);
            pid_t pid = parse_pid(entry->name);
            if (pid > 0 && parent_of(proc_fd, entry->name) == self)
                (void)kill(pid, SIGKILL); /* not waited for yet: the pid is still its own */
            at += entry->size;
        }
    }
}

/* Children of those that are killed become ours, since we are a subreaper; until there are none. */
static void kill_descendants(void)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (;;) {
        pid_t pid;
        if (proc_fd >= 0)
            kill_children(proc_fd);
        while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
            ;
        if (pid < 0 && errno == ECHILD)
            break;
        (void)nanosleep(&pause, NULL); /* a signal makes it shorter */
    }
    if (proc_fd >= 0)
        (void)close(proc_fd);
}

/* Until the child has ended or cbuild has: any byte and the socket's end mean "stop". */
_Noreturn static void keep(const struct keeper_spec *spec, int pidfd)
{
    const int control_fd = spec->control_fd;
    const struct terminal *terminal = spec->terminal;
    struct pollfd fds[] = { { control_fd, POLLIN, 0 }, { pidfd, POLLIN, 0 } };
    char byte;
    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents) {
            siginfo_t info = { 0 };
            struct keeper_status status = { CLD_KILLED, SIGKILL };
            if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0)
                status = (struct keeper_status){ info.si_code, info.si_status };
            if (spec->bare)
                kill_descendants();
            /* none there to read it: none to tell */
            (void)!send(control_fd, &status, sizeof(status), MSG_NOSIGNAL);
            _exit(0);
        }
        if (!fds[0].revents)
            continue;
        /* nobody is left to do it */
        if (terminal && recv(control_fd, &byte, 1, MSG_DONTWAIT) <= 0)
            (void)tcsetattr(terminal->in_fd, TCSANOW, &terminal->mode);
        if (spec->bare)
            kill_descendants();
        _exit(1);
    }
}

static int run_child(void *data)
{
    const struct keeper_spec *spec = data;
    spec->child(spec->data);
    _exit(1);
}

/* Its pidfd. On a stack that ends at `top`, in our memory; NULL: in a copy. */
static int start_child(const struct keeper_spec *spec, uint64_t namespaces, void *top)
{
    int pidfd = -1;
    pid_t pid = top ? clone_sharing(run_child, (void *)(uintptr_t)spec, top,
                                    namespaces | CLONE_VFORK | CLONE_PIDFD, &pidfd)
                    : clone_process(namespaces, spec->no_clone3, &pidfd);
    if (pid == 0)
        (void)run_child((void *)(uintptr_t)spec);
    return pid < 0 ? -1 : pidfd;
}

/* keeper: in our memory; NULL: in a copy. */
_Noreturn static void run(const struct keeper_spec *spec, struct keeper *keeper)
{
    void *child_top = keeper ? keeper->stacks + 2 * (GUARD_SIZE + STACK_SIZE) : NULL;
    (void)setsid(); /* fails only for a group leader, and a new process is none */
    for (size_t i = 0; i < spec->n_cgroup_fds; i++)
        if (write(spec->cgroup_fds[i], "0", 1) < 0)
            fail(spec, "entering the cgroup of the limits");
    if (spec->bare && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        fail(spec, "adopting processes");
    int pidfd = start_child(spec, spec->namespaces, child_top);
    if (pidfd < 0 && errno == EINVAL) /* a kernel without cgroups; the others are always there */
        pidfd = start_child(spec, spec->namespaces & ~(uint64_t)CLONE_NEWCGROUP, child_top);
    if (pidfd < 0)
        fail(spec, "making namespaces");
    if (keeper)
        (void)sem_post(&keeper->started);
    const int kept[] = { spec->control_fd, pidfd, spec->terminal ? spec->terminal->in_fd : pidfd };
    close_others(kept, sizeof(kept) / sizeof(kept[0]));
    keep(spec, pidfd);
}

bool keeper_can_share(void)
{
    return CAN_SHARE && !force_has("no-shared-memory");
}

static int run_sharing(void *data)
{
    struct keeper *keeper = data;
    run(keeper->spec, keeper);
}

/*
 * Until the keeper has ended; it isn't reaped yet. What the thread keeps in its own storage is the
 * keeper's meanwhile, so this is the kernel's call. (CLONE_VFORK would wait as well, but so deeply
 * that a build can't be stopped: who sends SIGSTOP waits until the step is over.)
 */
static void wait_idle(pid_t keeper)
{
    siginfo_t info;
    while (syscall(SYS_waitid, P_PID, keeper, &info, WEXITED | WNOWAIT, NULL) < 0 &&
           errno != ECHILD)
        ;
}

/* All signals are blocked in threads, and so in both until the child has reset their handlers. */
static void *start_thread(void *data)
{
    struct keeper *keeper = data;
    void *top = keeper->stacks + GUARD_SIZE + STACK_SIZE;
    uint64_t flags = CLONE_PARENT_SETTID | (keeper->spec->bare ? 0 : CLONE_NEWPID);
    if (clone_sharing(run_sharing, keeper, top, flags, &keeper->pid) < 0)
        keeper->error = errno;
    else
        wait_idle(keeper->pid);
    (void)sem_post(&keeper->started); /* it hasn't, if it ended early */
    return NULL;
}

static void keeper_free(struct keeper *keeper)
{
    if (keeper->stacks)
        (void)munmap(keeper->stacks, 2 * (GUARD_SIZE + STACK_SIZE));
    (void)sem_destroy(&keeper->started);
    free(keeper);
}

static int map_stacks(struct keeper *keeper, struct error **err)
{
    char *stacks = mmap(NULL, 2 * (GUARD_SIZE + STACK_SIZE), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED)
        return error_errno(err, "making stacks");
    keeper->stacks = stacks;
    if (mprotect(stacks, GUARD_SIZE, PROT_NONE) < 0 ||
        mprotect(stacks + GUARD_SIZE + STACK_SIZE, GUARD_SIZE, PROT_NONE) < 0)
        return error_errno(err, "making stacks");
    return 0;
}

static int start_sharing(struct keeper *keeper, const struct keeper_spec *spec, struct error **err)
{
    keeper->spec = spec;
    if (map_stacks(keeper, err) < 0)
        return -1;
    keeper->thread = thread_start(start_thread, keeper, err);
    if (!keeper->thread)
        return -1;
    while (sem_wait(&keeper->started) < 0) /* a signal came */
        ;
    if (!keeper->error)
        return 0;
    (void)thread_join(keeper->thread);
    errno = keeper->error;
    return error_errno(err, "making a pid namespace");
}

static pid_t start_copy(const struct keeper_spec *spec, struct error **err)
{
    sigset_t all, before;
    int pidfd = -1;
    (void)sigfillset(&all);
    /* no handler of ours may run in the copy, where it would act on what we share */
    int error = pthread_sigmask(SIG_BLOCK, &all, &before);
    if (error) {
        errno = error;
        return error_errno(err, "blocking signals");
    }
    pid_t pid = clone_process(spec->bare ? 0 : CLONE_NEWPID, spec->no_clone3, &pidfd);
    if (pid == 0)
        run(spec, NULL);
    error = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* it was valid a moment ago */
    if (pid < 0) {
        errno = error;
        return error_errno(err, "making a pid namespace");
    }
    (void)close(pidfd);
    return pid;
}

struct keeper *keeper_start(const struct keeper_spec *spec, struct error **err)
{
    struct keeper *keeper = NEW(struct keeper);
    (void)sem_init(&keeper->started, 0, 0); /* a valid number */
    if (spec->shares_memory && keeper_can_share()) {
        if (start_sharing(keeper, spec, err) == 0)
            return keeper;
    } else {
        keeper->pid = start_copy(spec, err);
        if (keeper->pid > 0)
            return keeper;
    }
    keeper_free(keeper);
    return NULL;
}

pid_t keeper_pid(const struct keeper *keeper)
{
    return keeper->pid;
}

void keeper_stop(int control_fd)
{
    if (control_fd >= 0) /* a failure means that it has ended */
        (void)!send(control_fd, "k", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void keeper_reap(struct keeper *keeper)
{
    if (keeper->thread)
        (void)thread_join(keeper->thread);
    while (waitpid(keeper->pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    keeper_free(keeper);
}

/*
 * By the kernel's call: libc's refuses the two signals that it uses itself, which may be ignored
 * since whoever started us, and would stay so.
 */
void keeper_reset_signals(void)
{
    const uint64_t none = 0,
                   dfl[4] = { 0 }; /* of the kernel's struct sigaction: handler, flags, ... */
    for (int number = 1; number <= 64; number++)
        (void)syscall(SYS_rt_sigaction, number, dfl, NULL,
                      sizeof(none)); /* KILL and STOP can't be */
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL,
                  sizeof(none)); /* a valid argument */
}
