/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files beneath a directory fd. Paths are relative. Two rules of resolution:
 *
 * - _beneath: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS where the flag says so;
 *   a path that leaves the directory is an error (EXDEV).
 * - _in_root: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: absolute links and ".." are taken as in a chroot.
 *
 * Where openat2 is missing (ENOSYS, or EPERM from an old container filter) a walk
 * with O_NOFOLLOW component by component does the same. Thread-safe.
 */
#ifndef CBUILD_BASE_FS_H
#define CBUILD_BASE_FS_H

#include "base/error.h"
#include "base/strbuf.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* O_CLOEXEC is added to flags. mode as for open(2). Mode is for O_CREAT: 0644 less umask. */
int fs_open_beneath(int dir_fd, const char *path, int flags, struct error **err) WARN_UNUSED;
int fs_open_in_root(int root_fd, const char *path, int flags, struct error **err) WARN_UNUSED;
/* Plain openat with O_CLOEXEC, for paths of the user's own choosing. */
int fs_open(int dir_fd, const char *path, int flags, mode_t mode, struct error **err) WARN_UNUSED;

/* 1 there, 0 not there, -1 error; does not follow a last symlink. */
int fs_stat(int dir_fd, const char *path, struct stat *st, struct error **err) WARN_UNUSED;

/* mkdir -p beneath dir_fd (symlinks in the way are refused). */
int fs_mkdirs(int dir_fd, const char *path, mode_t mode, struct error **err) WARN_UNUSED;
/* rm -rf: no error where it is absent; never follows links nor crosses into mounts. */
int fs_remove_tree(int dir_fd, const char *path, struct error **err) WARN_UNUSED;
/* unlink; no error where it is absent */
int fs_unlink(int dir_fd, const char *path, struct error **err) WARN_UNUSED;

/* Appends the content of a regular file; anything else (a FIFO, a device) is ERR_INVALID, and never blocks. */
int fs_read_file(int dir_fd, const char *path, struct strbuf *buf, size_t max, struct error **err) WARN_UNUSED;
/* The file has either its old or its new content: temp file, then rename. */
int fs_write_file(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                  struct error **err) WARN_UNUSED;
/* Target of a symlink, at most PATH_MAX. NULL on error. */
char *fs_read_link(int dir_fd, const char *path, struct error **err) WARN_UNUSED;

/* Names in a directory, sorted by bytes, without . and .. */
int fs_list(int dir_fd, const char *path, struct strvec *names, struct error **err) WARN_UNUSED;
/* As fs_list for an open directory fd (borrowed; its position is reset). */
int fs_list_fd(int fd, struct strvec *names, const char *what, struct error **err) WARN_UNUSED;

/* Free bytes for this user on the file system of fd. */
int fs_free_space(int fd, uint64_t *size, struct error **err) WARN_UNUSED;

#endif
