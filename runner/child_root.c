/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/child_root.h"

#include "runner/devices.h"
#include "runner/mounts.h"
#include "runner/stubs.h"
#include "runner/syscalls.h"

#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_SIZE 32 /* of what we put in scratch */

const struct root_target root_targets[N_ROOT_TARGETS] = {
    { "/proc", true, LOOKUP_NO_LINK }, /* a link here would lead the masks astray */
    { "/sys", true, LOOKUP_NO_LINK },  { "/dev", true, LOOKUP_NO_LINK },
    { "/etc/hosts", false, 0 },        { "/etc/resolv.conf", false, 0 },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static enum bind_flags bind_flags_of(const struct child *child, const struct mount_spec *spec)
{
    return (spec->read_only ? BIND_READ_ONLY : 0) |
           (child->plan->spec->insecure || spec->devices ? BIND_DEVICES : 0);
}

/* -- before the mount namespace of our own -- */

/* The part of a source that the spec wants; from_fd is closed. */
static int open_part(struct child *child, int from_fd, const struct mount_spec *spec, bool *is_dir)
{
    struct report *report = &child->report;
    struct lookup part = LOOKUP_INIT;
    struct stat st;
    int fd = from_fd;
    if (spec->subpath) {
        int done = lookup_in_root(from_fd, spec->subpath, 0, &part, report);
        (void)close(from_fd);
        if (done < 0)
            return -1;
        fd = part.fd;
        part.fd = -1;
        lookup_close(&part);
        errno = ENOENT;
    }
    if (fd < 0 || fstat(fd, &st) < 0) {
        (void)report_errno(report, "mount source", spec->subpath ? spec->subpath : spec->source);
        close_fd(&fd);
        return -1;
    }
    *is_dir = S_ISDIR(st.st_mode);
    return fd;
}

static int open_bind(struct child *child, struct child_mount *mount)
{
    const struct mount_spec *spec = mount->spec;
    struct report *report = &child->report;
    int fd = open(spec->source, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return report_errno(report, "mount source", spec->source);
    fd = open_part(child, fd, spec, &mount->is_dir);
    if (fd < 0)
        return -1;
    mount->fd = fd;
    if (child->plan->no_open_tree)
        return 0;
    int tree_fd = -1;
    int done = mounts_detach(fd, bind_flags_of(child, spec), &tree_fd, report);
    if (done != 0)
        return done < 0 ? -1 : 0;
    (void)close(fd);
    mount->fd = tree_fd;
    mount->detached = true;
    return 0;
}

static const char *tree_name(const char *prefix, const struct child_mount *mount,
                             char name[NAME_SIZE])
{
    char number[TEXT_NUMBER_SIZE];
    size_t used = 0;
    (void)(text_append(name, NAME_SIZE, &used, prefix) && /* fits */
           text_append(name, NAME_SIZE, &used, text_number(number, mount->overlay.id)));
    return name;
}

/* Its kind must be known before the root is made: a mount point of the same kind may have to be. */
static int open_tree_mount(struct child *child, struct child_mount *mount)
{
    struct report *report = &child->report;
    char work[NAME_SIZE];
    if (fchdir(child->scratch_fd) < 0)
        return report_errno(report, "entering the scratch directory", NULL);
    int done = overlay_open(&mount->overlay, NULL, tree_name("tree-work.", mount, work),
                            &mount->tree_fd, report);
    if (done != 0)
        return done < 0 ? -1 : 0;
    int root_fd = openat(mount->tree_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int part_fd = root_fd < 0 ? -1 : open_part(child, root_fd, mount->spec, &mount->is_dir);
    if (part_fd < 0)
        return root_fd < 0 ? report_errno(report, "opening the mounted layers", NULL) : -1;
    (void)close(part_fd);
    return 0;
}

int child_open_mounts(struct child *child)
{
    struct child_plan *plan = child->plan;
    if (plan->root_mount.spec && open_bind(child, &plan->root_mount) < 0)
        return -1;
    for (size_t i = 0; i < plan->spec->n_mounts; i++) {
        struct child_mount *mount = &plan->mounts[i];
        mount->is_dir = mount->spec->kind == MOUNT_TREE || mount->spec->kind == MOUNT_TMPFS;
        if (mount->spec->kind == MOUNT_BIND && open_bind(child, mount) < 0)
            return -1;
        if (mount->spec->kind == MOUNT_TREE && open_tree_mount(child, mount) < 0)
            return -1;
    }
    return 0;
}

/* -- the root: layers, and stubs for what they lack -- */

/* Mounting the root. */
struct rounds {
    bool attached; /* by mount(2), in a mount namespace of our own */
    bool on_disk;  /* stubs lie in scratch, not on the tmpfs */
    int look_fd;   /* the layers, to look at */
};

/* A tmpfs that is attached nowhere yet; -1: this kernel, or this user here, can't. */
static int new_files_fs(bool noswap)
{
    int fs_fd = sys_fsopen("tmpfs"), fd = -1;
    if (fs_fd < 0)
        return -1;
    if (sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, "mode", "0755") == 0 &&
        (!noswap || sys_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "noswap", NULL) == 0) &&
        sys_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL) == 0)
        fd = sys_fsmount(fs_fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    (void)close(fs_fd);
    return fd;
}

/* Where the stubs go: the tmpfs of our own when the kernel takes it as a layer, else scratch. */
static int open_stubs(const struct child *child, bool on_disk)
{
    const int dir_fd = on_disk ? child->scratch_fd : child->files_fd;
    if (mkdirat(dir_fd, SCRATCH_STUBS, 0755) < 0 && errno != EEXIST)
        return -1;
    return openat(dir_fd, SCRATCH_STUBS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int add_stub(struct child *child, const struct rounds *rounds,
                    const struct root_target *target)
{
    struct report *report = &child->report;
    struct lookup at = LOOKUP_INIT;
    int done = lookup_in_root(rounds->look_fd, target->path, target->flags, &at, report);
    bool missing = at.fd < 0;
    if (done == 0 && missing) {
        int stubs_fd = open_stubs(child, rounds->on_disk);
        done = stubs_fd < 0 ? report_errno(report, "making a directory for mount points", NULL)
                            : stubs_add(stubs_fd, rounds->look_fd, &at, target->dir,
                                        rounds->on_disk ? 0 : STUBS_ALL_XATTRS, report);
        close_fd(&stubs_fd);
    } else if (done == 0 && at.is_dir != target->dir) {
        done = report_text(report,
                           at.is_dir ? "mount point is a directory in the image:"
                                     : "mount point is a file in the image:",
                           target->path);
    }
    lookup_close(&at);
    return done < 0 ? -1 : missing;
}

bool root_is_nested(const struct sandbox_spec *spec, size_t index)
{
    const char *path = spec->mounts[index].target;
    if (!strncmp(path, "/dev/", 5))
        return true;
    for (size_t i = 0; i < index; i++) {
        size_t size = strlen(spec->mounts[i].target);
        if (!strncmp(path, spec->mounts[i].target, size) && path[size] == '/')
            return true;
    }
    return false;
}

/* Number of targets that the mounted layers lack; each has a stub now. */
static int add_stubs(struct child *child, const struct rounds *rounds)
{
    const struct child_plan *plan = child->plan;
    int n = 0;
    for (size_t i = 0; i < N_ROOT_TARGETS; i++) {
        int missing = add_stub(child, rounds, &root_targets[i]);
        if (missing < 0)
            return -1;
        n += missing;
    }
    for (size_t i = 0; i < plan->spec->n_mounts; i++) {
        if (root_is_nested(plan->spec, i))
            continue;
        const struct root_target target = { plan->spec->mounts[i].target, plan->mounts[i].is_dir,
                                            0 };
        int missing = add_stub(child, rounds, &target);
        if (missing < 0)
            return -1;
        n += missing;
    }
    return n;
}

/* 1: overlay_open() can't here. `top` and `work` as overlay.h has them. */
static int mount_once(struct child *child, bool attached, const char *top, const char *work,
                      int *fd)
{
    struct overlay_plan *plan = &child->plan->root;
    struct report *report = &child->report;
    if (fchdir(child->scratch_fd) < 0)
        return report_errno(report, "entering the scratch directory", NULL);
    plan->is_look = !work;
    return attached ? overlay_mount(plan, SCRATCH_POINT, top, work, fd, report)
                    : overlay_open(plan, top, work, fd, report);
}

static bool has_trees(const struct child *child)
{
    for (size_t i = 0; i < child->plan->spec->n_mounts; i++)
        if (child->plan->mounts[i].spec->kind == MOUNT_TREE)
            return true;
    return false;
}

static int mount_with_stubs(struct child *child, const struct rounds *rounds)
{
    char top[NAME_SIZE + sizeof(SCRATCH_STUBS)] = "/proc/self/fd/", number[TEXT_NUMBER_SIZE];
    const int missing = add_stubs(child, rounds);
    if (missing < 0)
        return -1;
    size_t used = strlen(top);
    (void)(text_append(top, sizeof(top), &used, text_number(number, (unsigned)child->files_fd)) &&
           text_append(top, sizeof(top), &used, "/" SCRATCH_STUBS)); /* fits */
    const char *stubs = rounds->on_disk ? SCRATCH_STUBS : top;
    /* scratch itself where nothing else is put there; a mount that failed may leave things */
    const char *work = rounds->on_disk ? "work" : has_trees(child) ? "tree-work.0" : ".";
    return mount_once(child, rounds->attached, missing ? stubs : NULL, work, &child->root_fd);
}

/*
 * First a look at the layers, read-only, which makes nothing on disk: what do they lack? Then the
 * mount that is written to. 1: overlay_open() can't here.
 */
static int mount_rounds(struct child *child, bool attached)
{
    struct rounds rounds = { .attached = attached, .look_fd = -1 };
    int done = mount_once(child, attached, NULL, NULL, &rounds.look_fd);
    if (done != 0)
        return done;
    /* an older kernel takes no layer from a mount that is attached nowhere, and a tmpfs may be
     * unable to hold an attribute: on disk then */
    rounds.on_disk = attached || child->files_fd < 0;
    done = mount_with_stubs(child, &rounds);
    if (done < 0 && !rounds.on_disk) {
        child->report = (struct report){ .error = 0 };
        rounds.on_disk = true;
        done = mount_with_stubs(child, &rounds);
    }
    if (attached)
        close_fd(&rounds.look_fd);
    else
        child->look_fd = rounds.look_fd;
    return done;
}

int child_open_root(struct child *child)
{
    if (child->plan->root_mount.spec)
        return 0;
    child->files_fd = child->plan->root.can_add_lowers ? new_files_fs(true) : -1;
    if (child->files_fd < 0 && child->plan->root.can_add_lowers)
        child->files_fd = new_files_fs(false); /* before 6.4, which brought noswap */
    if (mount_rounds(child, false) < 0)
        return -1;
    if (child->root_fd < 0)
        close_fd(&child->files_fd); /* it can't be attached either */
    return 0;
}

/* -- in the mount namespace of our own -- */

int child_own_mounts(struct child *child)
{
    struct report *report = &child->report;
    if (fchdir(child->scratch_fd) < 0 || unshare(CLONE_NEWNS) < 0)
        return report_errno(report, "making a mount namespace", NULL);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return report_errno(report, "making mounts private", NULL);
    child->scratch_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the same, as seen here */
    if (child->scratch_fd < 0)
        return report_errno(report, "opening the scratch directory", NULL);
    return 0;
}

static int attach_on(struct child *child, int mount_fd, int dir_fd, const char *point)
{
    int point_fd = openat(dir_fd, point, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int done = point_fd < 0 ? -1 : sys_move_mount(mount_fd, point_fd);
    if (done < 0)
        (void)report_errno(&child->report, "attaching a mount", NULL);
    close_fd(&point_fd);
    return done;
}

/*
 * The layers of a listed mount, on a point of their own: a copy of a mount on SCRATCH_POINT would
 * hold what was mounted over it later.
 */
static int attach_tree(struct child *child, struct child_mount *mount)
{
    struct report *report = &child->report;
    char work[NAME_SIZE], point[NAME_SIZE];
    int fd = -1;
    (void)tree_name("tree.", mount, point);
    if (fchdir(child->scratch_fd) < 0 || mkdir(point, 0700) < 0)
        return report_errno(report, "making a mount point", point);
    if (mount->tree_fd < 0) {
        if (overlay_mount(&mount->overlay, point, NULL, tree_name("tree-work.", mount, work), &fd,
                          report) < 0)
            return -1;
    } else {
        if (attach_on(child, mount->tree_fd, child->scratch_fd, point) < 0)
            return -1;
        fd = openat(child->scratch_fd, point, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return report_errno(report, "opening the mounted layers", NULL);
    }
    mount->fd = open_part(child, fd, mount->spec, &mount->is_dir);
    return mount->fd < 0 ? -1 : 0;
}

/* Where a mount couldn't be copied: the same place in this namespace, by its name, if it is still
 * there. */
static int reopen_bind(struct child *child, struct child_mount *mount)
{
    char link[64] = "/proc/self/fd/", path[PATH_MAX], number[TEXT_NUMBER_SIZE];
    struct stat before, now;
    size_t used = strlen(link);
    (void)text_append(link, sizeof(link), &used,
                      text_number(number, (unsigned)mount->fd)); /* fits */
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    if (size < 0)
        return report_errno(&child->report, "mount source for", mount->spec->target);
    path[size] = '\0';
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(mount->fd, &before) < 0 || fstat(fd, &now) < 0 ||
        before.st_dev != now.st_dev || before.st_ino != now.st_ino) {
        close_fd(&fd);
        errno = ESTALE;
        return report_errno(&child->report, "mount source for", mount->spec->target);
    }
    (void)close(mount->fd);
    mount->fd = fd;
    return 0;
}

static int write_file(struct child *child, const char *name, const void *content, uint64_t size)
{
    int fd = openat(child->files_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return report_errno(&child->report, "making file", name);
    for (const char *at = content; size;) {
        ssize_t n = write(fd, at, size);
        if (n < 0) {
            (void)report_errno(&child->report, "writing file", name);
            (void)close(fd);
            return -1;
        }
        at += n;
        size -= (uint64_t)n;
    }
    return fd;
}

/* Files live on a tmpfs, never on disk: not even in swap where the kernel (6.4) can promise that.
 */
static int make_files_fs(struct child *child)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV;
    if (child->files_fd >= 0)
        return attach_on(child, child->files_fd, child->scratch_fd, ".");
    if (mkdirat(child->scratch_fd, SCRATCH_POINT, 0700) < 0 && errno != EEXIST)
        return report_errno(&child->report, "making a mount point", NULL);
    if (mount("tmpfs", SCRATCH_POINT, "tmpfs", flags, "mode=0755,noswap") < 0 &&
        mount("tmpfs", SCRATCH_POINT, "tmpfs", flags, "mode=0755") < 0)
        return report_errno(&child->report, "mounting a tmpfs", NULL);
    child->files_fd = openat(child->scratch_fd, SCRATCH_POINT, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return child->files_fd < 0 ? report_errno(&child->report, "opening a tmpfs", NULL) : 0;
}

static int make_file(struct child *child, struct child_mount *mount, size_t index)
{
    const struct mount_spec *spec = mount->spec;
    char name[TEXT_NUMBER_SIZE];
    int fd = write_file(child, text_number(name, index), spec->content, spec->size);
    if (fd < 0)
        return -1;
    bool is_owned = child->plan->single_id || fchown(fd, spec->uid, spec->gid) == 0;
    int done = !is_owned || fchmod(fd, spec->mode & 07777) < 0 ? -1 : 0;
    if (done < 0)
        (void)report_errno(&child->report, "owner and mode of", spec->target);
    (void)close(fd);
    mount->fd = openat(child->files_fd, name, O_PATH | O_CLOEXEC);
    return done;
}

static int prepare_mount(struct child *child, size_t index)
{
    struct child_mount *mount = &child->plan->mounts[index];
    switch (mount->spec->kind) {
    case MOUNT_BIND:
        return mount->detached ? 0 : reopen_bind(child, mount);
    case MOUNT_TREE:
        return attach_tree(child, mount);
    case MOUNT_FILE:
        return make_file(child, mount, index);
    case MOUNT_TMPFS:
        return 0;
    }
    return 0;
}

/* A whole tree takes the place of layers; who made it made the mount points, too. */
static int attach_directory(struct child *child, struct child_mount *mount)
{
    struct report *report = &child->report;
    struct lookup at = LOOKUP_INIT;
    int done = lookup_in_root(child->scratch_fd, SCRATCH_POINT, LOOKUP_NO_LINK, &at, report);
    if (done == 0)
        done = mount->detached ? mounts_attach(mount->fd, &at, report)
                               : mounts_bind(mount->fd, &at, bind_flags_of(child, mount->spec),
                                             child->plan->no_open_tree, report);
    lookup_close(&at);
    if (done < 0)
        return -1;
    child->root_fd = openat(child->scratch_fd, SCRATCH_POINT, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return child->root_fd < 0 ? report_errno(report, "opening the tree", NULL) : 0;
}

int child_attach_root(struct child *child)
{
    struct child_mount *root = &child->plan->root_mount;
    if (fchdir(child->scratch_fd) < 0)
        return report_errno(&child->report, "entering the scratch directory", NULL);
    if (make_files_fs(child) < 0)
        return -1;
    if (root->spec && !root->detached && reopen_bind(child, root) < 0)
        return -1;
    for (size_t i = 0; i < child->plan->spec->n_mounts; i++)
        if (prepare_mount(child, i) < 0)
            return -1;
    if (root->spec)
        return attach_directory(child, root);
    if (child->root_fd >= 0) {
        if (mkdirat(child->files_fd, SCRATCH_POINT, 0700) < 0 && errno != EEXIST)
            return report_errno(&child->report, "making a mount point", NULL);
        /* it goes with the old root, at no cost of its own */
        if (attach_on(child, child->look_fd, child->files_fd, SCRATCH_POINT) < 0)
            return -1;
        return attach_on(child, child->root_fd, child->files_fd, SCRATCH_POINT);
    }
    return mount_rounds(child, true);
}

/* -- on the root -- */

static int bind_file(struct child *child, const char *name, const struct strbuf *content,
                     const struct root_target *target)
{
    struct lookup at = LOOKUP_INIT;
    int fd = write_file(child, name, content->data, content->size);
    if (fd < 0)
        return -1;
    int done = lookup_in_root(child->root_fd, target->path, target->flags, &at, &child->report);
    if (done == 0)
        done = mounts_bind(fd, &at, BIND_READ_ONLY, child->plan->no_open_tree, &child->report);
    lookup_close(&at);
    close_fd(&fd);
    return done;
}

static int mount_usual_fs(struct child *child, size_t which)
{
    const struct child_plan *plan = child->plan;
    const bool insecure = plan->spec->insecure;
    struct report *report = &child->report;
    struct lookup at = LOOKUP_INIT;
    int done = lookup_in_root(child->root_fd, root_targets[which].path, root_targets[which].flags,
                              &at, report);
    if (done == 0 && which == ROOT_PROC)
        done = mounts_proc(&at, !insecure, &child->has_host_proc, report);
    if (done == 0 && which == ROOT_SYS)
        done = mounts_sys(&at, !insecure, report);
    if (done == 0 && which == ROOT_DEV) {
        const struct devices_spec devices = { plan->shm_options, child->files_fd, insecure,
                                              plan->no_open_tree };
        done = devices_mount(&devices, &at, report);
    }
    lookup_close(&at);
    return done;
}

int child_mount_usual(struct child *child)
{
    const struct child_plan *plan = child->plan;
    for (size_t which = ROOT_PROC; which <= ROOT_DEV; which++)
        if (mount_usual_fs(child, which) < 0)
            return -1;
    if (bind_file(child, "hosts", &plan->hosts, &root_targets[ROOT_HOSTS]) < 0)
        return -1;
    return bind_file(child, "resolv.conf", &plan->resolv, &root_targets[ROOT_RESOLV]);
}

/* /proc and /sys are masked: nothing goes over them, whatever links the image has. */
static int check_target(struct child *child, const struct lookup *at)
{
    static const char *const closed[] = { "proc", "sys" };
    for (size_t i = 0; i < COUNT(closed); i++) {
        size_t size = strlen(closed[i]);
        if (!strncmp(at->path, closed[i], size) && (!at->path[size] || at->path[size] == '/'))
            return report_text(&child->report, "mounts can't go to /proc or /sys:", at->path);
    }
    if (!at->path[0] || !strcmp(at->path, "dev"))
        return report_text(&child->report, "mounts can't go to / or /dev", NULL);
    return 0;
}

static int mount_listed(struct child *child, struct child_mount *mount)
{
    const struct mount_spec *spec = mount->spec;
    struct report *report = &child->report;
    struct lookup at = LOOKUP_INIT;
    int done = lookup_in_root(child->root_fd, spec->target, 0, &at, report);
    if (done == 0)
        done = check_target(child, &at);
    if (done == 0 && at.fd < 0)
        done = lookup_create(&at, mount->is_dir, report);
    if (done == 0) {
        if (spec->kind == MOUNT_TMPFS)
            done =
                mounts_new(&at, "tmpfs", MS_NOSUID | MS_NODEV | (spec->read_only ? MS_RDONLY : 0),
                           mount->options, report);
        else if (mount->detached)
            done = mounts_attach(mount->fd, &at, report);
        else
            done = mounts_bind(mount->fd, &at, bind_flags_of(child, spec),
                               child->plan->no_open_tree, report);
    }
    lookup_close(&at);
    return done;
}

int child_mount_listed(struct child *child)
{
    for (size_t i = 0; i < child->plan->spec->n_mounts; i++)
        if (mount_listed(child, &child->plan->mounts[i]) < 0)
            return -1;
    return 0;
}

int child_turn_root(struct child *child)
{
    struct report *report = &child->report;
    if (fchdir(child->root_fd) < 0 || sys_pivot_root(".", ".") < 0)
        return report_errno(report, "changing to the new root", NULL);
    /* the old root is now stacked on the new one, and "." is the old one */
    if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return report_errno(report, "leaving the host's file system", NULL);
    return 0;
}
