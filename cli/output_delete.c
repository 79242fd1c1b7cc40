/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths are compared as directories, not as text: device and inode, from a directory up to the
 * root. So neither links nor bind mounts nor ".." tell something else than what will be deleted.
 */
#include "cli/output_delete.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether `below` is `above` or in it. */
static int is_within(int below, int above, bool *ret, struct error **err)
{
    struct stat wanted, now, parent;
    AUTO(close) int fd = fcntl(below, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 || fstat(above, &wanted) < 0 || fstat(fd, &now) < 0)
        return error_errno(err, "looking at a directory");
    while (!(*ret = is_same(&now, &wanted))) {
        AUTO(close) int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (up < 0 || fstat(up, &parent) < 0)
            return error_errno(err, "opening the directory above");
        if (is_same(&parent, &now))
            return 0; /* the root */
        close_auto(&fd);
        fd = take_fd(&up);
        now = parent;
    }
    return 0;
}

static bool has_dots(const char *path)
{
    for (const char *p = path; *p;) {
        size_t size = strcspn(p, "/");
        if (size == 2 && p[0] == '.' && p[1] == '.')
            return true;
        p += size + (p[size] == '/');
    }
    return false;
}

/* The directory, or the nearest above it that exists; *rest: what is to be made below it */
static int open_nearest(const char *dest, const char **rest, struct error **err)
{
    AUTO(free) char *path = xstrdup(dest);
    size_t size = strlen(path);
    for (;;) {
        int fd = open(size ? path : *dest == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT || !size) {
            *rest = dest + size;
            return fd < 0 ? error_errno(err, "%s", dest) : fd;
        }
        while (size && path[size - 1] == '/')
            path[--size] = '\0';
        while (size && path[size - 1] != '/')
            path[--size] = '\0';
    }
}

/* *ret: `name` is a directory in `dest` or `dest` itself. One that isn't there isn't. */
static int holds(int dest, const char *name, bool *ret, struct error **err)
{
    *ret = false;
    AUTO(close) int fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? 0 : is_within(fd, dest, ret, err);
}

static int ask(const char *why, struct error **err)
{
    error_set_(err, ERR_USAGE, "mode=delete deletes all else there, and %s", why);
    error_hint(err, "if that is what you want: --allow buildx.local.delete");
    return -1;
}

/* What is never emptied: NULL where there is nothing against it. */
static int find_forbidden(int fd, int store, const char **ret, struct error **err)
{
    bool holds_root, holds_store = false, is_in_store = false;
    if (holds(fd, "/", &holds_root, err) < 0 ||
        (store >= 0 && (is_within(store, fd, &holds_store, err) < 0 ||
                        is_within(fd, store, &is_in_store, err) < 0)))
        return -1;
    *ret = holds_root    ? "it holds the whole file system"
           : holds_store ? "it holds cbuild's store"
           : is_in_store ? "it is in cbuild's store"
                         : NULL;
    return 0;
}

/* What only --allow empties. */
static int find_doubtful(int fd, const char *context, const char **ret, struct error **err)
{
    bool holds_home = false, holds_context = false, is_below = false, is_own = false;
    const char *home = getenv("HOME");
    AUTO(close) int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (here < 0)
        return error_errno(err, "opening the working directory");
    if ((home && *home && holds(fd, home, &holds_home, err) < 0) ||
        (context && holds(fd, context, &holds_context, err) < 0) ||
        is_within(fd, here, &is_below, err) < 0 || is_within(here, fd, &is_own, err) < 0)
        return -1;
    *ret = holds_home      ? "it holds your home directory"
           : is_own        ? "it holds the working directory"
           : !is_below     ? "it isn't below the working directory"
           : holds_context ? "it holds the build context"
                           : NULL;
    return 0;
}

int output_delete_check_open(const struct output_delete *wish, int fd, int store,
                             struct error **err)
{
    const char *forbidden = NULL, *doubtful = NULL;
    if (find_forbidden(fd, store, &forbidden, err) < 0)
        return -1;
    if (forbidden)
        return error_set(err, ERR_USAGE, "mode=delete: %s", forbidden);
    if (wish->is_allowed)
        return 0;
    if (find_doubtful(fd, wish->context, &doubtful, err) < 0)
        return -1;
    return doubtful ? ask(doubtful, err) : 0;
}

int output_delete_check(const struct output_delete *wish, struct error **err)
{
    const char *rest = NULL;
    AUTO(close) int fd = open_nearest(wish->dest, &rest, err);
    if (fd < 0)
        return -1;
    if (!*rest)
        return output_delete_check_open(wish, fd, -1, err);
    /* nothing is there yet that could be deleted; where it will be has to be plain nevertheless */
    bool is_below;
    AUTO(close) int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (here < 0)
        return error_errno(err, "opening the working directory");
    if (is_within(fd, here, &is_below, err) < 0)
        return -1;
    if (!wish->is_allowed && (!is_below || has_dots(rest)))
        return ask("it isn't below the working directory", err);
    return 0;
}
