/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/stubs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define XATTR_LIST_SIZE 4096
#define XATTR_VALUE_SIZE 4096

static const struct timespec stub_times[2] = { { 0, 0 }, { 0, 0 } };

/* Overlay's own don't show up in a mount; the rest is copied where this user may. */
static int copy_xattrs(int from_fd, int to_fd, unsigned flags)
{
    char names[XATTR_LIST_SIZE], value[XATTR_VALUE_SIZE];
    ssize_t size = flistxattr(from_fd, names, sizeof(names));
    if (size < 0)
        return errno == ENOTSUP ? 0 : -1;
    for (const char *name = names; name < names + size; name += strlen(name) + 1) {
        ssize_t value_size = fgetxattr(from_fd, name, value, sizeof(value));
        if (value_size < 0)
            return -1;
        if (fsetxattr(to_fd, name, value, (size_t)value_size, 0) < 0 &&
            ((flags & STUBS_ALL_XATTRS) || (errno != EPERM && errno != ENOTSUP)))
            return -1;
    }
    return 0;
}

static int copy_attributes(int from_fd, int to_fd, unsigned flags)
{
    struct stat st;
    if (fstat(from_fd, &st) < 0 || fchown(to_fd, st.st_uid, st.st_gid) < 0 ||
        fchmod(to_fd, st.st_mode & 07777) < 0 || copy_xattrs(from_fd, to_fd, flags) < 0)
        return -1;
    const struct timespec times[2] = { st.st_atim, st.st_mtim };
    return futimens(to_fd, times);
}

/* The tree is still ours alone and the path free of links: it can be opened by name. */
static int set_attributes(int stubs_fd, int root_fd, const char *path, bool exists, unsigned how)
{
    if (!exists)
        return utimensat(stubs_fd, path, stub_times, AT_SYMLINK_NOFOLLOW);
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int done = -1, from_fd = openat(root_fd, path, flags), to_fd = openat(stubs_fd, path, flags);
    if (from_fd >= 0 && to_fd >= 0)
        done = copy_attributes(from_fd, to_fd, how);
    int saved = errno;
    if (from_fd >= 0)
        (void)close(from_fd);
    if (to_fd >= 0)
        (void)close(to_fd);
    errno = saved;
    return done;
}

static int make(int stubs_fd, const char *path, bool dir)
{
    if (dir)
        return mkdirat(stubs_fd, path, 0755) < 0 && errno != EEXIST ? -1 : 0;
    int fd = openat(stubs_fd, path, O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 ? -1 : close(fd);
}

int stubs_add(int stubs_fd, int root_fd, const struct lookup *missing, bool dir, unsigned flags,
              struct report *report)
{
    char path[PATH_MAX];
    size_t size = strlen(missing->path);
    memcpy(path, missing->path, size + 1);
    for (size_t i = 1; i <= size; i++) {
        bool last = i == size;
        if (path[i] != '/' && !last)
            continue;
        path[i] = '\0';
        if (make(stubs_fd, path, dir || !last) < 0)
            return report_errno(report, "making a mount point for", missing->path);
        path[i] = missing->path[i];
    }
    /* from the end up, as making an entry changes its directory's time */
    for (size_t i = size; i > 0; i--) {
        if (path[i] != '/' && i != size)
            continue;
        path[i] = '\0';
        if (set_attributes(stubs_fd, root_fd, path, i <= missing->existing, flags) < 0)
            return report_errno(report, "making a mount point for", missing->path);
    }
    return 0;
}
