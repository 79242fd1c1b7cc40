/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/keeper.h"

#include "runner/report.h"
#include "runner/syscalls.h"

#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

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

static void close_others(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
    if ((low == 0 || sys_close_range(0, low - 1) == 0) &&
        (low + 1 == high || sys_close_range(low + 1, high - 1) == 0) &&
        sys_close_range(high + 1, ~0u) == 0)
        return;
    for (unsigned fd = 0; fd < MAX_CLOSED; fd++) /* before 5.9, or a filter */
        if (fd != low && fd != high)
            (void)close((int)fd);
}

_Noreturn static void fail(const struct keeper_spec *spec, const char *what)
{
    struct report report;
    (void)report_errno(&report, what, NULL);
    (void)!write(spec->report_fd, &report, sizeof(report)); /* they also see us end */
    _exit(1);
}

/* Until the child has ended or cbuild has: any byte and the socket's end mean "stop". */
_Noreturn static void keep(int control_fd, int pidfd)
{
    struct pollfd fds[] = { { control_fd, POLLIN, 0 }, { pidfd, POLLIN, 0 } };
    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents) {
            siginfo_t info = { 0 };
            struct keeper_status status = { CLD_KILLED, SIGKILL };
            if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0)
                status = (struct keeper_status){ info.si_code, info.si_status };
            /* none there to read it: none to tell */
            (void)!send(control_fd, &status, sizeof(status), MSG_NOSIGNAL);
            _exit(0);
        }
        if (fds[0].revents)
            _exit(1);
    }
}

_Noreturn static void run(const struct keeper_spec *spec)
{
    (void)setsid(); /* fails only for a group leader, and a new process is none */
    for (size_t i = 0; i < spec->n_cgroup_fds; i++)
        if (write(spec->cgroup_fds[i], "0", 1) < 0)
            fail(spec, "entering the cgroup of the limits");
    int pidfd = -1;
    pid_t pid = clone_process(spec->namespaces, spec->no_clone3, &pidfd);
    if (pid < 0)
        fail(spec, "making namespaces");
    if (pid == 0) {
        spec->child(spec->data);
        _exit(1);
    }
    close_others(spec->control_fd, pidfd);
    keep(spec->control_fd, pidfd);
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
    pid_t pid = clone_process(CLONE_NEWPID, spec->no_clone3, &pidfd);
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
