/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rm -rf of trees that someone else may have filled: of any depth, with directories that we may
 * not enter, with links, with mounts.
 *
 * One descriptor is open at a time, however deep the tree: the way up is "..", and whether it led
 * to where we came from is checked by device and inode. Names of directories wait on a stack.
 */
#include "base/array.h"
#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct level {
    dev_t dev;
    ino_t ino;
    char *name;         /* in its parent */
    struct strvec dirs; /* still to be removed */
};

struct removal {
    int fd; /* of the innermost level */
    bool is_root;
    bool may_stop;  /* on a signal, for a sweep goes on */
    size_t n_since; /* names removed since the signal */
    struct level *levels;
    size_t n_levels, levels_capacity;
};

static void removal_release(struct removal *removal)
{
    close_auto(&removal->fd);
    for (size_t i = 0; i < removal->n_levels; i++) {
        free(removal->levels[i].name);
        strvec_release(&removal->levels[i].dirs);
    }
    free(removal->levels);
}
DEFINE_AUTO_STRUCT(struct removal, removal_release)

static struct level *innermost(struct removal *removal)
{
    return &removal->levels[removal->n_levels - 1];
}

/* A directory without our permissions gets them, if it is ours: by fd, so that no link is followed.
 */
static int open_dir(int dir_fd, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir_fd, name, flags);
    if (fd < 0 && errno == EACCES) {
        AUTO(close)
        int path_fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        char link[64];
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
        if (path_fd < 0 || chmod(link, 0700) < 0) {
            errno = EACCES;
            return -1;
        }
        fd = openat(dir_fd, name, flags);
    }
    return fd;
}

static bool is_mount_root(int fd)
{
    struct statx st;
    return statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, 0, &st) == 0 &&
           (st.stx_attributes & st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT);
}

/* Opens `name` in dir_fd as the new innermost level. */
static int descend(struct removal *removal, int dir_fd, const char *name, struct error **err)
{
    AUTO(close) int fd = open_dir(dir_fd, name);
    if (fd < 0)
        return error_errno(err, "opening %s", name);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "looking at %s", name);
    bool elsewhere = removal->n_levels && innermost(removal)->dev != st.st_dev;
    if (elsewhere || is_mount_root(fd)) {
        errno = EBUSY;
        return error_errno(err, "%s: a file system is mounted there", name);
    }
    if (!removal->is_root && (st.st_mode & 0700) != 0700 && fchmod(fd, 0700) < 0)
        return error_errno(err, "setting the mode of %s", name);
    struct level *level = ARRAY_PUSH(removal, levels);
    level->dev = st.st_dev;
    level->ino = st.st_ino;
    level->name = xstrdup(name);
    close_auto(&removal->fd);
    removal->fd = take_fd(&fd);
    return 0;
}

/* Before each name. */
static int go_on(struct removal *removal, struct error **err)
{
    if (!removal->may_stop || !cancel_signal() || removal->n_since++ < FS_DISCARD_MOST)
        return 0;
    return error_set(err, ERR_CANCELLED, "interrupted");
}

/* Unlinking what stands in a level. */
struct unlinking {
    struct removal *removal;
    struct strvec *dirs;
    struct error **err; /* the first */
};

static void unlink_name(void *data, const char *name, unsigned char type)
{
    struct unlinking *unlinking = data;
    struct removal *removal = unlinking->removal;
    if (*unlinking->err || go_on(removal, unlinking->err) < 0 ||
        (type != DT_DIR && (unlinkat(removal->fd, name, 0) == 0 || errno == ENOENT)))
        return;
    if (type == DT_DIR || errno == EISDIR)
        strvec_push(unlinking->dirs, name);
    else
        (void)error_errno(unlinking->err, "removing %s", name); /* seen when the list is through */
}

/* Unlinks all but directories, whose names are kept for later. The level was just opened. */
static int unlink_files(struct removal *removal, struct error **err)
{
    struct level *level = innermost(removal);
    AUTO(error_free) struct error *failure = NULL;
    struct unlinking unlinking = { .removal = removal, .dirs = &level->dirs, .err = &failure };
    if (fs_each_name(removal->fd, unlink_name, &unlinking, level->name, err) < 0)
        return -1;
    if (!failure)
        return 0;
    error_move(err, TAKE(failure));
    return -1;
}

/* Leaves the innermost level, which is empty, and removes it. */
static int ascend(struct removal *removal, struct error **err)
{
    struct level *above = &removal->levels[removal->n_levels - 2];
    struct stat st;
    AUTO(close) int up = openat(removal->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (up < 0 || fstat(up, &st) < 0)
        return error_errno(err, "opening the directory above %s", innermost(removal)->name);
    if (st.st_dev != above->dev || st.st_ino != above->ino)
        return error_set(err, ERR_IO, "removing %s: it was moved meanwhile",
                         innermost(removal)->name);
    close_auto(&removal->fd);
    removal->fd = take_fd(&up);
    struct level *done = innermost(removal);
    AUTO(free) char *name = TAKE(done->name);
    strvec_release(&done->dirs);
    removal->n_levels--;
    if (unlinkat(removal->fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return error_errno(err, "removing %s", name);
    return 0;
}

static int empty_tree(struct removal *removal, struct error **err)
{
    if (unlink_files(removal, err) < 0)
        return -1;
    for (;;) {
        struct strvec *dirs = &innermost(removal)->dirs;
        if (dirs->n) {
            AUTO(free) char *name = xstrdup(dirs->items[dirs->n - 1]);
            strvec_remove(dirs, dirs->n - 1);
            if (descend(removal, removal->fd, name, err) < 0 || unlink_files(removal, err) < 0)
                return -1;
        } else if (removal->n_levels > 1) {
            if (ascend(removal, err) < 0)
                return -1;
        } else {
            return 0;
        }
    }
}

static int remove_tree(int dir_fd, const char *path, bool may_stop, struct error **err)
{
    if (unlinkat(dir_fd, path, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM) /* POSIX says EPERM for a directory, Linux EISDIR */
        return error_errno(err, "removing %s", path);
    AUTO(removal_release)
    struct removal removal = { .fd = -1, .is_root = geteuid() == 0, .may_stop = may_stop };
    if (descend(&removal, dir_fd, path, err) < 0 || empty_tree(&removal, err) < 0)
        return error_wrap(err, "removing %s", path);
    if (unlinkat(dir_fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return error_errno(err, "removing %s", path);
    return 0;
}

int fs_remove_tree(int dir_fd, const char *path, struct error **err)
{
    return remove_tree(dir_fd, path, false, err);
}

int fs_discard_tree(int dir_fd, const char *path, struct error **err)
{
    return remove_tree(dir_fd, path, true, err);
}
