/* SPDX-License-Identifier: Apache-2.0 */
/* Phase 2: sources onto the tree below, one after the other, as if by a file system. */
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/copy_chown.h"
#include "builder/copy_dest.h"
#include "builder/copy_internal.h"
#include "builder/copy_unpack.h"
#include "builder/glob.h"
#include "layers/tar_read.h"

#include <string.h>

struct apply {
    struct copy *copy;
    struct context *context; /* that the sources being put are in; NULL: they are in the tree */
    struct copy_dest *dest;
    struct copy_content *content;
    struct copy_owner owner;
    bool has_owner;
    struct copy_made made;
    size_t n_onto_name; /* files put at the destination's own name */
    bool warned_mode, warned_flat;
};

/* Told once: with an octal --chmod all directories get it. */
static void warn_mode(void *data, const char *path)
{
    struct apply *apply = data;
    struct copy *copy = apply->copy;
    if (apply->warned_mode)
        return;
    if (copy->chmod_text && copy->chmod.is_octal && !(copy->chmod.mode & 0100))
        copy_warn(copy, "directory /%s gets mode %04o from --chmod: only root can enter it", path,
                  copy->chmod.mode);
    apply->warned_mode = true;
}

static void set_attributes(const struct apply *apply, struct entry *entry)
{
    const struct copy *copy = apply->copy;
    if (apply->has_owner) {
        entry->uid = apply->owner.uid;
        entry->gid = apply->owner.gid;
    }
    if (entry->type == ENTRY_SYMLINK)
        entry->mode = 0777;
    else if (copy->chmod_text)
        entry->mode =
            (uint16_t)chmod_spec_apply(&copy->chmod, entry->mode, entry->type == ENTRY_DIRECTORY);
}

/* The directory that the destination is in, or is, made where it is missing. */
static int make_destination(struct apply *apply, const struct copy_made *made, bool itself,
                            struct error **err)
{
    const char *destination = apply->copy->destination;
    AUTO(free) char *dir = itself ? xstrdup(destination) : path_dir(destination);
    AUTO(free) char *real = NULL;
    if (copy_dest_real_path(apply->dest, dir, true, &real, err) < 0)
        return -1;
    return copy_dest_make_dirs(apply->dest, real, made, err);
}

/* Where a file goes: into the destination where that is a directory, else there. */
static int file_target(struct apply *apply, const char *name, char **ret, struct error **err)
{
    struct copy *copy = apply->copy;
    AUTO(free) char *target = NULL;
    const struct entry *there = NULL;
    if (make_destination(apply, &apply->made, copy->to_directory, err) < 0 ||
        copy_dest_real_path(apply->dest, copy->destination, true, &target, err) < 0)
        return -1;
    int found = copy_dest_find(apply->dest, target, &there, err);
    if (found < 0)
        return -1;
    if (found && there->type == ENTRY_DIRECTORY) {
        if (!name || !name[0]) {
            error_set_(err, ERR_INVALID, "/%s: a directory, and the source has no file name",
                       target);
            error_hint(err, "give the destination a file name: %s%s/NAME", *target ? "/" : "",
                       target);
            return -1;
        }
        *ret = path_join(target, name);
        return 0;
    }
    AUTO(free) char *dir = path_dir(target); /* a dangling link may lead anywhere */
    if (copy_dest_make_dirs(apply->dest, dir, &apply->made, err) < 0)
        return -1;
    if (++apply->n_onto_name == 2)
        copy_warn(copy,
                  "several sources go to /%s, which is no directory: the last one stays; "
                  "for a directory write /%s/",
                  copy->destination, copy->destination);
    *ret = TAKE(target);
    return 0;
}

/* A copy of the item's entry for `path`, with its content's place. */
static void make_entry(struct apply *apply, const struct source_item *item, const char *path,
                       struct entry *ret)
{
    const struct copy *copy = apply->copy;
    entry_copy(ret, &item->entry);
    free(ret->path);
    ret->path = xstrdup(path);
    ret->content = 0;
    if (item->entry.type == ENTRY_FILE && item->entry.size)
        ret->content =
            apply->context
                ? copy_content_add_context(apply->content, apply->context, item->entry.content)
                : copy_content_add_tree(apply->content, copy->from, &item->place);
    set_attributes(apply, ret);
}

/* An archive of ADD, from a file that `archive` (consumed) reads. */
static int unpack(struct apply *apply, struct source *archive, const char *name, struct error **err)
{
    struct copy *copy = apply->copy;
    const struct copy_made made = { .mode = 0755, .uid = apply->made.uid, .gid = apply->made.gid };
    AUTO(free) char *directory = NULL;
    AUTO(source_free) struct source *source = archive;
    if (!copy->store)
        return error_set(err, ERR_USAGE, "unpacking %s: no store to unpack it in", name);
    if (make_destination(apply, &made, true, err) < 0 ||
        copy_dest_real_path(apply->dest, copy->destination, true, &directory, err) < 0)
        return -1;
    const struct copy_unpack options = { .dest = apply->dest,
                                         .content = apply->content,
                                         .store = copy->store,
                                         .directory = directory,
                                         .owner = apply->has_owner ? &apply->owner : NULL };
    struct source *consumed = TAKE(source);
    if (copy_unpack(&options, consumed, err) < 0)
        return error_wrap(err, "unpacking %s", name);
    return 0;
}

