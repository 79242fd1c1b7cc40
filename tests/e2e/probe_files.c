/* SPDX-License-Identifier: Apache-2.0 */
/* Processes and files of the host, settings of the kernel, mounts and devices. */
#include "tests/e2e/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FD 1024
#define FIRST_FD 3

static int try_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
    int error = outcome(fd);
    if (fd >= 0)
        (void)close(fd);
    return error;
}

/* A byte comes out of it: masked files are empty. */
static int try_read(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno;
    ssize_t size = read(fd, &byte, 1);
    int error = size < 0 ? errno : size == 0 ? ENODATA : 0;
    (void)close(fd);
    return error;
}

static int try_list(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return errno;
    int error = ENODATA;
    for (struct dirent *entry; error && (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            error = 0;
    (void)closedir(dir);
    return error;
}

/* -- processes of the host -- */

static int host_process(void)
{
    char path[64], line[4096];
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
            (int)strtol(entry->d_name, NULL, 10) == getpid() ||
            (int)strtol(entry->d_name, NULL, 10) == getppid())
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%.16s/cmdline", entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? -1 : read(fd, line, sizeof(line));
        (void)close(fd);
        /* serve's own arguments, not those of whoever started us with the same name */
        if (size > 0 && memmem(line, (size_t)size, "serve", 6) &&
            memmem(line, (size_t)size, host.name, strlen(host.name)))
            return 0;
    }
    return ESRCH;
}

static int host_signal(void)
{
    return outcome(kill(host.pid, 0));
}

static int host_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, host.pid, 0);
    return fd < 0 ? errno : outcome(syscall(SYS_pidfd_getfd, fd, 0, 0));
}

static int host_ptrace(void)
{
    long done = ptrace(PTRACE_SEIZE, host.pid, NULL, NULL);
    return outcome(done); /* our end detaches */
}

static int host_memory(void)
{
    char byte;
    struct iovec local = { &byte, 1 }, remote = { (void *)0x400000, 1 };
    return refused_later(process_vm_readv(host.pid, &local, 1, &remote, 1, 0), EFAULT);
}

static int host_priority(void)
{
    struct sched_param param = { 0 };
    return outcome(sched_setscheduler(host.pid, SCHED_OTHER, &param));
}

static int host_namespace(const char *kind, int flag)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)host.pid, kind);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno : outcome(setns(fd, flag));
}

static int host_mount_namespace(void)
{
    return host_namespace("mnt", CLONE_NEWNS);
}

static int host_network_namespace(void)
{
    return host_namespace("net", CLONE_NEWNET);
}

static int own_namespace(void)
{
    int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno : outcome(setns(fd, CLONE_NEWUTS));
}

/* -- files of the host -- */

static bool reaches(const char *prefix, int fd)
{
    char path[4096];
    if (fd < 0)
        (void)snprintf(path, sizeof(path), "%s%s", prefix, host.file);
    else
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/../../../../../../../..%s", fd,
                       host.file);
    return access(path, F_OK) == 0;
}

static int host_file_by_name(void)
{
    if (reaches("", -1) || reaches("/proc/1/root", -1) || reaches("/proc/1/cwd/../../../../..", -1))
        return 0;
    for (int fd = FIRST_FD; fd < MAX_FD; fd++)
        if (reaches("", fd))
            return 0;
    return ENOENT;
}

/* Leaving a chroot: a root below the current directory, then up from there. */
static int host_file_by_chroot(void)
{
    if (mkdir("jail", 0700) < 0 || chroot("jail") < 0)
        return errno;
    for (int i = 0; i < 64; i++)
        (void)!chdir("..");
    if (chroot(".") < 0)
        return errno;
    return reaches("", -1) ? 0 : ENOENT;
}

static int host_file_by_handle(void)
{
    struct {
        struct file_handle handle;
        unsigned char bytes[MAX_HANDLE_SZ];
    } at = { .handle = { .handle_bytes = MAX_HANDLE_SZ } };
    int id;
    if (name_to_handle_at(AT_FDCWD, ".", &at.handle, &id, 0) < 0)
        return errno == EOPNOTSUPP ? ENOSYS : errno;
    int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return outcome(open_by_handle_at(fd, &at.handle, O_RDONLY | O_CLOEXEC));
}

/* Nothing but stdin, stdout, stderr, and what reads the list. */
static int inherited_descriptor(void)
{
    for (int fd = FIRST_FD; fd < MAX_FD; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return 0;
    return EBADF;
}

/* -- the kernel's settings -- */

static const char *const settings[] = { "/proc/sys/kernel/core_pattern",
                                        "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches",
                                        "/proc/sys/fs/file-max", "/proc/sys/net/ipv4/ip_forward" };

/* Any of a list: opened, never written. */
static int write_any(const char *const *paths, size_t n)
{
    int error = ENOENT;
    for (size_t i = 0; i < n && error; i++) {
        int tried = try_open(paths[i], O_WRONLY);
        if (tried != ENOENT)
            error = tried;
        if (!tried)
            return 0;
    }
    return error;
}

static int write_proc_sys(void)
{
    return write_any(settings, sizeof(settings) / sizeof(settings[0]));
}

static int write_sysrq(void)
{
    return try_open("/proc/sysrq-trigger", O_WRONLY);
}

static int write_irq(void)
{
    return try_open("/proc/irq/default_smp_affinity", O_WRONLY);
}

static int write_sys(void)
{
    static const char *const paths[] = { "/sys/kernel/rcu_expedited", "/sys/kernel/uevent_helper",
                                         "/sys/kernel/mm/ksm/run", "/sys/power/state",
                                         "/sys/module/kernel/parameters/panic" };
    return write_any(paths, sizeof(paths) / sizeof(paths[0]));
}

static int write_cgroup(void)
{
    static const char *const paths[] = { "/sys/fs/cgroup/cgroup.procs",
                                         "/sys/fs/cgroup/unified/cgroup.procs",
                                         "/sys/fs/cgroup/memory/cgroup.procs",
                                         "/sys/fs/cgroup/devices/release_agent" };
    return write_any(paths, sizeof(paths) / sizeof(paths[0]));
}

static int read_kcore(void)
{
    return try_read("/proc/kcore");
}

/* With a key to be listed, if we may have one. */
static int read_keys(void)
{
    (void)syscall(SYS_add_key, "user", "probe", "x", 1, KEY_SPEC_PROCESS_KEYRING);
    return try_read("/proc/keys");
}

static int read_timer_list(void)
{
    return try_read("/proc/timer_list");
}

static int read_interrupts(void)
{
    return try_read("/proc/interrupts");
}

static int list_firmware(void)
{
    return try_list("/sys/firmware");
}

static int list_powercap(void)
{
    return try_list("/sys/devices/virtual/powercap");
}

/* -- mounts -- */

static int mount_tmpfs(void)
{
    return outcome(mount("probe", ".", "tmpfs", 0, NULL));
}

static int mount_bind(void)
{
    return outcome(mount("/proc", ".", NULL, MS_BIND, NULL));
}

static int mount_proc_writable(void)
{
    return outcome(mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND, NULL));
}

