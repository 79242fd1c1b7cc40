/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/devices.h"

#include "runner/mounts.h"
#include "runner/syscalls.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const struct {
    const char *name, *host;
    unsigned major, minor;
} nodes[] = {
    { "null", "/dev/null", 1, 3 },       { "zero", "/dev/zero", 1, 5 },
    { "full", "/dev/full", 1, 7 },       { "random", "/dev/random", 1, 8 },
    { "urandom", "/dev/urandom", 1, 9 }, { "tty", "/dev/tty", 5, 0 },
};

static const struct {
    const char *name, *target;
} links[] = {
    { "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" },
    { "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
    { "ptmx", "pts/ptmx" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

size_t devices_count(void)
{
    return COUNT(nodes);
}

dev_t devices_node(size_t index, const char **name)
{
    *name = nodes[index].name;
    return makedev(nodes[index].major, nodes[index].minor);
}

/* The host's node, if it is what it says: whoever made the host's /dev may have put anything there.
 */
static int open_node(const char *path, unsigned major_number, unsigned minor_number)
{
    struct stat st;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
        st.st_rdev == makedev(major_number, minor_number))
        return fd;
    (void)close(fd);
    errno = ENODEV;
    return -1;
}

/*
 * A mount point in a file system of ours that nobody else has seen yet: it is as it was made, and
 * there are no links on the way. `ret` borrows the directory; close its fd.
 */
static int make_point(const struct lookup *dir, const char *name, mode_t type, struct lookup *ret,
                      struct report *report)
{
    int made =
        type == S_IFDIR ? mkdirat(dir->fd, name, 0755) : mknodat(dir->fd, name, S_IFREG | 0644, 0);
    if (made < 0 && errno != EEXIST)
        return report_errno(report, "making /dev", name);
    ret->parent_fd = dir->fd;
    ret->path[0] = '\0';
    size_t used = 0;
    (void)text_append(ret->path, sizeof(ret->path), &used, name); /* a name of ours: it fits */
    return 0;
}

static int bind_node(int source_fd, const struct lookup *dev, const char *name,
                     enum bind_flags flags, bool by_path, struct report *report)
{
    struct lookup point = LOOKUP_INIT;
    if (make_point(dev, name, S_IFREG, &point, report) < 0)
        return -1;
    point.fd = openat(dev->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (point.fd < 0)
        return report_errno(report, "opening /dev", name);
    int done = mounts_bind(source_fd, &point, flags, by_path, report);
    (void)close(point.fd);
    return done;
}

static int add_node(const struct devices_spec *spec, const struct lookup *dev, size_t i, int own_fd,
                    struct report *report)
{
    enum bind_flags flags = BIND_DEVICES;
    int source_fd =
        own_fd < 0 ? -1 : openat(own_fd, nodes[i].name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (source_fd < 0) {
        flags |= BIND_READ_ONLY; /* which forbids no writing to it, but changing its attributes */
        source_fd = open_node(nodes[i].host, nodes[i].major, nodes[i].minor);
    }
    if (source_fd < 0)
        return report_errno(report, "device of the host", nodes[i].host);
    int done = bind_node(source_fd, dev, nodes[i].name, flags, spec->bind_by_path, report);
    (void)close(source_fd);
    return done;
}

static int add_directory(const struct lookup *dev, const char *name, const char *type,
                         unsigned long flags, const char *data, struct report *report)
{
    struct lookup point = LOOKUP_INIT;
    return make_point(dev, name, S_IFDIR, &point, report) < 0
               ? -1
               : mounts_new(&point, type, flags, data, report);
}

/* An instance of its own. gid 5 is tty everywhere; a user namespace may not map it. */
static int add_pts(const struct lookup *dev, struct report *report)
{
    const unsigned long flags = MS_NOSUID | MS_NOEXEC;
    struct report ignored;
    if (add_directory(dev, "pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=0620,gid=5",
                      &ignored) == 0)
        return 0;
    return add_directory(dev, "pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=0620",
                         report);
}

/* A kernel without POSIX message queues is no reason to stop. */
static int add_mqueue(const struct lookup *dev, struct report *report)
{
    if (add_directory(dev, "mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, report) < 0)
        return report->error == ENODEV ? 0 : -1;
    return 0;
}

/* Without the right to make nodes (a user namespace, some containers) there are fewer, or none. */
static void make_nodes(int dir_fd)
{
    for (size_t i = 0; i < COUNT(nodes); i++)
        if (mknodat(dir_fd, nodes[i].name, S_IFCHR, makedev(nodes[i].major, nodes[i].minor)) < 0 ||
            fchmodat(dir_fd, nodes[i].name, 0666, 0) < 0)
            return;
}

/*
 * Nodes of the sandbox's own, for its root may change mode, owner and times of what it sees. They
 * stand on a file system where nodes open, which is out of its sight. It isn't unmounted here: it
 * goes with the old root, and each unmounting waits for a grace period of the kernel.
 */
static int add_nodes(const struct devices_spec *spec, const struct lookup *dev,
                     struct report *report)
{
    struct lookup own = LOOKUP_INIT;
    int done = lookup_in_root(spec->aside_fd, "nodes", LOOKUP_NO_LINK, &own, report);
    if (done == 0)
        done = lookup_create(&own, true, report);
    if (done == 0)
        done = mounts_enter(&own, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k", report);
    if (done == 0)
        make_nodes(own.fd);
    for (size_t i = 0; done == 0 && i < COUNT(nodes); i++)
        done = add_node(spec, dev, i, own.fd, report);
    lookup_close(&own);
    return done;
}

int devices_mount(const struct devices_spec *spec, struct lookup *dev, struct report *report)
{
    if (mounts_enter(dev, "tmpfs", MS_NOSUID | (spec->insecure ? 0 : MS_NODEV), "mode=755,size=64m",
                     report) < 0)
        return -1;
    if (add_nodes(spec, dev, report) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(links); i++)
        if (symlinkat(links[i].target, dev->fd, links[i].name) < 0)
            return report_errno(report, "making /dev", links[i].name);
    if (add_pts(dev, report) < 0)
        return -1;
    if (add_directory(dev, "shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, spec->shm_options,
                      report) < 0)
        return -1;
    return add_mqueue(dev, report);
}
