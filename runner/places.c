/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/places.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MADE_MODE_DIRECTORY 0755
#define MADE_MODE_FILE 0644

struct place {
    int parent_fd;
    char *name; /* in it */
    bool is_put;
    /* made on the way, or as a mount point */
    dev_t dev;
    ino_t ino;
    /* put */
    char *aside; /* in scratch: what was there before; NULL: nothing */
    int back_fd; /* where it goes: back_name in it; -1: it is removed */
    char *back_name;
    mode_t back_type;
};

struct places {
    int root_fd, scratch_fd;
    struct place *list;
    size_t n_list, list_capacity;
    unsigned n_aside;
};

static void place_release(struct place *place)
{
    close_auto(&place->parent_fd);
    close_auto(&place->back_fd);
    free(place->name);
    free(place->aside);
    free(place->back_name);
}

struct places *places_new(int root_fd, int scratch_fd, struct error **err)
{
    AUTO(places_free) struct places *places = NEW(struct places);
    places->scratch_fd = -1;
    places->root_fd = io_dup(root_fd, err);
    if (places->root_fd < 0)
        return NULL;
    places->scratch_fd = io_dup(scratch_fd, err);
    return places->scratch_fd < 0 ? NULL : TAKE(places);
}

void places_free(struct places *places)
{
    if (!places)
        return;
    AUTO(error_free) struct error *ignored = NULL; /* the tree is thrown away */
    if (places_restore(places, &ignored) < 0)
        error_clear(&ignored);
    close_auto(&places->root_fd);
    close_auto(&places->scratch_fd);
    free(places->list);
    free(places);
}

/* -- times of directories: making and removing an entry changes them -- */

static int get_times(int dir_fd, struct timespec times[2], struct error **err)
{
    struct stat st;
    if (fstat(dir_fd, &st) < 0)
        return error_errno(err, "looking at a directory");
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    return 0;
}

/* ENOENT: it was removed, though somebody (we) has it open */
static int set_times(int dir_fd, const struct timespec times[2], struct error **err)
{
    if (utimensat(dir_fd, ".", times, 0) < 0 && errno != ENOENT)
        return error_errno(err, "setting the time of a directory");
    return 0;
}

/* -- before -- */

static int look_up(int root_fd, const char *path, enum lookup_flags flags, struct lookup *ret,
                   struct error **err)
{
    struct report report = { 0 };
    return lookup_in_root(root_fd, path, flags, ret, &report) < 0 ? report_error(&report, err) : 0;
}

static struct place *add(struct places *places, int parent_fd, const char *name, struct error **err)
{
    int fd = io_dup(parent_fd, err);
    if (fd < 0)
        return NULL;
    struct place *place = ARRAY_PUSH(places, list);
    *place = (struct place){ .parent_fd = fd, .name = xstrdup(name), .back_fd = -1 };
    return place;
}

static int make(int parent_fd, const char *name, bool dir, struct error **err)
{
    if (dir) {
        if (mkdirat(parent_fd, name, MADE_MODE_DIRECTORY) < 0 ||
            fchmodat(parent_fd, name, MADE_MODE_DIRECTORY, 0) < 0)
            return error_errno(err, "making %s", name);
        return 0;
    }
    AUTO(close)
    int fd = openat(parent_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, MADE_MODE_FILE);
    if (fd < 0 || fchmod(fd, MADE_MODE_FILE) < 0)
        return error_errno(err, "making %s", name);
    return 0;
}

/* One thing that isn't there, dated 1970; its directory keeps its time. */
static int make_one(struct places *places, int parent_fd, const char *name, bool dir,
                    struct error **err)
{
    static const struct timespec made[2] = { { 0, 0 }, { 0, 0 } };
    struct timespec times[2];
    struct stat st;
    if (get_times(parent_fd, times, err) < 0 || make(parent_fd, name, dir, err) < 0)
        return -1;
    struct place *place = add(places, parent_fd, name, err);
    if (!place)
        return -1;
    if (utimensat(parent_fd, name, made, AT_SYMLINK_NOFOLLOW) < 0 ||
        fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "making %s", name);
    place->dev = st.st_dev;
    place->ino = st.st_ino;
    return set_times(parent_fd, times, err);
}

