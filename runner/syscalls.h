/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of the set-up, by file descriptors only. errno as usual; async-signal-safe.
 *
 * Each that an older kernel or an old container filter may refuse is asked through
 * syscall_refused(): ENOSYS, or EPERM from filters that don't know it.
 */
#ifndef CBUILD_RUNNER_SYSCALLS_H
#define CBUILD_RUNNER_SYSCALLS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline bool syscall_refused(void)
{
    return errno == ENOSYS || errno == EPERM;
}

static inline int sys_fsopen(const char *type)
{
    return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static inline int sys_fsconfig(int fd, unsigned command, const char *key, const char *value)
{
    return (int)syscall(SYS_fsconfig, fd, command, key, value, 0);
}

static inline int sys_fsmount(int fd, unsigned attributes)
{
    return (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes);
}

/* A copy of the mount at fd, attached nowhere. */
static inline int sys_open_tree(int fd, bool recursive)
{
    return (int)syscall(SYS_open_tree, fd, "",
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
                            (recursive ? AT_RECURSIVE : 0));
}

/* Attaches the mount at fd on top of the place that to_fd is. */
static inline int sys_move_mount(int fd, int to_fd)
{
    return (int)syscall(SYS_move_mount, fd, "", to_fd, "",
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* 5.12 */
static inline int sys_mount_setattr(int fd, uint64_t attributes, bool recursive)
{
    struct mount_attr attr = { .attr_set = attributes };
    return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0),
                        &attr, sizeof(attr));
}

static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
    return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline int sys_close_range(unsigned first, unsigned last)
{
    return (int)syscall(SYS_close_range, first, last, 0);
}

#endif