static int unmount(void)
{
    return refused_later(umount2(NOWHERE, 0), ENOENT);
}

static int unmask(void)
{
    /* outside nothing is mounted there, and EINVAL says that we might have */
    return refused_later(umount2("/proc/keys", MNT_DETACH), EINVAL);
}

static int open_file_system(void)
{
    return outcome(syscall(SYS_fsopen, "tmpfs", 0));
}

static int copy_mount(void)
{
    return outcome(syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */));
}

static int move_mount_(void)
{
    return refused_later(syscall(SYS_move_mount, AT_FDCWD, NOWHERE, AT_FDCWD, NOWHERE, 0), ENOENT);
}

static int set_mount_attributes(void)
{
    uint64_t nothing[4] = { 0 };
    return outcome(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, nothing, sizeof(nothing)));
}

static int pivot(void)
{
    return refused_later(syscall(SYS_pivot_root, NOWHERE, NOWHERE), ENOENT);
}

/* -- devices -- */

static int open_node(const char *name, mode_t mode, dev_t device)
{
    if (mknod(name, mode | 0600, device) < 0)
        return errno;
    struct stat st;
    if (lstat(name, &st) < 0 || S_ISREG(st.st_mode)) /* a file that stands for it */
        return EPERM;
    int error = try_open(name, O_RDONLY);
    return error == ENXIO ? ENOSYS : error; /* the kernel has no such device */
}

static int open_disk(void)
{
    return open_node("disk", S_IFBLK, host.disk);
}

static int open_memory(void)
{
    return open_node("mem", S_IFCHR, makedev(1, 1));
}

static int open_kmsg(void)
{
    return open_node("kmsg", S_IFCHR, makedev(1, 11));
}

static int open_port(void)
{
    return open_node("port", S_IFCHR, makedev(1, 4));
}

static int open_fuse(void)
{
    return open_node("fuse", S_IFCHR, makedev(10, 229));
}

/* The host's, without making one. */
static int find_device(void)
{
    static const char *const names[] = {
        "/dev/kmsg",    "/dev/mem",  "/dev/loop-control", "/dev/kvm",  "/dev/vda",     "/dev/sda",
        "/dev/nvme0n1", "/dev/fuse", "/dev/port",         "/dev/tty0", "/dev/net/tun", "/dev/hwrng"
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (access(names[i], F_OK) == 0)
            return 0;
    return ENOENT;
}

const struct probe file_probes[] = {
    { "host-process", host_process, false },
    { "host-signal", host_signal, false },
    { "host-pidfd", host_pidfd, false },
    { "host-ptrace", host_ptrace, false },
    { "host-memory", host_memory, false },
    { "host-priority", host_priority, false },
    { "setns-host-mounts", host_mount_namespace, false },
    { "setns-host-network", host_network_namespace, false },
    { "setns-own", own_namespace, false },
    { "host-file", host_file_by_name, false },
    { "host-file-by-chroot", host_file_by_chroot, false },
    { "host-file-by-handle", host_file_by_handle, false },
    { "inherited-descriptor", inherited_descriptor, false },
    { "proc-sys", write_proc_sys, false },
    { "sysrq", write_sysrq, false },
    { "irq", write_irq, false },
    { "sys", write_sys, false },
    { "cgroup", write_cgroup, false },
    { "kcore", read_kcore, false },
    { "proc-keys", read_keys, false },
    { "timer-list", read_timer_list, false },
    { "interrupts", read_interrupts, false },
    { "firmware", list_firmware, false },
    { "powercap", list_powercap, false },
    { "mount-tmpfs", mount_tmpfs, false },
    { "mount-bind", mount_bind, false },
    { "mount-proc-writable", mount_proc_writable, false },
    { "umount", unmount, false },
    { "unmask", unmask, false },
    { "fsopen", open_file_system, false },
    { "open-tree", copy_mount, false },
    { "move-mount", move_mount_, false },
    { "mount-setattr", set_mount_attributes, false },
    { "pivot-root", pivot, false },
    { "mknod-disk", open_disk, false },
    { "mknod-mem", open_memory, false },
    { "mknod-kmsg", open_kmsg, false },
    { "mknod-port", open_port, false },
    { "mknod-fuse", open_fuse, false },
    { "device-of-the-host", find_device, false },
    { NULL, NULL, false },
};
