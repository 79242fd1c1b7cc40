/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files beneath a directory fd. Two rules of resolution for paths from outside:
 *
 * - _beneath: a path or link that leaves the directory is an error (EXDEV); with O_NOFOLLOW in
 *   the flags no component may be a symlink (ELOOP), not just the last.
 * - _in_root: absolute links and ".." are taken as in a chroot. O_NOFOLLOW is of the last one only.
 *
 * Neither follows the magic links of /proc. Where openat2 is missing (ENOSYS, or EPERM from an old
 * container filter) a walk component by component does the same (CBUILD_FORCE=no-openat2).
 *
 * The other functions take dir_fd and path as openat() does, links on the way included: use them
 * with paths of our own or the user's choosing, and with AT_FDCWD where that is meant.
 * Thread-safe. A missing file is ERR_NOT_FOUND; the errno of every failure is kept.
 */
#ifndef CBUILD_BASE_FS_H
#define CBUILD_BASE_FS_H

#include "base/error.h"
#include "base/strbuf.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define FS_TEMP_PREFIX ".tmp"

/* O_CLOEXEC is added to flags. With O_CREAT the mode is 0644 less umask. "" is ".". */
int fs_open_beneath(int dir_fd, const char *path, int flags, struct error **err) WARN_UNUSED;
int fs_open_in_root(int root_fd, const char *path, int flags, struct error **err) WARN_UNUSED;
/* Plain openat with O_CLOEXEC, for paths of the user's own choosing. */
int fs_open(int dir_fd, const char *path, int flags, mode_t mode, struct error **err) WARN_UNUSED;

/* 1 there, 0 not there, -1 error; does not follow a last symlink. */
int fs_stat(int dir_fd, const char *path, struct stat *st, struct error **err) WARN_UNUSED;

/* mkdir -p beneath dir_fd (symlinks in the way are refused). */
int fs_mkdirs(int dir_fd, const char *path, mode_t mode, struct error **err) WARN_UNUSED;
/* mkdir -p as the shell does it: absolute paths and links too. For paths of the user's choosing. */
int fs_mkdirs_following(int dir_fd, const char *path, mode_t mode, struct error **err) WARN_UNUSED;
/* rm -rf: no error where it is absent; never follows links nor crosses into mounts (EBUSY). */
int fs_remove_tree(int dir_fd, const char *path, struct error **err) WARN_UNUSED;
/*
 * As fs_remove_tree(), for what a sweep would find as well: who sends a signal doesn't wait for it.
 * ERR_CANCELLED where more than FS_DISCARD_MOST names were left when it came; the rest stays. A
 * number and not a time: what is small goes on the slowest machine too.
 */
#define FS_DISCARD_MOST ((size_t)2000)
int fs_discard_tree(int dir_fd, const char *path, struct error **err) WARN_UNUSED;
/* unlink; no error where it is absent */
int fs_unlink(int dir_fd, const char *path, struct error **err) WARN_UNUSED;

/* Appends the content of a regular file; anything else (a FIFO, a device) is ERR_INVALID, and never
 * blocks. ERR_LIMIT above max bytes. */
int fs_read_file(int dir_fd, const char *path, struct strbuf *buf, size_t max,
                 struct error **err) WARN_UNUSED;
/* Whatever happens to this process, the file has its old or its new content: temp file, rename.
 * A kill may leave ".tmp.PID.RANDOM" behind: who lists the directory skips names with
 * FS_TEMP_PREFIX. */
int fs_write_file(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                  struct error **err) WARN_UNUSED;
/* As fs_write_file, whatever happens to the machine: synced before and after the rename. */
int fs_write_file_synced(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                         struct error **err) WARN_UNUSED;
/* Target of a symlink, at most PATH_MAX; "" reads the link that dir_fd is. NULL on error. */
char *fs_read_link(int dir_fd, const char *path, struct error **err) WARN_UNUSED;

/* Names in a directory, appended, sorted by bytes, without . and .. */
int fs_list(int dir_fd, const char *path, struct strvec *names, struct error **err) WARN_UNUSED;
/* As fs_list for an open directory fd (borrowed; its position isn't touched). `what` names it in
 * errors. */
int fs_list_fd(int fd, struct strvec *names, const char *what, struct error **err) WARN_UNUSED;

/*
 * The names in a directory without . and .., in no order, with their d_type, from where the
 * position of `fd` is, which moves: for an fd that nobody else reads. Cheaper than fs_list_fd():
 * three calls a directory.
 */
int fs_each_name(int fd, void (*see)(void *data, const char *name, unsigned char type), void *data,
                 const char *what, struct error **err) WARN_UNUSED;

/* Free bytes for this user on the file system of fd. */
int fs_free_space(int fd, uint64_t *size, struct error **err) WARN_UNUSED;

#endif
