/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/mounts.h"

#include "runner/syscalls.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#define PSEUDO (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* As in a default container; a path that this kernel lacks is passed over. */
static const char *const proc_masked[] = { "acpi",       "asound",        "interrupts",  "kcore",
                                           "keys",       "latency_stats", "sched_debug", "scsi",
                                           "timer_list", "timer_stats" };
static const char *const proc_read_only[] = { "bus", "fs", "irq", "sys", "sysrq-trigger" };
static const char *const sys_masked[] = { "firmware", "devices/virtual/powercap" };

/* Where other file systems are mounted in it */
static const char *const sys_mounted[] = { "fs/cgroup",      "fs/bpf",         "fs/pstore",
                                           "kernel/debug",   "kernel/tracing", "kernel/config",
                                           "kernel/security" };
#define HOST_ATTRIBUTES                                                                            \
    (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int mounts_new(const struct lookup *target, const char *type, unsigned long flags, const char *data,
               struct report *report)
{
    if (fchdir(target->parent_fd) < 0 || mount(type, lookup_name(target), type, flags, data) < 0) {
        int saved = errno;
        char what[64] = "mounting ";
        size_t used = strlen(what);
        (void)text_append(what, sizeof(what), &used, type); /* a type of ours: it fits */
        (void)text_append(what, sizeof(what), &used, " on");
        errno = saved;
        return report_errno(report, what, target->path);
    }
    return 0;
}

/* After a mount target->fd is still what it covers. */
static int reopen(struct lookup *target, struct report *report)
{
    int fd = openat(target->parent_fd, lookup_name(target), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return report_errno(report, "opening", target->path);
    (void)close(target->fd);
    target->fd = fd;
    return 0;
}

int mounts_enter(struct lookup *target, const char *type, unsigned long flags, const char *data,
                 struct report *report)
{
    if (mounts_new(target, type, flags, data, report) < 0)
        return -1;
    return reopen(target, report);
}

/* Flags that are there must be given again: in a user namespace they can't be taken away. */
static unsigned long present_flags(const char *name)
{
    struct statvfs st;
    if (statvfs(name, &st) < 0)
        return 0;
    return (st.f_flag & ST_RDONLY ? MS_RDONLY : 0) | (st.f_flag & ST_NOSUID ? MS_NOSUID : 0) |
           (st.f_flag & ST_NODEV ? MS_NODEV : 0) | (st.f_flag & ST_NOEXEC ? MS_NOEXEC : 0) |
           (st.f_flag & ST_NOATIME ? MS_NOATIME : 0) |
           (st.f_flag & ST_NODIRATIME ? MS_NODIRATIME : 0) |
           (st.f_flag & ST_RELATIME ? MS_RELATIME : 0);
}

static unsigned long remount_flags(enum bind_flags flags)
{
    return (flags & BIND_READ_ONLY ? MS_RDONLY : 0) | (flags & BIND_DEVICES ? 0 : MS_NODEV);
}

static int remount(const char *name, unsigned long flags)
{
    if (!flags)
        return 0;
    return mount(NULL, name, NULL, MS_REMOUNT | MS_BIND | flags | present_flags(name), NULL);
}

/* mount(2), which takes paths: our fd's name in the host's /proc. */
static int bind_by_path(int source_fd, const struct lookup *target, enum bind_flags flags)
{
    char source[64] = "/proc/self/fd/";
    char number[TEXT_NUMBER_SIZE];
    size_t used = strlen(source);
    (void)text_append(source, sizeof(source), &used,
                      text_number(number, (unsigned)source_fd)); /* it fits */
    if (fchdir(target->parent_fd) < 0 ||
        mount(source, lookup_name(target), NULL, MS_BIND, NULL) < 0)
        return -1;
    return remount(lookup_name(target), remount_flags(flags));
}

int mounts_detach(int source_fd, enum bind_flags flags, int *tree_fd, struct report *report)
{
    const uint64_t attributes = (flags & BIND_READ_ONLY ? MOUNT_ATTR_RDONLY : 0u) |
                                (flags & BIND_DEVICES ? 0u : MOUNT_ATTR_NODEV);
    int fd = sys_open_tree(source_fd, true);
    if (fd < 0)
        return syscall_refused() ? 1 : report_errno(report, "copying a mount", NULL);
    if (attributes && sys_mount_setattr(fd, attributes, true) < 0) {
        int done = syscall_refused() ? 1 : report_errno(report, "copying a mount", NULL);
        (void)close(fd);
        return done;
    }
    *tree_fd = fd;
    return 0;
}

int mounts_attach(int tree_fd, const struct lookup *target, struct report *report)
{
    if (sys_move_mount(tree_fd, target->fd) < 0)
        return report_errno(report, "mounting on", target->path);
    return 0;
}

int mounts_bind(int source_fd, const struct lookup *target, enum bind_flags flags, bool by_path,
                struct report *report)
{
    int tree_fd = -1;
    int done = by_path ? 1 : mounts_detach(source_fd, flags, &tree_fd, report);
    if (done == 1)
        return bind_by_path(source_fd, target, flags) < 0
                   ? report_errno(report, "mounting on", target->path)
                   : 0;
    if (done == 0) {
        done = mounts_attach(tree_fd, target, report);
        (void)close(tree_fd);
    }
    return done;
}

/* The host's, so read-only: nobody changes its mode. */
static int mask_file(const char *path)
{
    if (mount("/dev/null", path, NULL, MS_BIND, NULL) < 0)
        return -1;
    return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | present_flags(path), NULL);
}

/* Covers a file with /dev/null, a directory with an empty one. The working directory is its file
 * system. */
static int mask(const char *path, struct report *report)
{
    struct stat st;
    if (fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : report_errno(report, "masking", path);
    int done = S_ISDIR(st.st_mode)
                   ? mount("tmpfs", path, "tmpfs", PSEUDO | MS_RDONLY, "size=0k,nr_inodes=2")
                   : mask_file(path);
    return done < 0 ? report_errno(report, "masking", path) : 0;
}

static int protect(const char *path, struct report *report)
{
    if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0)
        return errno == ENOENT ? 0 : report_errno(report, "making read-only", path);
    if (mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | PSEUDO, NULL) < 0)
        return report_errno(report, "making read-only", path);
    return 0;
}

