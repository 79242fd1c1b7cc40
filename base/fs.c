/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/tempfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LIST_SIZE ((size_t)32 * 1024)

int fs_open(int dir_fd, const char *path, int flags, mode_t mode, struct error **err)
{
    int fd;
    do {
        fd = openat(dir_fd, path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? error_errno(err, "opening %s", path) : fd;
}

int fs_stat(int dir_fd, const char *path, struct stat *st, struct error **err)
{
    struct stat found;
    if (fstatat(dir_fd, path, &found, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return 0;
        return error_errno(err, "looking at %s", path);
    }
    *st = found;
    return 1;
}

/* Opens the directory `name` in dir_fd, making it when missing. */
static int mkdir_open(int dir_fd, const char *name, mode_t mode, int follow)
{
    const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC | follow;
    int fd = openat(dir_fd, name, flags);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    if (mkdirat(dir_fd, name, mode) < 0 && errno != EEXIST)
        return -1;
    return openat(dir_fd, name, flags);
}

static int mkdirs(int dir_fd, const char *path, mode_t mode, int follow, struct error **err)
{
    AUTO(close) int here = -1;
    AUTO(free) char *rest = xstrdup(path);
    for (char *p = rest; *p;) {
        size_t n = strcspn(p, "/");
        bool more = p[n] == '/';
        p[n] = '\0';
        if (n && strcmp(p, ".") != 0) {
            int next = mkdir_open(here < 0 ? dir_fd : here, p, mode, follow);
            if (next < 0)
                return error_errno(err, "making directory %s", path);
            close_auto(&here);
            here = next;
        }
        p += n + more;
    }
    return 0;
}

int fs_mkdirs(int dir_fd, const char *path, mode_t mode, struct error **err)
{
    AUTO(free) char *clean = path_clean(path);
    if (path_is_within(clean, "..") || clean[0] == '/') {
        errno = EXDEV;
        return error_errno(err, "making directory %s", path);
    }
    return mkdirs(dir_fd, clean, mode, O_NOFOLLOW, err);
}

int fs_mkdirs_following(int dir_fd, const char *path, mode_t mode, struct error **err)
{
    if (path[0] != '/')
        return mkdirs(dir_fd, path, mode, 0, err);
    AUTO(close) int root = fs_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0, err);
    return root < 0 ? -1 : mkdirs(root, path, mode, 0, err);
}

int fs_unlink(int dir_fd, const char *path, struct error **err)
{
    if (unlinkat(dir_fd, path, 0) < 0 && errno != ENOENT)
        return error_errno(err, "removing %s", path);
    return 0;
}

int fs_read_file(int dir_fd, const char *path, struct strbuf *buf, size_t max, struct error **err)
{
    AUTO(close) int fd = fs_open(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, err);
    if (fd < 0)
        return -1;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "looking at %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_INVALID, "reading %s: not a regular file", path);
    return io_read_all(fd, buf, max, path, err);
}

/* The directory part of path, opened; *base is the rest. */
static int open_parent(int dir_fd, const char *path, const char **base, struct error **err)
{
    AUTO(free) char *dir = path_dir(path);
    *base = path_base(path);
    if (!dir[0])
        return fs_open(path[0] == '/' ? AT_FDCWD : dir_fd, path[0] == '/' ? "/" : ".",
                       O_RDONLY | O_DIRECTORY, 0, err);
    return fs_open(dir_fd, dir, O_RDONLY | O_DIRECTORY, 0, err);
}

static int write_file(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                      bool synced, struct error **err)
{
    const char *base;
    AUTO(close) int parent = open_parent(dir_fd, path, &base, err);
    if (parent < 0)
        return error_wrap(err, "writing %s", path);
    AUTO(tempfile_free) struct tempfile *file = tempfile_new(parent, FS_TEMP_PREFIX, err);
    if (!file)
        return error_wrap(err, "writing %s", path);
    int fd = tempfile_fd(file);
    if (io_write_full(fd, data, size, path, err) < 0)
        return -1;
    if (fchmod(fd, mode) < 0)
        return error_errno(err, "setting the mode of %s", path);
    if (synced && fdatasync(fd) < 0)
        return error_errno(err, "syncing %s", path);
    if (tempfile_commit(file, parent, base, err) < 0)
        return error_wrap(err, "writing %s", path);
    if (synced && fsync(parent) < 0)
        return error_errno(err, "syncing the directory of %s", path);
    return 0;
}

int fs_write_file(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                  struct error **err)
{
    return write_file(dir_fd, path, data, size, mode, false, err);
}

int fs_write_file_synced(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                         struct error **err)
{
    return write_file(dir_fd, path, data, size, mode, true, err);
}

char *fs_read_link(int dir_fd, const char *path, struct error **err)
{
    AUTO(free) char *target = xmalloc(PATH_MAX + 1);
    ssize_t n = readlinkat(dir_fd, path, target, PATH_MAX + 1);
    if (n < 0)
        return error_errno_null(err, "reading link %s", path);
    if (n > PATH_MAX)
        return error_set_null(err, ERR_LIMIT, "reading link %s: more than %d bytes", path,
                              PATH_MAX);
    return xstrndup(target, (size_t)n);
}

int fs_each_name(int fd, void (*see)(void *data, const char *name, unsigned char type), void *data,
                 const char *what, struct error **err)
{
    _Alignas(struct dirent64) char buffer[LIST_SIZE];
    for (;;) {
        ssize_t n = getdents64(fd, buffer, sizeof(buffer));
        if (n == 0 || (n < 0 && errno == ENOENT)) /* it was removed: POSIX takes that for the end */
            return 0;
        if (n < 0)
            return error_errno(err, "listing %s", what);
        for (char *at = buffer; at < buffer + n;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)at;
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                see(data, entry->d_name, entry->d_type);
            at += entry->d_reclen;
        }
    }
}

static void push_name(void *data, const char *name, unsigned char type UNUSED)
{
    strvec_push(data, name);
}

int fs_list_fd(int fd, struct strvec *names, const char *what, struct error **err)
{
    /* an open file of its own: a dup would share the position with other threads */
    AUTO(close) int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0)
        return error_errno(err, "listing %s", what);
    AUTO(strvec_release) struct strvec found = STRVEC_INIT;
    if (fs_each_name(own, push_name, &found, what, err) < 0)
        return -1;
    strvec_sort(&found);
    for (size_t i = 0; i < found.n; i++)
        strvec_take(names, TAKE(found.items[i]));
    return 0;
}

int fs_list(int dir_fd, const char *path, struct strvec *names, struct error **err)
{
    AUTO(close) int fd = openat(dir_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "listing %s", path);
    return fs_list_fd(fd, names, path, err);
}

int fs_free_space(int fd, uint64_t *size, struct error **err)
{
    struct statvfs st;
    if (fstatvfs(fd, &st) < 0)
        return error_errno(err, "asking for the free space of a file system");
    if (__builtin_mul_overflow((uint64_t)st.f_bavail, (uint64_t)st.f_frsize, size))
        *size = UINT64_MAX;
    return 0;
}
