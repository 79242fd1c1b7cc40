/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/diff.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/hashmap.h"
#include "base/io.h"
#include "base/path.h"
#include "layers/attributes.h"
#include "layers/upper_content.h"
#include "layers/upper_owner.h"
#include "layers/whiteout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define BUFFER_SIZE ((size_t)128 * 1024)

/* A directory of the upper that is to be compared. Kept in a list, since depth is the RUN's choice.
 */
struct work {
    char *path;
    bool hidden;        /* opaque, or beneath an opaque one: what is below didn't show in the RUN */
    struct entry owner; /* its mode and owner; nothing else is set */
};

struct inode {
    dev_t dev;
    ino_t ino;
};

struct diff {
    int root_fd;
    const struct tree_copy *copy; /* root_fd is a whole tree; NULL: an upper */
    struct tree *below;
    const struct diff_options *options;
    struct entry_list *list;  /* the changes so far */
    struct hashmap unchanged; /* path → struct entry of directories that are named if need be */
    struct hashmap links;     /* struct inode → path of its first name in the list */
    struct hashmap linked;    /* paths below that hard links lead to; read when first asked */
    bool knows_linked;
    uint32_t uid, gid; /* whose new things are, where the disk doesn't know */
    struct work *work;
    size_t n_work, work_capacity;
    struct moved_file *moved; /* perhaps */
    size_t n_moved, moved_capacity;
    uint8_t *buffers[2];
};

/* One thing of the upper while it is looked at. */
struct thing {
    struct diff *diff;
    int dir_fd; /* of its directory */
    const char *name;
    struct stat st;
    bool hidden; /* as its directory */
    const struct entry *parent;
    struct entry entry;
    bool is_recorded_device;
    const struct owner_record *record; /* or NULL */
    bool may_be_moved;
    struct tree_entry found; /* what is below at its path; path NULL: nothing */
};

static void thing_release(struct thing *thing)
{
    entry_release(&thing->entry);
    tree_entry_release(&thing->found);
}

DEFINE_AUTO_STRUCT(struct thing, thing_release)

static void diff_release(struct diff *diff)
{
    hashmap_release(&diff->unchanged);
    hashmap_release(&diff->links);
    hashmap_release(&diff->linked);
    for (size_t i = 0; i < diff->n_work; i++)
        free(diff->work[i].path);
    free(diff->work);
    free(diff->moved);
    free(diff->buffers[0]);
    free(diff->buffers[1]);
}

DEFINE_AUTO_STRUCT(struct diff, diff_release)

static void entry_free(void *value)
{
    entry_release(value);
    free(value);
}

/* Becomes the last of the list; `entry` is left empty. */
static void emit(struct diff *diff, struct entry *entry)
{
    *ARRAY_PUSH(diff->list, entries) = *entry;
    *entry = (struct entry){ .type = ENTRY_FILE };
}

static void emit_whiteout(struct diff *diff, char *path)
{
    struct entry *entry = ARRAY_PUSH(diff->list, entries);
    entry->type = ENTRY_WHITEOUT;
    entry->path = path;
}

/* Reading one thing */

static int set_type(struct thing *thing, struct error **err)
{
    struct entry *entry = &thing->entry;
    switch (thing->st.st_mode & S_IFMT) {
    case S_IFREG:
        entry->type = ENTRY_FILE;
        entry->size = (uint64_t)thing->st.st_size;
        return 0;
    case S_IFDIR:
        entry->type = ENTRY_DIRECTORY;
        return 0;
    case S_IFLNK:
        entry->type = ENTRY_SYMLINK;
        entry->link = fs_read_link(thing->dir_fd, thing->name, err);
        return entry->link ? 0 : -1;
    case S_IFCHR:
        entry->type = ENTRY_CHAR;
        break;
    case S_IFBLK:
        entry->type = ENTRY_BLOCK;
        break;
    case S_IFIFO:
        entry->type = ENTRY_FIFO;
        return 0;
    default:
        return error_set(err, ERR_INVALID, "a file of unknown type");
    }
    entry->dev_major = major(thing->st.st_rdev);
    entry->dev_minor = minor(thing->st.st_rdev);
    return 0;
}

