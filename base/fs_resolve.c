/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a hostile path: openat2, or where that is missing a walk.
 *
 * The walk holds one O_PATH fd of a real directory at a time and the names that led there. Every
 * component is opened with O_NOFOLLOW; a link's target is put in front of what is left. ".." never
 * goes to the kernel, which would follow a directory that was moved out meanwhile: the last name is
 * dropped and the rest walked again from the top. What changes under the walk is an error, never a
 * way out.
 */
#include "base/force.h"
#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINKS_MAX 40  /* as the kernel's */
#define EAGAIN_MAX 64 /* renames elsewhere make openat2 give up on ".." */
#define CREATE_MODE 0644

enum rule { RULE_BENEATH, RULE_BENEATH_NO_LINKS, RULE_IN_ROOT };

static atomic_bool openat2_missing;

static int try_openat2(int dir_fd, const char *path, int flags, enum rule rule)
{
    static const uint64_t resolve[] = {
        [RULE_BENEATH] = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
        [RULE_BENEATH_NO_LINKS] = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
        [RULE_IN_ROOT] = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    struct open_how how = {
        .flags = (uint64_t)flags,
        .mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? CREATE_MODE : 0,
        .resolve = resolve[rule],
    };
    int fd = -1;
    for (int i = 0; i < EAGAIN_MAX; i++) {
        fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd;
}

struct walk {
    int root_fd, fd; /* fd -1: at the root */
    struct strvec names;
    struct strbuf rest;
    enum rule rule;
    int links;
};

static void walk_release(struct walk *walk)
{
    close_auto(&walk->fd);
    strvec_release(&walk->names);
    strbuf_release(&walk->rest);
}
DEFINE_AUTO_STRUCT(struct walk, walk_release)

static int walk_here(const struct walk *walk)
{
    return walk->fd < 0 ? walk->root_fd : walk->fd;
}

/* Takes an O_PATH fd of a directory. */
static void walk_enter(struct walk *walk, int fd)
{
    close_auto(&walk->fd);
    walk->fd = fd;
}

static void walk_to_root(struct walk *walk)
{
    walk_enter(walk, -1);
    strvec_release(&walk->names);
}

static int walk_up(struct walk *walk)
{
    if (!walk->names.n && walk->rule != RULE_IN_ROOT) {
        errno = EXDEV;
        return -1;
    }
    if (walk->names.n)
        strvec_remove(&walk->names, walk->names.n - 1);
    walk_enter(walk, -1);
    for (size_t i = 0; i < walk->names.n; i++) {
        int fd = openat(walk_here(walk), walk->names.items[i],
                        O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return -1;
        walk_enter(walk, fd);
    }
    return 0;
}

static int walk_link(struct walk *walk, int link_fd)
{
    if (walk->rule == RULE_BENEATH_NO_LINKS || ++walk->links > LINKS_MAX) {
        errno = ELOOP;
        return -1;
    }
    AUTO(error_free) struct error *error = NULL;
    AUTO(free) char *target = fs_read_link(link_fd, "", &error);
    if (!target) {
        errno = error_errno_value(error) ? error_errno_value(error) : ENAMETOOLONG;
        return -1;
    }
    if (target[0] == '/') {
        if (walk->rule != RULE_IN_ROOT) {
            errno = EXDEV;
            return -1;
        }
        walk_to_root(walk);
    }
    strbuf_insert(&walk->rest, 0, target, strlen(target));
    return 0;
}

/* One component that isn't the last. */
static int walk_step(struct walk *walk, const char *name, struct stat *st, int *link_fd)
{
    int fd = openat(walk_here(walk), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, st) < 0) {
        close_auto(&fd);
        return -1;
    }
    *link_fd = fd;
    return 0;
}

/* The last component: opened as asked, unless it is a link to follow. 1: a link, go on. */
static int walk_last(struct walk *walk, const char *name, int flags, int *ret)
{
    bool follow = !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
    if (follow) {
        struct stat st;
        AUTO(close) int fd = -1;
        if (walk_step(walk, name, &st, &fd) == 0) {
            if (S_ISLNK(st.st_mode))
                return walk_link(walk, fd) < 0 ? -1 : 1;
        } else if (errno != ENOENT || !(flags & O_CREAT)) {
            return -1;
        }
    }
    *ret = openat(walk_here(walk), name, flags | O_NOFOLLOW, CREATE_MODE);
    return *ret < 0 ? -1 : 0;
}

/* A component with something after it: a directory to enter or a link to follow. */
static int walk_inner(struct walk *walk, const char *name)
{
    struct stat st;
    AUTO(close) int fd = -1;
    if (walk_step(walk, name, &st, &fd) < 0)
        return -1;
    if (S_ISLNK(st.st_mode))
        return walk_link(walk, fd);
    if (!S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return -1;
    }
    walk_enter(walk, take_fd(&fd));
    strvec_push(&walk->names, name);
    return 0;
}

static int walk_open(int root_fd, const char *path, int flags, enum rule rule)
{
    AUTO(walk_release)
    struct walk walk = {
        .root_fd = root_fd,
        .fd = -1,
        .names = STRVEC_INIT,
        .rest = STRBUF_INIT,
        .rule = rule,
    };
    strbuf_adds(&walk.rest, path);
    if (path[0] == '/' && rule != RULE_IN_ROOT) {
        errno = EXDEV;
        return -1;
    }
    while (walk.rest.size) {
        size_t n = strcspn(walk.rest.data, "/");
        bool last = n == walk.rest.size;
        AUTO(free) char *name = xstrndup(walk.rest.data, n);
        strbuf_remove(&walk.rest, 0, n); /* the slash stays: "a/" is no last component */
        if (n == 0) {
            strbuf_remove(&walk.rest, 0, 1);
            continue;
        }
        int fd = -1, result = 0;
        if (!strcmp(name, ".."))
            result = walk_up(&walk);
        else if (strcmp(name, ".") != 0 && last)
            result = walk_last(&walk, name, flags, &fd);
        else if (strcmp(name, ".") != 0)
            result = walk_inner(&walk, name);
        if (result < 0)
            return -1;
        if (fd >= 0)
            return fd;
    }
    return openat(walk_here(&walk), ".", flags, CREATE_MODE);
}

static int resolve(int dir_fd, const char *path, int flags, enum rule rule, struct error **err)
{
    flags |= O_CLOEXEC;
    if (!path[0])
        path = ".";
    int fd = -1;
    bool walking = atomic_load(&openat2_missing) || force_has("no-openat2");
    if (!walking) {
        fd = try_openat2(dir_fd, path, flags, rule);
        if (fd < 0 && errno == ENOSYS)
            atomic_store(&openat2_missing, true);
        /* EPERM: the filter's or the file's own; the walk meets the latter again */
        walking = fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN);
    }
    if (walking)
        fd = walk_open(dir_fd, path, flags, rule);
    return fd < 0 ? error_errno(err, "opening %s", path) : fd;
}

int fs_open_beneath(int dir_fd, const char *path, int flags, struct error **err)
{
    return resolve(dir_fd, path, flags, flags & O_NOFOLLOW ? RULE_BENEATH_NO_LINKS : RULE_BENEATH,
                   err);
}

int fs_open_in_root(int root_fd, const char *path, int flags, struct error **err)
{
    return resolve(root_fd, path, flags, RULE_IN_ROOT, err);
}
