/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/sandbox_places.h"

#include "base/fs.h"
#include "base/mem.h"
#include "runner/child_root.h"
#include "runner/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* -- mount points -- */

static int source_is_directory(const struct mount_spec *spec, bool *ret, struct error **err)
{
    struct report report = { 0 };
    struct lookup part = LOOKUP_INIT;
    AUTO(close) int fd = open(spec->source, O_PATH | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, "mount source %s", spec->source);
    *ret = S_ISDIR(st.st_mode);
    if (!spec->subpath)
        return 0;
    if (lookup_in_root(fd, spec->subpath, 0, &part, &report) < 0)
        return report_error(&report, err);
    bool there = part.fd >= 0;
    *ret = part.is_dir;
    lookup_close(&part);
    errno = ENOENT;
    return there ? 0 : error_errno(err, "mount source %s", spec->subpath);
}

static int add_points(struct places *places, const struct sandbox_spec *spec, struct error **err)
{
    for (size_t i = 0; i < N_ROOT_TARGETS; i++) {
        const struct root_target *target = &root_targets[i];
        if (places_add_point(places, target->path, target->dir, target->flags, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < spec->n_mounts; i++) {
        const struct mount_spec *mount = &spec->mounts[i];
        bool dir = mount->kind == MOUNT_TREE || mount->kind == MOUNT_TMPFS;
        if (mount->kind == MOUNT_BIND && source_is_directory(mount, &dir, err) < 0)
            return -1;
        if (!root_is_nested(spec, i) && places_add_point(places, mount->target, dir, 0, err) < 0)
            return -1;
    }
    return 0;
}

/* -- things -- */

/* Without the right to make them (a rootless container) there are none. */
static int add_devices(struct places *places, struct error **err)
{
    static const struct place_owner usual = { 0, 0, 0755 }, shared = { 0, 0, 01777 };
    if (places_add_directory(places, "/dev", &usual, err) < 0 ||
        places_add_directory(places, "/dev/shm", &shared, err) < 0)
        return -1;
    for (size_t i = 0; i < devices_count(); i++) {
        AUTO(error_free) struct error *refused = NULL;
        const char *name;
        dev_t device = devices_node(i, &name);
        AUTO(free) char *path = xasprintf("/dev/%s", name);
        if (places_add_device(places, path, device, &refused) == 0)
            continue;
        if (error_errno_value(refused) == EPERM)
            return 0;
        error_move(err, TAKE(refused));
        return -1;
    }
    return 0;
}

static int add_usual(struct places *places, const struct child_plan *plan, struct error **err)
{
    static const struct place_owner owner = { 0, 0, 0644 };
    for (size_t i = ROOT_PROC; i <= ROOT_SYS; i++)
        if (places_add_point(places, root_targets[i].path, true, LOOKUP_NO_LINK, err) < 0)
            return -1;
    if (add_devices(places, err) < 0)
        return -1;
    return places_add_file(places, root_targets[ROOT_HOSTS].path, plan->hosts.data,
                           plan->hosts.size, &owner, err) < 0
               ? -1
               : places_add_file(places, root_targets[ROOT_RESOLV].path, plan->resolv.data,
                                 plan->resolv.size, &owner, err);
}

static int refuse(const struct mount_spec *spec, const char *why, struct error **err)
{
    return error_set(err, ERR_UNSUPPORTED, "mount %s: %s without mounts (--isolation=chroot)",
                     spec->target, why);
}

/* The directory that holds the source is the root in which it is looked up. */
static int add_moved(struct places *places, const struct mount_spec *spec, struct error **err)
{
    const char *slash = strrchr(spec->source, '/');
    AUTO(free)
    char *dir = spec->subpath ? xstrdup(spec->source)
                              : xstrndup(spec->source, (size_t)(slash - spec->source));
    AUTO(close) int fd = fs_open(AT_FDCWD, *dir ? dir : "/", O_PATH | O_DIRECTORY, 0, err);
    if (fd < 0)
        return -1;
    return places_add_moved(places, spec->target, fd, spec->subpath ? spec->subpath : slash + 1,
                            err);
}

static int add_listed(struct places *places, const struct child_plan *plan,
                      const struct mount_spec *spec, struct error **err)
{
    const struct place_owner owner = { plan->single_id ? 0 : spec->uid,
                                       plan->single_id ? 0 : spec->gid, spec->mode & 07777 };
    switch (spec->kind) {
    case MOUNT_BIND:
        return spec->may_move ? add_moved(places, spec, err)
                              : refuse(spec, "files of this machine can't be had", err);
    case MOUNT_TREE:
        return refuse(spec, "layers can't be had", err);
    case MOUNT_TMPFS:
        return spec->size ? refuse(spec, "a tmpfs with a size can't be had", err)
                          : places_add_directory(places, spec->target, &owner, err);
    case MOUNT_FILE:
        return spec->is_secret ? refuse(spec, "a secret would be written to disk", err)
                               : places_add_file(places, spec->target, spec->content,
                                                 (size_t)spec->size, &owner, err);
    }
    return 0;
}

static int add_things(struct places *places, const struct child_plan *plan, struct error **err)
{
    if (add_usual(places, plan, err) < 0)
        return -1;
    for (size_t i = 0; i < plan->spec->n_mounts; i++)
        if (add_listed(places, plan, &plan->spec->mounts[i], err) < 0)
            return -1;
    return 0;
}

struct places *sandbox_places_new(const struct child_plan *plan, struct error **err)
{
    const struct sandbox_spec *spec = plan->spec;
    AUTO(close)
    int root_fd = fs_open(AT_FDCWD, spec->root.directory, O_PATH | O_DIRECTORY, 0, err);
    if (root_fd < 0)
        return NULL;
    AUTO(places_free) struct places *places = places_new(root_fd, plan->scratch_fd, err);
    int done = !places                               ? -1
               : spec->isolation == ISOLATION_CHROOT ? add_things(places, plan, err)
                                                     : add_points(places, spec, err);
    return done < 0 ? NULL : TAKE(places);
}