static int enter_mounted(const struct lookup *target, struct report *report)
{
    return fchdir(target->fd) < 0 ? report_errno(report, "entering", target->path) : 0;
}

/* The host's; 1: only it itself could be made read-only, not what is mounted in it. */
static int bind_host(const char *path, struct lookup *target, bool read_only, struct report *report)
{
    if (fchdir(target->parent_fd) < 0 ||
        mount(path, lookup_name(target), NULL, MS_BIND | MS_REC, NULL) < 0)
        return report_errno(report, "binding the host's", path);
    if (reopen(target, report) < 0)
        return -1;
    if (!read_only || sys_mount_setattr(target->fd, HOST_ATTRIBUTES, true) == 0)
        return 0;
    if (!syscall_refused() ||
        mount(NULL, lookup_name(target), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | PSEUDO, NULL) < 0)
        return report_errno(report, "making read-only", target->path);
    return 1;
}

/*
 * In a user namespace proc can be mounted only where an unmasked one is to be seen: not in a
 * container, where the outer one serves. It knows us by our outer ids, and is read-only.
 */
static int enter_proc(struct lookup *target, bool masked, bool *is_host, struct report *report)
{
    if (mounts_enter(target, "proc", PSEUDO, NULL, report) == 0)
        return 0;
    if (report->error != EPERM || bind_host("/proc", target, masked, report) < 0)
        return -1;
    *is_host = true;
    return 0;
}

int mounts_proc(struct lookup *target, bool masked, bool *is_host, struct report *report)
{
    if (enter_proc(target, masked, is_host, report) < 0)
        return -1;
    if (!masked)
        return 0;
    if (enter_mounted(target, report) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(proc_masked); i++)
        if (mask(proc_masked[i], report) < 0)
            return -1;
    for (size_t i = 0; !*is_host && i < COUNT(proc_read_only); i++)
        if (protect(proc_read_only[i], report) < 0)
            return -1;
    return 0;
}

/* The sandbox's cgroup namespace makes its own cgroup the root of what it sees here. */
static int mount_cgroup(bool masked, struct report *report)
{
    struct statfs st;
    if (statfs("/sys/fs/cgroup", &st) < 0 || st.f_type != CGROUP2_SUPER_MAGIC)
        return 0; /* version 1, or none: nothing that a build could use */
    const unsigned long flags = PSEUDO | (masked ? MS_RDONLY : 0);
    if (mount("cgroup2", "fs/cgroup", "cgroup2", flags, NULL) == 0)
        return 0;
    /* the host's stands there, bound with its /sys, and the kernel stacks no file system on itself
     */
    if (errno == EBUSY && mask("fs/cgroup", report) < 0)
        return -1;
    if (mount("cgroup2", "fs/cgroup", "cgroup2", flags, NULL) < 0 &&
        errno != EPERM) /* without a cgroup namespace, in a user namespace: it stays empty */
        return report_errno(report, "mounting cgroup2 on", "sys/fs/cgroup");
    return 0;
}

/* What is mounted in it is hidden where it can't be made read-only. */
static int bind_sys(struct lookup *target, bool masked, struct report *report)
{
    int done = bind_host("/sys", target, masked, report);
    if (done != 1)
        return done;
    if (enter_mounted(target, report) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(sys_mounted); i++)
        if (mask(sys_mounted[i], report) < 0)
            return -1;
    return 0;
}

/* In a user namespace sysfs can be mounted only where the network namespace is of that too. */
static int enter_sys(struct lookup *target, bool masked, struct report *report)
{
    if (mounts_enter(target, "sysfs", PSEUDO | (masked ? MS_RDONLY : 0), NULL, report) == 0)
        return 0;
    return report->error == EPERM ? bind_sys(target, masked, report) : -1;
}

int mounts_sys(struct lookup *target, bool masked, struct report *report)
{
    if (enter_sys(target, masked, report) < 0)
        return -1;
    if (enter_mounted(target, report) < 0 || mount_cgroup(masked, report) < 0)
        return -1;
    for (size_t i = 0; masked && i < COUNT(sys_masked); i++)
        if (mask(sys_masked[i], report) < 0)
            return -1;
    return 0;
}