static int read_entry(struct thing *thing, struct error **err)
{
    struct entry *entry = &thing->entry;
    if (set_type(thing, err) < 0)
        return -1;
    entry->mode = entry->type == ENTRY_SYMLINK ? 0777 : thing->st.st_mode & 07777;
    entry->uid = thing->st.st_uid;
    entry->gid = thing->st.st_gid;
    const struct diff_options *options = thing->diff->options;
    entry->mtime = file_times_apply(&options->times, thing->st.st_mtim.tv_sec);
    if (entry->type == ENTRY_FILE || entry->type == ENTRY_DIRECTORY)
        return attributes_get(thing->dir_fd, thing->name, entry, err);
    return 0;
}

/* The upper gets the time that the tar has, so that it can stand for the layer. */
static int set_time(int dir_fd, const char *name, const struct stat *st, int64_t mtime,
                    struct error **err)
{
    if (st->st_mtim.tv_sec == mtime && st->st_mtim.tv_nsec == 0)
        return 0;
    const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = mtime } };
    if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "setting the time of %s", name);
    return 0;
}

/* Comparing */

/* 1 the same bytes, 0 not, -1 */
static int same_content(struct thing *thing, const struct tree_entry *file, struct error **err)
{
    if (!thing->entry.size)
        return 1;
    AUTO(close) int fd = upper_open(thing->dir_fd, thing->name, err);
    if (fd < 0)
        return -1;
    AUTO(source_free) struct source *source = tree_open(thing->diff->below, file, err);
    if (!source)
        return -1;
    uint8_t **buffers = thing->diff->buffers;
    for (size_t i = 0; i < 2; i++)
        if (!buffers[i])
            buffers[i] = xmalloc(BUFFER_SIZE);
    for (;;) {
        ssize_t a = io_read_full(fd, buffers[0], BUFFER_SIZE, thing->name, err);
        ssize_t b = a < 0 ? -1 : source_read_full(source, buffers[1], BUFFER_SIZE, err);
        if (b < 0)
            return -1;
        if (a != b || (a && memcmp(buffers[0], buffers[1], (size_t)a) != 0))
            return 0;
        if (a < (ssize_t)BUFFER_SIZE)
            return 1;
    }
}

/* Times that were only clamped, or whose fraction no tar holds, are equal. */
static bool same_time(const struct thing *thing, int64_t below)
{
    return thing->entry.mtime == below || thing->st.st_mtim.tv_sec == below;
}

static bool is_unchanged_directory(const struct thing *thing)
{
    struct entry known = { .type = ENTRY_DIRECTORY, .mode = 0755 };
    if (!tree_entry_is_directory(&thing->found))
        return false;
    if (thing->found.entry)
        known = *thing->found.entry; /* a view: nothing is released */
    known.mtime = thing->entry.mtime;
    return entry_same_attributes(&known, &thing->entry);
}

/*
 * 1: a tar couldn't tell it from what is below, whose time *mtime becomes. That an opaque directory
 * hid it from the RUN doesn't matter: the tar has no opaque directories.
 */
static int is_unchanged(struct thing *thing, int64_t *mtime, struct error **err)
{
    if (!thing->found.path)
        return 0;
    if (thing->entry.type == ENTRY_DIRECTORY) {
        *mtime = thing->found.entry ? thing->found.entry->mtime : 0;
        return is_unchanged_directory(thing);
    }
    if (tree_entry_is_directory(&thing->found))
        return 0;
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    if (tree_resolve_hardlink(thing->diff->below, &thing->found, &file, err) < 0)
        return -1;
    struct entry known = *file.entry;
    if (known.type == ENTRY_SYMLINK)
        known.mode = 0777; /* tars say what they like */
    if (same_time(thing, known.mtime))
        known.mtime = thing->entry.mtime;
    if (!entry_same_attributes(&known, &thing->entry))
        return 0;
    int same = known.type == ENTRY_FILE ? same_content(thing, &file, err) : 1;
    if (same > 0)
        *mtime = file.entry->mtime;
    return same;
}

