/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/sandbox_child.h"

#include "runner/caps.h"
#include "runner/child_root.h"
#include "runner/confinement.h"
#include "runner/exec_guard.h"
#include "runner/keeper.h"
#include "runner/owner_watch.h"
#include "runner/rlimits.h"
#include "runner/seccomp.h"
#include "runner/syscalls.h"

#include <limits.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define REPORT_FD 3 /* where the report pipe ends up: above stderr until exec there is ... */
#define WATCH_FD 4  /* ... at most one more */

static int set_stdio(struct child *child)
{
    const struct child_plan *plan = child->plan;
    (void)setsid(); /* no controlling terminal */
    if (plan->pty.socket_fd >= 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        /* so that the command can open /dev/stdout anew as its own user */
        (void)!fchown(plan->stdio_fds[i], plan->user.uid, plan->user.gid);
        if (dup2(plan->stdio_fds[i], i + 1) < 0)
            return report_errno(&child->report, "connecting the output", NULL);
    }
    return 0;
}

static int set_loopback(struct report *report)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? 0 : report_errno(report, "loopback network", NULL);
    int done = ioctl(fd, SIOCSIFFLAGS, &request);
    if (done < 0)
        (void)report_errno(report, "loopback network", NULL);
    (void)close(fd);
    return done;
}

static int set_network(struct child *child)
{
    const struct child_plan *plan = child->plan;
    if (plan->own_network)
        return set_loopback(&child->report);
    if (plan->network_fd >= 0 && setns(plan->network_fd, CLONE_NEWNET) < 0)
        return report_errno(&child->report, "entering the network namespace", NULL);
    return 0;
}

static int set_terminal(struct child *child)
{
    const struct pty_spec *pty = &child->plan->pty;
    return pty->socket_fd < 0 ? 0 : pty_enter(pty, &child->report);
}

static int set_hostname(struct child *child)
{
    const char *name = child->plan->hostname;
    if (sethostname(name, strlen(name)) < 0)
        return report_errno(&child->report, "setting the host name", name);
    return 0;
}

static int close_all(struct child *child)
{
    /* above both places first, since either may stand in the other's */
    int report_fd = fcntl(child->plan->report_fd, F_DUPFD_CLOEXEC, WATCH_FD + 1);
    int watch_fd = child->plan->watch_fd;
    if (watch_fd >= 0)
        watch_fd = fcntl(watch_fd, F_DUPFD_CLOEXEC, WATCH_FD + 1);
    if (report_fd < 0 || dup3(report_fd, REPORT_FD, O_CLOEXEC) < 0)
        return report_errno(&child->report, "keeping the report pipe", NULL);
    child->report_fd = REPORT_FD;
    if (watch_fd >= 0 && dup3(watch_fd, WATCH_FD, O_CLOEXEC) < 0)
        return report_errno(&child->report, "keeping a socket", NULL);
    const int first = watch_fd >= 0 ? WATCH_FD + 1 : WATCH_FD;
    if (sys_close_range((unsigned)first, ~0u) == 0)
        return 0;
    for (int other = first; other < 65536; other++)
        (void)close(other);
    return 0;
}

static int set_stdin(struct child *child)
{
    if (child->plan->pty.socket_fd >= 0)
        return 0;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || dup2(fd, 0) < 0)
        return report_errno(&child->report, "opening /dev/null", NULL);
    if (fd > 0)
        (void)close(fd);
    return 0;
}

/* mkdir -p, as root; what is there is left alone */
static int make_cwd(const char *path, struct report *report)
{
    char prefix[PATH_MAX];
    size_t size = strlen(path);
    if (size >= sizeof(prefix)) {
        errno = ENAMETOOLONG;
        return report_errno(report, "working directory", path);
    }
    memcpy(prefix, path, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (prefix[i] != '/' && prefix[i] != '\0')
            continue;
        prefix[i] = '\0';
        if (mkdir(prefix, 0755) < 0 && errno != EEXIST)
            return report_errno(report, "working directory", path);
        prefix[i] = path[i];
    }
    return 0;
}

