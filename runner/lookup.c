/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 40 /* the kernel's own limit */

struct walk {
    int root_fd;
    struct lookup *at;
    char rest[PATH_MAX]; /* what is still to be walked */
    int links;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void lookup_close(struct lookup *lookup)
{
    close_fd(&lookup->fd);
    close_fd(&lookup->parent_fd);
}

const char *lookup_name(const struct lookup *lookup)
{
    const char *slash = strrchr(lookup->path, '/');
    return slash ? slash + 1 : lookup->path;
}

/* Takes the first component of rest into name: 1, or 0 at the end, or -1 with errno. */
static int next_component(char *rest, char name[NAME_MAX + 1])
{
    size_t start = strspn(rest, "/");
    size_t size = strcspn(rest + start, "/");
    if (size > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, rest + start, size);
    name[size] = '\0';
    memmove(rest, rest + start + size, strlen(rest + start + size) + 1);
    return size > 0;
}

static bool is_last(const char *rest)
{
    return rest[strspn(rest, "/")] == '\0';
}

static int push(char path[PATH_MAX], const char *name)
{
    size_t used = strlen(path);
    size_t size = strlen(name);
    if (used + size + 2 > PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (used)
        path[used++] = '/';
    memcpy(path + used, name, size + 1);
    return 0;
}

static void pop(char path[PATH_MAX])
{
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    else
        path[0] = '\0';
}

static int open_component(int dir_fd, const char *name)
{
    return openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* Opens a path without links component by component, so that a link put there meanwhile is not
 * followed. */
static int open_plain(int root_fd, const char *path)
{
    char rest[PATH_MAX], name[NAME_MAX + 1];
    size_t size = strlen(path);
    memcpy(rest, path, size + 1);
    int fd = openat(root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int more;
    while (fd >= 0 && (more = next_component(rest, name)) > 0) {
        int next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int saved = errno;
        (void)close(fd);
        errno = saved;
        fd = next;
    }
    return fd;
}

/* Puts the link's text in front of what is left. */
static int follow(struct walk *walk, int link_fd)
{
    char text[PATH_MAX];
    if (++walk->links > MAX_LINKS) {
        errno = ELOOP;
        return -1;
    }
    ssize_t size = readlinkat(link_fd, "", text, sizeof(text));
    if (size < 0)
        return -1;
    size_t rest = strlen(walk->rest);
    if ((size_t)size + rest + 2 > PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memmove(walk->rest + size + 1, walk->rest, rest + 1);
    memcpy(walk->rest, text, (size_t)size);
    walk->rest[size] = '/';
    if (text[0] != '/')
        return 0;
    walk->at->path[0] = '\0';
    int fd = open_plain(walk->root_fd, "");
    if (fd < 0)
        return -1;
    close_fd(&walk->at->parent_fd);
    close_fd(&walk->at->fd);
    walk->at->fd = fd;
    walk->at->is_dir = true;
    return 0;
}

static int go_up(struct walk *walk)
{
    pop(walk->at->path);
    int fd = open_plain(walk->root_fd, walk->at->path);
    if (fd < 0)
        return -1;
    close_fd(&walk->at->parent_fd);
    close_fd(&walk->at->fd);
    walk->at->fd = fd;
    return 0;
}

/* The rest is missing: keeps it as text, in the sense of "mkdir -p". */
static int keep_missing(struct walk *walk, char name[NAME_MAX + 1])
{
    struct lookup *at = walk->at;
    at->existing = strlen(at->path);
    close_fd(&at->parent_fd);
    at->parent_fd = at->fd;
    at->fd = -1;
    at->is_dir = false;
    int more = 1;
    do {
        if (!strcmp(name, "..")) {
            if (strlen(at->path) <= at->existing) {
                errno = ENOENT;
                return -1;
            }
            pop(at->path);
        } else if (strcmp(name, ".") != 0 && push(at->path, name) < 0) {
            return -1;
        }
    } while ((more = next_component(walk->rest, name)) > 0);
    return more;
}

static int enter(struct walk *walk, int fd, const struct stat *st, const char *name)
{
    struct lookup *at = walk->at;
    if (push(at->path, name) < 0)
        return -1;
    close_fd(&at->parent_fd);
    at->parent_fd = at->fd;
    at->fd = fd;
    at->is_dir = S_ISDIR(st->st_mode);
    return 0;
}

/* One component: 1 go on, 0 the rest is missing, -1 errno. */
static int walk_step(struct walk *walk, char name[NAME_MAX + 1], enum lookup_flags flags)
{
    struct lookup *at = walk->at;
    if (!strcmp(name, "."))
        return 1;
    if (!at->is_dir) {
        errno = ENOTDIR;
        return -1;
    }
    if (!strcmp(name, ".."))
        return go_up(walk) < 0 ? -1 : 1;
    int fd = open_component(at->fd, name);
    if (fd < 0 && errno == ENOENT)
        return keep_missing(walk, name);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        close_fd(&fd);
        return -1;
    }
    int done;
    if (!S_ISLNK(st.st_mode)) {
        done = enter(walk, fd, &st, name);
        if (done < 0)
            close_fd(&fd);
        return done < 0 ? -1 : 1;
    }
    if ((flags & LOOKUP_NO_LINK) && is_last(walk->rest)) {
        errno = ELOOP;
        done = -1;
    } else {
        done = follow(walk, fd);
    }
    int saved = errno;
    close_fd(&fd);
    errno = saved;
    return done < 0 ? -1 : 1;
}

/* The walk loses sight of the parent where it went up. */
static int find_parent(int root_fd, struct lookup *at)
{
    at->existing = strlen(at->path);
    if (at->parent_fd >= 0 || !at->existing)
        return 0;
    char parent[PATH_MAX];
    memcpy(parent, at->path, at->existing + 1);
    pop(parent);
    at->parent_fd = open_plain(root_fd, parent);
    return at->parent_fd < 0 ? -1 : 0;
}

int lookup_in_root(int root_fd, const char *path, enum lookup_flags flags, struct lookup *ret,
                   struct report *report)
{
    struct walk walk = { .root_fd = root_fd, .at = ret };
    char name[NAME_MAX + 1];
    size_t size = strlen(path);
    if (size >= sizeof(walk.rest)) {
        errno = ENAMETOOLONG;
        return report_errno(report, "path", path);
    }
    memcpy(walk.rest, path, size + 1);
    lookup_close(ret);
    ret->path[0] = '\0';
    ret->fd = open_plain(root_fd, "");
    ret->is_dir = true;
    int more = ret->fd < 0 ? -1 : 1;
    while (more > 0 && (more = next_component(walk.rest, name)) > 0)
        more = walk_step(&walk, name, flags);
    if (more == 0 && ret->fd >= 0)
        more = find_parent(root_fd, ret);
    if (more < 0) {
        (void)report_errno(report, "path", path);
        lookup_close(ret);
    }
    return more;
}

int lookup_create(struct lookup *lookup, bool dir, struct report *report)
{
    char rest[PATH_MAX], name[NAME_MAX + 1];
    size_t size = strlen(lookup->path + lookup->existing);
    memcpy(rest, lookup->path + lookup->existing, size + 1);
    int more = 1;
    while ((more = next_component(rest, name)) > 0) {
        bool last = is_last(rest);
        int fd = -1;
        if (dir || !last) {
            if (mkdirat(lookup->parent_fd, name, 0755) < 0 && errno != EEXIST)
                return report_errno(report, "making", lookup->path);
        } else {
            fd = openat(lookup->parent_fd, name,
                        O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
            if (fd < 0 && errno != EEXIST)
                return report_errno(report, "making", lookup->path);
            close_fd(&fd);
        }
        fd = openat(lookup->parent_fd, name,
                    O_PATH | O_NOFOLLOW | O_CLOEXEC | (dir || !last ? O_DIRECTORY : 0));
        if (fd < 0)
            return report_errno(report, "opening", lookup->path);
        if (last) {
            lookup->fd = fd;
            lookup->is_dir = dir;
        } else {
            close_fd(&lookup->parent_fd);
            lookup->parent_fd = fd;
        }
    }
    lookup->existing = strlen(lookup->path);
    return more < 0 ? report_errno(report, "making", lookup->path) : 0;
}