/* Makes what is missing before the last component; at->parent_fd becomes that one's directory. */
static int make_parents(struct places *places, struct lookup *at, struct error **err)
{
    const char *rest = at->path + at->existing;
    for (;;) {
        rest += strspn(rest, "/");
        size_t size = strcspn(rest, "/");
        if (!rest[size])
            return 0;
        AUTO(free) char *name = xstrndup(rest, size);
        if (make_one(places, at->parent_fd, name, true, err) < 0)
            return -1;
        int fd = openat(at->parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return error_errno(err, "opening %s", name);
        (void)close(at->parent_fd);
        at->parent_fd = fd;
        rest += size;
    }
}

static int add_point(struct places *places, const char *path, bool dir, struct lookup *at,
                     struct error **err)
{
    if (at->fd >= 0 && at->is_dir != dir)
        return error_set(err, ERR_RUN, "mount point is a %s in the image: %s",
                         at->is_dir ? "directory" : "file", path);
    if (at->fd >= 0)
        return 0;
    return make_parents(places, at, err) < 0
               ? -1
               : make_one(places, at->parent_fd, lookup_name(at), dir, err);
}

int places_add_point(struct places *places, const char *path, bool dir, enum lookup_flags flags,
                     struct error **err)
{
    struct lookup at = LOOKUP_INIT;
    if (look_up(places->root_fd, path, flags, &at, err) < 0)
        return -1;
    int done = add_point(places, path, dir, &at, err);
    lookup_close(&at);
    return done < 0 ? error_wrap(err, "mount point %s", path) : 0;
}

/* What is there goes to scratch. The place is noted: from here on it is restored. */
static struct place *clear(struct places *places, struct lookup *at, struct error **err)
{
    if (!at->path[0])
        return error_set_null(err, ERR_USAGE, "the root can't be replaced");
    if (at->fd < 0 && make_parents(places, at, err) < 0)
        return NULL;
    struct place *place = add(places, at->parent_fd, lookup_name(at), err);
    if (!place)
        return NULL;
    place->is_put = true;
    if (at->fd < 0)
        return place;
    AUTO(free) char *aside = xasprintf("aside.%u", places->n_aside++);
    if (renameat(place->parent_fd, place->name, places->scratch_fd, aside) < 0)
        return error_errno_null(err, "moving aside what is at /%s", at->path);
    place->aside = TAKE(aside);
    return place;
}

struct thing {
    int (*put)(struct place *place, const void *data, struct error **err);
    const void *data;
};

static int put(struct places *places, const char *path, const struct thing *thing,
               struct error **err)
{
    struct lookup at = LOOKUP_INIT;
    struct timespec times[2];
    if (look_up(places->root_fd, path, 0, &at, err) < 0)
        return -1;
    int done = at.parent_fd < 0 ? 0 : get_times(at.parent_fd, times, err);
    bool is_dated = done == 0 && at.parent_fd >= 0 && at.fd >= 0;
    struct place *place = done < 0 ? NULL : clear(places, &at, err);
    if (place && !is_dated) /* its directory may be a new one */
        done = get_times(place->parent_fd, times, err);
    if (!place || done < 0 || thing->put(place, thing->data, err) < 0)
        done = -1;
    else
        done = set_times(place->parent_fd, times, err);
    lookup_close(&at);
    return done < 0 ? error_wrap(err, "placing %s", path) : 0;
}

struct file {
    const void *content;
    size_t size;
    const struct place_owner *owner;
};

static int put_file(struct place *place, const void *data, struct error **err)
{
    const struct file *file = data;
    AUTO(close)
    int fd = openat(place->parent_fd, place->name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, "making a file");
    if (io_write_full(fd, file->content, file->size, place->name, err) < 0)
        return -1;
    if (fchown(fd, file->owner->uid, file->owner->gid) < 0 || fchmod(fd, file->owner->mode) < 0)
        return error_errno(err, "owner and mode");
    return 0;
}

int places_add_file(struct places *places, const char *path, const void *content, size_t size,
                    const struct place_owner *owner, struct error **err)
{
    const struct file file = { content, size, owner };
    const struct thing thing = { put_file, &file };
    return put(places, path, &thing, err);
}

static int put_directory(struct place *place, const void *data, struct error **err)
{
    const struct place_owner *owner = data;
    if (mkdirat(place->parent_fd, place->name, 0700) < 0 ||
        fchownat(place->parent_fd, place->name, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(place->parent_fd, place->name, owner->mode, 0) < 0)
        return error_errno(err, "making a directory");
    return 0;
}

int places_add_directory(struct places *places, const char *path, const struct place_owner *owner,
                         struct error **err)
{
    const struct thing thing = { put_directory, owner };
    return put(places, path, &thing, err);
}

static int put_device(struct place *place, const void *data, struct error **err)
{
    const dev_t *device = data;
    if (mknodat(place->parent_fd, place->name, S_IFCHR, *device) < 0 ||
        fchmodat(place->parent_fd, place->name, 0666, 0) < 0)
        return error_errno(err, "making a device");
    return 0;
}

int places_add_device(struct places *places, const char *path, dev_t device, struct error **err)
{
    const struct thing thing = { put_device, &device };
    return put(places, path, &thing, err);
}

static int put_moved(struct place *place, const void *data, struct error **err)
{
    const struct lookup *from = data;
    struct stat st;
    if (fstat(from->fd, &st) < 0)
        return error_errno(err, "looking at it");
    int back_fd = io_dup(from->parent_fd, err);
    if (back_fd < 0)
        return -1;
    if (renameat(from->parent_fd, lookup_name(from), place->parent_fd, place->name) < 0) {
        (void)error_errno(err, "moving it there");
        (void)close(back_fd);
        return -1;
    }
    place->back_fd = back_fd;
    place->back_name = xstrdup(lookup_name(from));
    place->back_type = st.st_mode & S_IFMT;
    return 0;
}

int places_add_moved(struct places *places, const char *path, int from_fd, const char *source,
                     struct error **err)
{
    struct lookup from = LOOKUP_INIT;
    if (look_up(from_fd, source, 0, &from, err) < 0)
        return -1;
    const struct thing thing = { put_moved, &from };
    int done = from.fd < 0 || !from.path[0]
                   ? error_set(err, ERR_NOT_FOUND, "mount source %s: there is no such file", source)
                   : put(places, path, &thing, err);
    lookup_close(&from);
    return done;
}

/* -- after -- */

/* Still what was made, and nothing in it. */
static bool is_as_made(const struct place *place, const struct stat *st)
{
    if (st->st_dev != place->dev || st->st_ino != place->ino || st->st_uid || st->st_gid ||
        st->st_mtim.tv_sec || st->st_mtim.tv_nsec)
        return false;
    return S_ISDIR(st->st_mode)
               ? (st->st_mode & 07777) == MADE_MODE_DIRECTORY
               : S_ISREG(st->st_mode) && !st->st_size && (st->st_mode & 07777) == MADE_MODE_FILE;
}

static int remove_made(const struct place *place, struct error **err)
{
    struct stat st;
    if (fstatat(place->parent_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(err, "looking at %s", place->name);
    if (!is_as_made(place, &st) ||
        unlinkat(place->parent_fd, place->name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) == 0)
        return 0;
    return errno == ENOTEMPTY || errno == EEXIST
               ? 0
               : error_errno(err, "removing the mount point %s", place->name);
}

/*
 * A link or a device in its place would be what others mount later: the command's choice of the
 * host's files.
 */
static bool may_go_back(const struct place *place)
{
    struct stat st;
    return place->back_fd >= 0 &&
           fstatat(place->parent_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (st.st_mode & S_IFMT) == place->back_type;
}

/* The command may have removed the directory, and with it what stood there before. */
static int take_back(struct places *places, const struct place *place, struct error **err)
{
    if (may_go_back(place) &&
        renameat(place->parent_fd, place->name, place->back_fd, place->back_name) < 0 &&
        errno != ENOENT)
        return error_errno(err, "moving %s back", place->name);
    if (fs_remove_tree(place->parent_fd, place->name, err) < 0)
        return -1;
    if (place->aside &&
        renameat(places->scratch_fd, place->aside, place->parent_fd, place->name) < 0 &&
        errno != ENOENT)
        return error_errno(err, "moving %s back", place->name);
    return 0;
}

static int restore_one(struct places *places, const struct place *place, struct error **err)
{
    struct timespec times[2];
    if (get_times(place->parent_fd, times, err) < 0)
        return -1;
    if ((place->is_put ? take_back(places, place, err) : remove_made(place, err)) < 0)
        return -1;
    return set_times(place->parent_fd, times, err);
}

int places_restore(struct places *places, struct error **err)
{
    AUTO(error_free) struct error *first = NULL;
    for (; places->n_list; places->n_list--) {
        struct place *place = &places->list[places->n_list - 1];
        AUTO(error_free) struct error *error = NULL;
        if (restore_one(places, place, &error) < 0 && !first)
            first = TAKE(error);
        place_release(place);
    }
    if (!first)
        return 0;
    error_move(err, TAKE(first));
    return -1;
}