/* 1: it was an archive and is unpacked. */
static int try_unpack(struct apply *apply, const struct copy_source *source, struct error **err)
{
    struct copy *copy = apply->copy;
    const struct entry *entry = &source->item.entry;
    if (!copy->is_add || copy->no_unpack || !copy->context || entry->type != ENTRY_FILE ||
        !entry->size)
        return 0;
    AUTO(close) int fd = context_open_fd(copy->context, entry, err);
    bool is_tar = false;
    if (fd < 0 || tar_detect(fd, &is_tar, err) < 0)
        return -1;
    if (!is_tar)
        return 0;
    if (unpack(apply, source_range_new(fd, 0, entry->size, entry->path), entry->path, err) < 0 ||
        context_check_unchanged(copy->context, entry, fd, err) < 0)
        return -1;
    return 1;
}

/*
 * Names of one file stay names of one file among the matches of one word; a file that was reached
 * through a link is a copy of its own.
 */
static char *link_key(const struct copy_source *source, const struct source_item *item, size_t word,
                      size_t index)
{
    AUTO(free) char *key = source_item_link_key(source->context, item);
    if (!key)
        return NULL;
    bool followed = strcmp(source->path, source->item.entry.path) != 0;
    return followed ? xasprintf("s%zu:%s", index, key) : xasprintf("w%zu:%s", word, key);
}

static int put_item(struct apply *apply, const struct source_item *item, const char *target,
                    const char *key, struct error **err)
{
    AUTO(free) char *path = path_join(target, item->path);
    const struct entry *there = NULL;
    int found = copy_dest_find(apply->dest, path, &there, err);
    if (found < 0)
        return -1;
    if (item->is_parent && found && there->type == ENTRY_DIRECTORY) {
        copy_dest_set_mode(apply->dest, path, item->entry.mode);
        return 0;
    }
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    make_entry(apply, item, path, &entry);
    if (entry.type == ENTRY_DIRECTORY)
        warn_mode(apply, path);
    return copy_dest_put(apply->dest, &entry, key, err);
}