static int tell_of_proc(struct child *child)
{
    struct report note;
    if (!child->has_host_proc)
        return 0;
    (void)report_text(&note,
                      "RUN sees this container's processes in /proc, read-only: its /proc is "
                      "masked, and then none can be mounted",
                      NULL);
    note.kind = REPORT_WARNING;
    if (write(child->report_fd, &note, sizeof(note)) != (ssize_t)sizeof(note))
        return report_errno(&child->report, "telling of /proc", NULL);
    return 0;
}

/* No descriptor of the host is open any more, so that no name leads out of the root. */
static int enter_cwd(struct child *child)
{
    const char *cwd = child->plan->spec->cwd ? child->plan->spec->cwd : "/";
    struct report *report = &child->report;
    char where[PATH_MAX];
    if (chdir(cwd) < 0 && (errno != ENOENT || make_cwd(cwd, report) < 0 || chdir(cwd) < 0))
        return report_errno(report, "working directory", cwd);
    if (syscall(SYS_getcwd, where, sizeof(where)) < 0 || where[0] != '/') {
        errno = EXDEV;
        return report_errno(report, "working directory", cwd);
    }
    return 0;
}

/* cbuild may be protected from the OOM killer; a step isn't. */
static void reset_oom_score(void)
{
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    char sign;
    if (fd < 0)
        return;
    if (read(fd, &sign, 1) == 1 && sign == '-')
        (void)!write(fd, "0", 1); /* raising is always allowed */
    (void)close(fd);
}

/* cbuild's own leave out memory when it knows secrets; the command's are as everywhere. */
static void reset_core_dumps(void)
{
    int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!write(fd, "0x33", 4); /* the kernel's default; a kernel without dumps has no file */
    (void)close(fd);
}

static int set_process(struct child *child)
{
    const struct sandbox_spec *spec = child->plan->spec;
    /* a session keyring of its own; kernels without keyrings have nothing to protect */
    (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
    reset_oom_score();
    if (!child->plan->shares_memory) /* it is the kernel's default then */
        reset_core_dumps();
    (void)umask(022);
    if (rlimits_apply(spec->limits, child->report_fd, &child->report) < 0)
        return -1;
    keeper_reset_signals();
    return 0;
}

static int write_map(const char *path, const char *map, struct report *report)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int done = fd >= 0 && write(fd, map, strlen(map)) == (ssize_t)strlen(map) ? 0 : -1;
    if (done < 0)
        (void)report_errno(report, "mapping the user's id", path);
    if (fd >= 0)
        (void)close(fd);
    return done;
}

/* The single id is the user's for the command, as it is root's for us; so are all files. */
static int enter_single_user(const struct child_plan *plan, struct report *report)
{
    if (unshare(CLONE_NEWUSER) < 0)
        return report_errno(report, "making a user namespace", NULL);
    return write_map("/proc/self/gid_map", plan->gid_map, report) < 0
               ? -1
               : write_map("/proc/self/uid_map", plan->uid_map, report);
}

/*
 * Without a pid namespace: signals only to processes of its own, nobody else's abstract sockets,
 * and nobody else traced. Kernels before 6.12 can't, and then sandbox.h says what is left.
 */
static void set_scope(void)
{
    const struct { /* of linux/landlock.h, which may be older */
        uint64_t handled_access_fs, handled_access_net, scoped;
    } rules = { .scoped = 1 << 0 | 1 << 1 }; /* abstract unix sockets, signals */
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
    if (fd < 0)
        return;
    (void)syscall(SYS_landlock_restrict_self, fd, 0);
    (void)close(fd);
}

/* No program gets more rights than the one that starts it. */
static int give_up_privileges(struct child *child)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return report_errno(&child->report, "giving up new privileges", NULL);
    set_scope();
    return 0;
}