static int look_below(struct thing *thing, struct error **err)
{
    int there =
        tree_lookup(thing->diff->below, thing->entry.path, TREE_NO_LINKS, &thing->found, err);
    if (there == 0)
        tree_entry_release(&thing->found);
    return there;
}

/* Directories */

static int is_opaque(const struct thing *thing, bool *ret, struct error **err)
{
    char value[2];
    AUTO(free) char *path = xasprintf("/proc/self/fd/%d/%s", thing->dir_fd, thing->name);
    ssize_t n = lgetxattr(path, ATTRIBUTE_OPAQUE, value, sizeof(value));
    if (n < 0 && errno != ENODATA && errno != ENOTSUP && errno != ERANGE)
        return error_errno(err, "reading attribute %s", ATTRIBUTE_OPAQUE);
    *ret = n == 1 && value[0] == 'y';
    return 0;
}

/* Whiteouts for the children below that the upper directory doesn't have. */
static int hide_children(struct diff *diff, const char *path, const struct strvec *names,
                         struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry found = { 0 };
    int there = tree_lookup(diff->below, path, TREE_NO_LINKS, &found, err);
    if (there <= 0 || !tree_entry_is_directory(&found))
        return there < 0 ? -1 : 0;
    AUTO(strvec_release) struct strvec below = STRVEC_INIT;
    if (tree_list(diff->below, path, &below, err) < 0)
        return -1;
    size_t k = 0; /* both are sorted */
    for (size_t i = 0; i < below.n; i++) {
        while (k < names->n && strcmp(names->items[k], below.items[i]) < 0)
            k++;
        AUTO(free) char *child = path_join(path, below.items[i]);
        bool was_there = !diff->copy || tree_copy_had(diff->copy, child);
        if (was_there && (k == names->n || strcmp(names->items[k], below.items[i]) != 0))
            emit_whiteout(diff, TAKE(child));
    }
    return 0;
}

static int diff_directory(struct thing *thing, struct error **err)
{
    struct diff *diff = thing->diff;
    bool opaque;
    if (is_opaque(thing, &opaque, err) < 0)
        return -1;
    struct work *work = ARRAY_PUSH(diff, work);
    work->path = xstrdup(thing->entry.path);
    work->hidden = thing->hidden || opaque;
    work->owner = (struct entry){ .mode = thing->entry.mode,
                                  .uid = thing->entry.uid,
                                  .gid = thing->entry.gid };

    int64_t mtime;
    int unchanged = is_unchanged(thing, &mtime, err);
    if (unchanged < 0)
        return -1;
    if (!unchanged) {
        emit(diff, &thing->entry);
        return 0;
    }
    struct entry *kept = NEW(struct entry);
    *kept = thing->entry;
    thing->entry = (struct entry){ .type = ENTRY_FILE };
    kept->content = (uint64_t)mtime; /* for set_directory_times() */
    hashmap_put(&diff->unchanged, kept->path, kept);
    return 0;
}

/* Files */

static void emit_file(struct thing *thing)
{
    struct diff *diff = thing->diff;
    if (thing->st.st_nlink > 1) {
        struct inode inode;
        memset(&inode, 0, sizeof(inode)); /* padding is part of the key */
        inode.dev = thing->st.st_dev;
        inode.ino = thing->st.st_ino;
        const char *first = hashmap_getn(&diff->links, &inode, sizeof(inode));
        if (first) {
            struct entry *entry = &thing->entry;
            free(entry->link);
            entry->link = xstrdup(first);
            entry->type = ENTRY_HARDLINK;
            entry->size = 0;
        } else {
            hashmap_putn(&diff->links, &inode, sizeof(inode), xstrdup(thing->entry.path));
        }
    }
    emit(diff, &thing->entry);
}

