/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/keeper.h"

#include "runner/report.h"
#include "runner/syscalls.h"
#include "runner/terminal.h"

#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_CLOSED 65536 /* descriptors closed one by one */

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

_Noreturn static void run(const struct keeper_spec *spec)
{
    (void)setsid(); /* fails only for a group leader, and a new process is none */
    for (size_t i = 0; i < spec->n_cgroup_fds; i++)
        if (write(spec->cgroup_fds[i], "0", 1) < 0)
            fail(spec, "entering the cgroup of the limits");
    if (spec->bare && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        fail(spec, "adopting processes");
    int pidfd = -1;
    pid_t pid = clone_process(spec->namespaces, spec->no_clone3, &pidfd);
    if (pid < 0 && errno == EINVAL) /* a kernel without cgroups; the others are always there */
        pid = clone_process(spec->namespaces & ~(uint64_t)CLONE_NEWCGROUP, spec->no_clone3, &pidfd);
    if (pid < 0)
        fail(spec, "making namespaces");
    if (pid == 0) {
        spec->child(spec->data);
        _exit(1);
    }
    const int kept[] = { spec->control_fd, pidfd, spec->terminal ? spec->terminal->in_fd : pidfd };
    close_others(kept, sizeof(kept) / sizeof(kept[0]));
    keep(spec, pidfd);
}

pid_t keeper_start(const struct keeper_spec *spec, struct error **err)
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
        run(spec);
    error = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* it was valid a moment ago */
    if (pid < 0) {
        errno = error;
        return error_errno(err, "making a pid namespace");
    }
    (void)close(pidfd);
    return pid;
}

void keeper_stop(int control_fd)
{
    if (control_fd >= 0) /* a failure means that it has ended */
        (void)!send(control_fd, "k", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void keeper_reap(pid_t pid)
{
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
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