static int set_privilege(struct child *child)
{
    const struct child_plan *plan = child->plan;
    if (plan->uid_map && enter_single_user(plan, &child->report) < 0)
        return -1;
    const struct caps_ids ids = { plan->user.uid, plan->user.gid, plan->user.groups,
                                  plan->user.n_groups, plan->single_id };
    const bool bare = plan->spec->isolation == ISOLATION_CHROOT;
    if (bare && give_up_privileges(child) < 0)
        return -1;
    int listener = -1;
    const bool is_watched = plan->watch_fd >= 0;
    if (plan->confined && !bare)
        (void)confinement_enter("/proc"); /* the rest holds without it */
    /* the filter first: loading it takes a capability that is gone afterwards */
    if (plan->filter &&
        seccomp_load_filter(plan->filter, is_watched ? &listener : NULL, &child->report) < 0)
        return -1;
    if (is_watched && owner_watch_send(WATCH_FD, listener, &child->report) < 0)
        return -1;
    return caps_become(&ids,
                       plan->spec->insecure ? CAPS_ALL
                       : bare               ? CAPS_CHROOT
                                            : CAPS_DEFAULT,
                       &child->report);
}

/* Nothing is mounted: the tree is the root as it is. The host's /proc is still to be seen. */
static int turn_to_tree(struct child *child)
{
    struct report *report = &child->report;
    reset_oom_score();
    reset_core_dumps();
    if (chdir(child->plan->spec->root.directory) < 0 || chroot(".") < 0)
        return report_errno(report, "changing to the new root", NULL);
    return 0;
}

/* In the order of things: each needs what came before. */
static int (*const bare_steps[])(struct child *child) = {
    set_stdio, set_stdin,   set_terminal,  turn_to_tree, close_all,
    enter_cwd, set_process, set_privilege, NULL,
};
static int (*const steps[])(struct child *child) = {
    set_stdio,         set_network, /* while we still see the host's */
    child_open_mounts, child_open_root,    child_own_mounts, child_attach_root,
    child_mount_usual, child_mount_listed, child_turn_root,  set_terminal,
    set_hostname,      tell_of_proc,       close_all,        set_stdin,
    enter_cwd,         set_process,        set_privilege,    NULL,
};

static void send_report(const struct child *child)
{
    (void)!write(child->report_fd, &child->report, sizeof(child->report)); /* we end in any case */
}

static int try_exec(const struct child_plan *plan, const char *file)
{
    if (exec_guard_refuses(file))
        return EPERM;
    (void)execve(file, plan->argv, plan->env);
    return errno;
}

/* errno of the best try: a file that is there but can't be executed beats one that isn't there. */
static int search_path(const struct child_plan *plan)
{
    char file[PATH_MAX];
    const char *name = plan->argv[0];
    int error = ENOENT;
    for (const char *dir = plan->path;;) {
        size_t size = strcspn(dir, ":");
        size_t used = 0;
        if (size && size < sizeof(file)) {
            memcpy(file, dir, size);
            used = size;
        } else if (!size) {
            file[used++] = '.';
        }
        file[used] = '\0';
        if (used && text_append(file, sizeof(file), &used, "/") &&
            text_append(file, sizeof(file), &used, name)) {
            int tried = try_exec(plan, file);
            if (tried != ENOENT && tried != ENOTDIR && tried != EACCES)
                return tried;
            if (tried == EACCES)
                error = EACCES;
        }
        if (!dir[size])
            return error;
        dir += size + 1;
    }
}

_Noreturn static void execute(struct child *child)
{
    const struct child_plan *plan = child->plan;
    const char *name = plan->argv[0];
    int error = strchr(name, '/') ? try_exec(plan, name) : search_path(plan);
    bool there = strchr(name, '/') && faccessat(AT_FDCWD, name, F_OK, AT_EACCESS) == 0;
    (void)report_text(&child->report, name, NULL);
    child->report.kind = REPORT_EXEC;
    child->report.error = error;
    child->report.interpreter_missing = error == ENOENT && there;
    send_report(child);
    _exit(error == ENOENT || error == ENOTDIR ? 127 : 126);
}

void child_main(void *data)
{
    struct child_plan *plan = data;
    struct child child = { .plan = plan,
                           .report_fd = plan->report_fd,
                           .scratch_fd = plan->scratch_fd,
                           .root_fd = -1,
                           .look_fd = -1,
                           .files_fd = -1 };
    int (*const *step)(struct child *) =
        plan->spec->isolation == ISOLATION_CHROOT ? bare_steps : steps;
    for (; *step; step++) {
        if ((*step)(&child) < 0) {
            send_report(&child);
            _exit(1);
        }
    }
    execute(&child);
}