static int read_linked(struct diff *diff, struct error **err)
{
    static char is_there;
    for (size_t i = 0; i < tree_n_layers(diff->below); i++) {
        const struct entry_list *list = layer_entries(tree_layer(diff->below, i), err);
        if (!list)
            return -1;
        for (size_t k = 0; k < list->n_entries; k++)
            if (list->entries[k].type == ENTRY_HARDLINK)
                hashmap_put(&diff->linked, list->entries[k].link, &is_there);
    }
    diff->knows_linked = true;
    return 0;
}

/* 1 there are hard links to the file, 0 not or nobody need know, -1 */
static int has_further_names(struct diff *diff, const struct tree_entry *file, struct error **err)
{
    if (file->entry->uid == diff->uid && file->entry->gid == diff->gid)
        return 0;
    if (!diff->knows_linked && read_linked(diff, err) < 0)
        return -1;
    return hashmap_get(&diff->linked, file->path) != NULL;
}

/* Where the disk doesn't know the owner. */
static int set_owner(struct thing *thing, struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    const struct entry unnamed = { .type = ENTRY_DIRECTORY, .mode = 0755 };
    const struct tree_entry *found = &thing->found;
    struct upper_place place = {
        .dir_fd = thing->dir_fd, .name = thing->name, .st = &thing->st, .parent = thing->parent
    };
    const struct tree_copy *copy = thing->diff->copy;
    const bool showed = found->path && (copy || !thing->hidden);
    const bool is_kept = showed && (!copy || tree_copy_has_kept(copy, thing->entry.path, &thing->st,
                                                                thing->dir_fd, thing->name));
    place.is_copy = copy != NULL;
    place.is_restored = thing->record && thing->record->is_restored;
    if (showed && found->entry && found->entry->type == ENTRY_HARDLINK) {
        if (tree_resolve_hardlink(thing->diff->below, found, &file, err) < 0)
            return -1;
        found = &file;
    }
    const struct entry *below = found->entry ? found->entry : &unnamed;
    if (showed && below->type == thing->entry.type)
        place.replaced = below;
    if (is_kept)
        place.below = place.replaced;
    if (place.below && below->type == ENTRY_FILE && !copy) {
        int linked = found == &file ? 1 : has_further_names(thing->diff, found, err);
        if (linked < 0)
            return -1;
        place.has_names = linked;
    }
    thing->may_be_moved = !place.below && thing->st.st_mtim.tv_nsec == 0;
    return upper_owner_set(&place, thing->diff->uid, thing->diff->gid, &thing->entry, err);
}

static bool has_uid(const struct owner_record *record)
{
    return record && record->uid != OWNER_UNCHANGED;
}

static bool has_gid(const struct owner_record *record)
{
    return record && record->gid != OWNER_UNCHANGED;
}

static void apply_record(struct thing *thing)
{
    const struct owner_record *record = thing->record;
    struct entry *entry = &thing->entry;
    if (!record)
        return;
    if (has_uid(record))
        entry->uid = record->uid;
    if (has_gid(record))
        entry->gid = record->gid;
    if (!record->device_type || entry->type != ENTRY_FILE)
        return;
    entry->type = record->device_type == S_IFBLK ? ENTRY_BLOCK : ENTRY_CHAR;
    entry->size = 0;
    entry->dev_major = record->dev_major;
    entry->dev_minor = record->dev_minor;
    thing->is_recorded_device = true;
}