static int put_directory(struct apply *apply, const struct copy_source *source, size_t word,
                         size_t index, struct error **err)
{
    struct copy *copy = apply->copy;
    AUTO(free) char *target = NULL;
    if (make_destination(apply, &apply->made, copy->to_directory, err) < 0 ||
        copy_dest_real_path(apply->dest, copy->destination, true, &target, err) < 0 ||
        copy_dest_make_dirs(apply->dest, target, &apply->made, err) < 0)
        return -1;
    struct source_item item;
    for (size_t i = 0; i < source->n_kept; i++) {
        copy_source_get(source, i, &item);
        AUTO(free) char *key = link_key(source, &item, word, index);
        if (put_item(apply, &item, target, key, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < source->n_kept; i++) {
        copy_source_get(source, i, &item);
        if (item.entry.type != ENTRY_DIRECTORY || item.is_parent)
            continue;
        AUTO(free) char *path = path_join(target, item.path);
        copy_dest_set_mtime(apply->dest, path, item.entry.mtime);
    }
    /* a root's own time says nothing: it changes with each name in it */
    const struct entry *top = &source->item.entry;
    if (!source->keeps_top && top->path[0])
        copy_dest_set_mtime(apply->dest, target, top->mtime);
    return 0;
}

static int put_source(struct apply *apply, struct copy_source *source, size_t word, size_t index,
                      struct error **err)
{
    if (source->item.entry.type == ENTRY_DIRECTORY)
        return put_directory(apply, source, word, index, err);
    int unpacked = try_unpack(apply, source, err);
    if (unpacked)
        return unpacked < 0 ? -1 : 0;
    AUTO(free) char *target = NULL;
    AUTO(free) char *key = link_key(source, &source->item, word, index);
    if (file_target(apply, source->name, &target, err) < 0)
        return -1;
    return put_item(apply, &source->item, target, key, err);
}

static int put_file(struct apply *apply, const struct copy_file *file, struct error **err)
{
    AUTO(close) int fd = file->data ? -1 : io_dup(file->fd, err);
    if (!file->data && fd < 0)
        return -1;
    if (file->unpack && !file->data) {
        bool is_tar = false;
        if (tar_detect(fd, &is_tar, err) < 0)
            return -1;
        if (is_tar)
            return unpack(apply, source_range_new(fd, 0, file->size, file->name), file->name, err);
    }
    AUTO(free) char *target = NULL;
    if (file_target(apply, file->name, &target, err) < 0)
        return -1;
    AUTO(entry_release)
    struct entry entry = { .path = TAKE(target),
                           .type = ENTRY_FILE,
                           .mode = file->mode,
                           .size = file->size,
                           .mtime = file->mtime };
    if (file->data) {
        entry.content = copy_content_add_memory(apply->content, file->data, file->size);
    } else {
        entry.content = copy_content_add_range(apply->content, fd, 0);
        copy_content_own_fd(apply->content, take_fd(&fd));
    }
    set_attributes(apply, &entry);
    return copy_dest_put(apply->dest, &entry, NULL, err);
}

static int put_git(struct apply *apply, size_t i, struct error **err)
{
    const struct copy *copy = apply->copy;
    const struct copy_directory *directory = &copy->directories[i];
    apply->context = directory->context;
    for (size_t k = 0; k < directory->sources.n_list; k++)
        if (put_source(apply, &directory->sources.list[k], copy->words.n + i,
                       copy->sources.n_list + i, err) < 0)
            return -1;
    apply->context = copy->context;
    return 0;
}

/* A source that isn't among the words. */
struct remote {
    size_t position, index;
    bool is_file;
};

static int by_position(const void *a, const void *b)
{
    const struct remote *x = a, *y = b;
    return (x->position > y->position) - (x->position < y->position);
}

/* Downloads and repositories, in the order they were written. free() it. */
static struct remote *list_remotes(const struct copy *copy, size_t *n)
{
    struct remote *list = xcalloc(copy->n_files + copy->n_directories + 1, sizeof(*list));
    *n = 0;
    for (size_t i = 0; i < copy->n_files; i++)
        if (!copy->files[i].data)
            list[(*n)++] = (struct remote){ copy->files[i].position, i, true };
    for (size_t i = 0; i < copy->n_directories; i++)
        list[(*n)++] = (struct remote){ copy->directories[i].position, i, false };
    qsort(list, *n, sizeof(*list), by_position);
    return list;
}

static int put_remote(struct apply *apply, const struct remote *remote, struct error **err)
{
    return remote->is_file ? put_file(apply, &apply->copy->files[remote->index], err)
                           : put_git(apply, remote->index, err);
}

/* A wildcard over directories merges what they hold: hardly ever wanted, so it is told (once). */
static void warn_flattened(struct apply *apply, const struct copy_source *source, const char *word)
{
    struct copy *copy = apply->copy;
    if (apply->warned_flat || copy->parents || source->item.entry.type != ENTRY_DIRECTORY)
        return;
    AUTO(free) char *pattern = path_clean_rooted(word);
    if (!glob_has_meta(path_base(pattern)))
        return;
    copy_warn(copy,
              "%s matches the directory %s: its contents go to /%s without it; to keep the "
              "directories name the one above, or use --parents",
              word, source->path, copy->destination);
    apply->warned_flat = true;
}

static int put_word(struct apply *apply, size_t word, size_t *at, struct error **err)
{
    const struct copy *copy = apply->copy;
    for (; *at < copy->word_ends[word]; ++*at) {
        warn_flattened(apply, &copy->sources.list[*at], copy->words.items[word]);
        if (put_source(apply, &copy->sources.list[*at], word, *at, err) < 0)
            return -1;
    }
    return 0;
}

/* As they were written, the last one of a name stays; heredocs come after the others. */
static int put_all(struct apply *apply, struct error **err)
{
    const struct copy *copy = apply->copy;
    size_t at = 0, n, next = 0;
    AUTO(free) struct remote *remotes = list_remotes(copy, &n);
    for (size_t word = 0; word <= copy->words.n; word++) {
        bool is_end = word == copy->words.n;
        for (; next < n && (is_end || remotes[next].position <= word + next); next++)
            if (put_remote(apply, &remotes[next], err) < 0)
                return -1;
        if (!is_end && put_word(apply, word, &at, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < copy->n_files; i++)
        if (copy->files[i].data && put_file(apply, &copy->files[i], err) < 0)
            return -1;
    return 0;
}

static int set_owner(struct apply *apply, struct tree *below, struct error **err)
{
    const struct copy *copy = apply->copy;
    apply->has_owner = copy->chown != NULL;
    if (apply->has_owner && copy_chown_resolve(copy->chown, below, &apply->owner, err) < 0)
        return -1;
    apply->made = (struct copy_made){
        .mode = copy->chmod_text && copy->chmod.is_octal ? (uint16_t)copy->chmod.mode : 0755,
        .uid = apply->owner.uid,
        .gid = apply->owner.gid,
        .made = warn_mode,
        .data = apply,
    };
    return 0;
}

int copy_changeset(struct copy *copy, struct tree *below, struct changeset *ret, struct error **err)
{
    if (copy->link)
        below = NULL; /* a layer of its own, whatever lies below */
    AUTO(copy_content_free) struct copy_content *content = copy_content_new();
    AUTO(copy_dest_free)
    struct copy_dest *dest = copy_dest_new(below, content, copy->now, store_spill(copy->store));
    if (copy->learns)
        copy_content_learn(content);
    struct apply apply = {
        .copy = copy, .context = copy->context, .dest = dest, .content = content
    };
    if (set_owner(&apply, below, err) < 0)
        return -1;
    if (copy->from && copy_find_sources(copy, err) < 0)
        return -1;
    if (put_all(&apply, err) < 0 || copy_dest_finish(dest, &copy->times, &ret->list, err) < 0)
        return -1;
    ret->ops = &copy_content_ops;
    ret->data = TAKE(content);
    return 0;
}
