/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_unpack.h"

#include "base/array.h"
#include "base/cancel.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/tempfile.h"
#include "layers/tar_read.h"

#include <string.h>

#define BUFFER_SIZE (128UL * 1024)

struct dir_time {
    uint32_t directory; /* copy_dest_number() */
    int64_t mtime;
};

struct unpacking {
    const struct copy_unpack *unpack;
    struct tar_reader *tar;
    char *buffer;
    struct dir_time *times; /* of directories: set when nothing changes in them any more */
    size_t n_times, times_capacity;
};

static void unpacking_release(struct unpacking *unpacking)
{
    tar_reader_free(unpacking->tar);
    free(unpacking->buffer);
    free(unpacking->times);
}
DEFINE_AUTO_STRUCT(struct unpacking, unpacking_release)

static int open_spool(struct unpacking *unpacking, struct error **err)
{
    const struct copy_unpack *unpack = unpacking->unpack;
    if (copy_content_spool(unpack->content) >= 0)
        return 0;
    AUTO(tempfile_free)
    struct tempfile *file = tempfile_new(store_dir_fd(unpack->store, STORE_TMP), "unpack", err);
    if (!file)
        return -1;
    copy_content_set_spool(unpack->content, io_dup(tempfile_fd(file), err));
    return copy_content_spool(unpack->content) < 0 ? -1 : 0;
}

static int spool(struct unpacking *unpacking, struct entry *entry, struct error **err)
{
    struct copy_content *content = unpacking->unpack->content;
    int spool_fd = copy_content_spool(content);
    uint64_t left = entry->size;
    while (left) {
        if (cancel_check(err) < 0)
            return -1;
        ssize_t n = tar_reader_data(unpacking->tar, unpacking->buffer, BUFFER_SIZE, err);
        if (n < 0)
            return -1;
        if (n == 0 || (uint64_t)n > left)
            return error_set(err, ERR_INVALID, "%s: content of another size than its header says",
                             entry->path);
        if (io_write_full(spool_fd, unpacking->buffer, (size_t)n, "unpacked content", err) < 0)
            return -1;
        left -= (uint64_t)n;
    }
    entry->content = copy_content_add_spooled(content, entry->size);
    return 0;
}

/* Where a name of the archive lies: its directory's links followed, its own not; parents made. */
static int place(struct unpacking *unpacking, const char *name, bool make_parents, char **ret,
                 struct error **err)
{
    const struct copy_unpack *unpack = unpacking->unpack;
    AUTO(free) char *joined = path_join(unpack->directory, name);
    AUTO(free) char *dir = path_dir(joined);
    AUTO(free) char *real = NULL;
    if (copy_dest_real_path(unpack->dest, dir, true, &real, err) < 0)
        return -1;
    const struct copy_made made = { .mode = 0755 };
    if (make_parents && copy_dest_make_dirs(unpack->dest, real, &made, err) < 0)
        return -1;
    *ret = path_join(real, path_base(joined));
    return 0;
}

/* An archive comes with the context: capabilities only, as for the context's files. */
static void drop_xattrs(struct entry *entry)
{
    size_t kept = 0;
    for (size_t i = 0; i < entry->n_xattrs; i++) {
        struct xattr *xattr = &entry->xattrs[i];
        if (strcmp(xattr->name, "security.capability") == 0) {
            entry->xattrs[kept++] = *xattr;
        } else {
            free(xattr->name);
            free(xattr->value);
        }
    }
    entry->n_xattrs = kept;
}

/* entry->path is the place by now. */
static int put(struct unpacking *unpacking, struct entry *entry, struct error **err)
{
    const struct copy_unpack *unpack = unpacking->unpack;
    const struct entry *there = NULL;
    int found = copy_dest_find(unpack->dest, entry->path, &there, err);
    if (found < 0)
        return -1;
    bool is_directory = entry->type == ENTRY_DIRECTORY;
    bool stays = found && is_directory && there->type == ENTRY_DIRECTORY;
    if (entry->type == ENTRY_HARDLINK) {
        AUTO(free) char *target = NULL;
        if (place(unpacking, entry->link, false, &target, err) < 0)
            return -1;
        if (strcmp(target, entry->path) == 0)
            return 0;
        if (found && copy_dest_remove(unpack->dest, entry->path, err) < 0)
            return -1;
        return copy_dest_put_link(unpack->dest, entry, target, err);
    }
    if (found && !stays && copy_dest_remove(unpack->dest, entry->path, err) < 0)
        return -1;
    if (is_directory) {
        struct dir_time *time = ARRAY_PUSH(unpacking, times);
        time->directory = copy_dest_number(unpack->dest, entry->path);
        time->mtime = entry->mtime;
    }
    return copy_dest_put(unpack->dest, entry, NULL, err);
}

static int unpack_entry(struct unpacking *unpacking, struct entry *entry, struct error **err)
{
    const struct copy_unpack *unpack = unpacking->unpack;
    if (!entry->path[0]) /* the destination itself keeps what it has */
        return 0;
    drop_xattrs(entry);
    entry->content = 0;
    if (entry->type == ENTRY_FILE && entry->size && spool(unpacking, entry, err) < 0)
        return -1;
    if (unpack->owner) {
        entry->uid = unpack->owner->uid;
        entry->gid = unpack->owner->gid;
    }
    if (entry->type == ENTRY_SYMLINK)
        entry->mode = 0777;
    char *path = NULL;
    if (place(unpacking, entry->path, true, &path, err) < 0)
        return -1;
    free(entry->path);
    entry->path = path;
    return put(unpacking, entry, err);
}

static void set_times(struct unpacking *unpacking)
{
    for (size_t i = 0; i < unpacking->n_times; i++) {
        const struct dir_time *time = &unpacking->times[i];
        copy_dest_set_directory_mtime(unpacking->unpack->dest, time->directory, time->mtime);
    }
}

int copy_unpack(const struct copy_unpack *unpack, struct source *archive, struct error **err)
{
    AUTO(unpacking_release) struct unpacking unpacking = { .unpack = unpack };
    unpacking.tar = tar_reader_new(archive, 0, err);
    if (!unpacking.tar || open_spool(&unpacking, err) < 0)
        return -1;
    unpacking.buffer = xmalloc(BUFFER_SIZE);
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    int more;
    while ((more = tar_reader_next(unpacking.tar, &entry, err)) > 0)
        if (unpack_entry(&unpacking, &entry, err) < 0)
            return -1;
    if (more < 0)
        return -1;
    set_times(&unpacking);
    return 0;
}