/* What is below must not show in place of a device that isn't there. */
static int remove_placeholder(struct thing *thing, struct error **err)
{
    if (fs_unlink(thing->dir_fd, thing->name, err) < 0)
        return -1;
    if (thing->found.path && !thing->hidden && !thing->diff->copy &&
        mknodat(thing->dir_fd, thing->name, S_IFCHR, makedev(0, 0)) < 0)
        return error_errno(err, "making a whiteout");
    return 0;
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int diff_thing(struct thing *thing, struct error **err)
{
    const struct tree_copy *copy = thing->diff->copy;
    if (copy && !S_ISDIR(thing->st.st_mode) &&
        tree_copy_is_untouched(copy, thing->entry.path, &thing->st))
        return 0;
    if (look_below(thing, err) < 0)
        return -1;
    /* before hard links: overlay makes whiteouts as names of one device */
    if (is_whiteout(&thing->st) || S_ISSOCK(thing->st.st_mode)) {
        if (thing->found.path)
            emit_whiteout(thing->diff, TAKE(thing->entry.path));
        return 0;
    }
    if (read_entry(thing, err) < 0)
        return -1;
    const struct diff_options *options = thing->diff->options;
    if (options->records)
        thing->record = owner_records_find(options->records, thing->dir_fd, thing->name);
    if (options->single_id && set_owner(thing, err) < 0)
        return -1;
    apply_record(thing);
    if (thing->entry.type == ENTRY_DIRECTORY)
        return diff_directory(thing, err);
    int64_t mtime = thing->entry.mtime;
    int unchanged = is_unchanged(thing, &mtime, err);
    if (unchanged < 0 || set_time(thing->dir_fd, thing->name, &thing->st, mtime, err) < 0)
        return -1;
    if (thing->is_recorded_device && remove_placeholder(thing, err) < 0)
        return -1;
    if (!unchanged && thing->may_be_moved && thing->entry.type != ENTRY_HARDLINK)
        *ARRAY_PUSH(thing->diff, moved) =
            (struct moved_file){ .index = thing->diff->list->n_entries,
                                 .size = thing->entry.size,
                                 .mtime = thing->st.st_mtim.tv_sec,
                                 .keeps_uid = has_uid(thing->record),
                                 .keeps_gid = has_gid(thing->record) };
    if (!unchanged)
        emit_file(thing);
    return 0;
}

/* Removed things of a hidden directory are told by what is below, not by what the upper has. */
static bool is_whiteout_at(int dir_fd, const char *name)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_whiteout(&st);
}

static int diff_children(struct diff *diff, const char *path, bool hidden,
                         const struct entry *owner, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(close)
    int fd = fs_open_beneath(diff->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, err);
    if (fd < 0 || fs_list_fd(fd, &names, path, err) < 0)
        return -1;
    if (hidden) {
        for (size_t i = names.n; i > 0; i--)
            if (is_whiteout_at(fd, names.items[i - 1]))
                strvec_remove(&names, i - 1);
        if (hide_children(diff, path, &names, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < names.n; i++) {
        AUTO(thing_release)
        struct thing thing = {
            .diff = diff, .dir_fd = fd, .name = names.items[i], .hidden = hidden, .parent = owner
        };
        thing.entry.path = path_join(path, names.items[i]);
        if (whiteout_is_reserved(names.items[i]))
            return error_set(err, ERR_INVALID, "/%s: names that begin with \"%s\" are reserved",
                             thing.entry.path, WHITEOUT_PREFIX);
        if (strlen(thing.entry.path) >= PATH_MAX)
            return error_set(err, ERR_LIMIT, "/%.100s...: a path of more than %d bytes",
                             thing.entry.path, PATH_MAX - 1);
        if (fstatat(fd, names.items[i], &thing.st, AT_SYMLINK_NOFOLLOW) < 0)
            return error_errno(err, "looking at /%s", thing.entry.path);
        AUTO(free) char *shown = xstrdup(thing.entry.path);
        if (diff_thing(&thing, err) < 0)
            return error_wrap(err, "/%s", shown);
    }
    return 0;
}

/* Parents of what is named, which weren't changed themselves. */
static void name_parents(struct diff *diff)
{
    size_t n = diff->list->n_entries;
    for (size_t i = 0; i < n; i++) {
        AUTO(free) char *path = path_dir(diff->list->entries[i].path);
        while (path[0]) {
            struct entry *parent = hashmap_get(&diff->unchanged, path);
            if (parent && parent->path) {
                parent->content = 0;
                emit(diff, parent); /* the map keeps an empty one: named */
            }
            char *up = path_dir(path);
            free(path);
            path = up;
        }
    }
}

static int set_directory_time(struct diff *diff, const char *path, int64_t mtime,
                              struct error **err)
{
    AUTO(close)
    int fd = fs_open_beneath(diff->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, err);
    if (fd < 0)
        return -1;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "looking at /%s", path);
    return set_time(fd, ".", &st, mtime, err);
}

/* Last, so that nothing changes them again. Those that aren't named keep the time from below. */
static int set_directory_times(struct diff *diff, struct error **err)
{
    for (size_t i = 0; i < diff->list->n_entries; i++) {
        const struct entry *entry = &diff->list->entries[i];
        if (entry->type == ENTRY_DIRECTORY &&
            set_directory_time(diff, entry->path, entry->mtime, err) < 0)
            return -1;
    }
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&diff->unchanged, e));) {
        const struct entry *entry = e->value;
        if (entry->path && set_directory_time(diff, entry->path, (int64_t)entry->content, err) < 0)
            return -1;
    }
    return 0;
}

/* "/" itself is never named: it is as below. */
static int start_at_root(struct diff *diff, struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry root = { 0 };
    if (tree_lookup(diff->below, "", TREE_NO_LINKS, &root, err) < 0)
        return -1;
    struct work *work = ARRAY_PUSH(diff, work);
    work->path = xstrdup("");
    work->hidden = diff->copy != NULL; /* nothing shows through */
    work->owner = (struct entry){ .mode = root.entry ? root.entry->mode : 0755,
                                  .gid = root.entry ? root.entry->gid : 0 };
    return 0;
}

static int walk(struct diff *diff, struct error **err)
{
    if (start_at_root(diff, err) < 0)
        return -1;
    for (size_t i = 0; i < diff->n_work; i++) {
        /* the list grows, and may move */
        AUTO(free) char *path = xstrdup(diff->work[i].path);
        const struct entry owner = diff->work[i].owner;
        if (diff_children(diff, path, diff->work[i].hidden, &owner, err) < 0)
            return -1;
    }
    if (upper_owner_set_moved(diff->list, diff->below, diff->moved, diff->n_moved, err) < 0)
        return -1;
    name_parents(diff);
    return diff->copy ? 0 : set_directory_times(diff, err); /* no form of the layer */
}

/* The entries, sorted, in `changeset`. */
static int compare(struct diff *diff, struct changeset *changeset, struct error **err)
{
    diff->list = &changeset->list;
    hashmap_init(&diff->unchanged, entry_free);
    hashmap_init(&diff->links, free);
    hashmap_init(&diff->linked, NULL);
    if (diff->options->records)
        owner_records_get_default(diff->options->records, &diff->uid, &diff->gid);
    if (walk(diff, err) < 0)
        return -1;
    entry_list_sort(&changeset->list);
    return 0;
}

int diff_upper(struct snapshot *upper, struct tree *below, const struct diff_options *options,
               struct changeset *ret, struct error **err)
{
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    AUTO(diff_release)
    struct diff diff = { .root_fd = snapshot_upper_fd(upper), .below = below, .options = options };
    if (compare(&diff, &changeset, err) < 0 ||
        upper_content_set(&changeset, diff.root_fd, NULL, err) < 0)
        return -1;
    changeset_release(ret);
    *ret = changeset;
    changeset = (struct changeset)CHANGESET_INIT;
    return 0;
}

int diff_copy(struct tree_copy **copy, struct tree *below, const struct diff_options *options,
              struct changeset *ret, struct error **err)
{
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    AUTO(diff_release)
    struct diff diff = {
        .root_fd = tree_copy_root_fd(*copy), .copy = *copy, .below = below, .options = options
    };
    if (compare(&diff, &changeset, err) < 0 ||
        upper_content_set(&changeset, diff.root_fd, *copy, err) < 0)
        return -1;
    *copy = NULL;
    changeset_release(ret);
    *ret = changeset;
    changeset = (struct changeset)CHANGESET_INIT;
    return 0;
}
