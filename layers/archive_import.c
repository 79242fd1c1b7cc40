/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tar comes in any order, and maybe through a pipe; the layer's is sorted. So the contents go
 * to one temporary file in the store, and from there into the layer.
 *
 * As in a tar that is unpacked, the last of several entries of one path counts.
 */
#include "base/array.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/hashmap.h"
#include "base/io.h"
#include "base/path.h"
#include "base/tempfile.h"
#include "layers/archive.h"
#include "layers/layer.h"
#include "layers/tar_read.h"
#include "layers/whiteout.h"
#include "oci/image_config.h"
#include "oci/manifest.h"
#include "oci/store_ingest.h"

#include <string.h>

#define BUFFER_SIZE ((size_t)128 * 1024)
#define SPOOL "temporary file in the store"

struct import {
    struct entry_list list;
    struct hashmap by_path; /* index + 1 into the list, as a pointer; keys are the list's */
    struct tempfile *file;  /* contents, one after the other */
    uint64_t size;
};

static void import_free(struct import *import)
{
    if (!import)
        return;
    entry_list_release(&import->list);
    hashmap_release(&import->by_path);
    tempfile_free(import->file);
    free(import);
}
DEFINE_AUTO(struct import, import_free)

static struct import *import_new(struct store *store, struct error **err)
{
    AUTO(import_free) struct import *import = NEW(struct import);
    hashmap_init(&import->by_path, NULL);
    import->by_path.borrows_keys = true;
    import->file = tempfile_new(store_dir_fd(store, STORE_TMP), "import", err);
    if (!import->file)
        return error_wrap_null(err, "store %s", store_path(store));
    return TAKE(import);
}

static size_t find(const struct import *import, const char *path)
{
    return (size_t)(uintptr_t)hashmap_get(&import->by_path, path);
}

/* Puts entry (emptied) into the list, in the place of an earlier one of its path. */
static void put_entry(struct import *import, struct entry *entry)
{
    size_t index = find(import, entry->path);
    struct entry *place;
    if (index) {
        place = &import->list.entries[index - 1];
        free(entry->path); /* the same text as the one that is a key */
        entry->path = TAKE(place->path);
        entry_release(place);
    } else {
        place = ARRAY_PUSH(&import->list, entries);
        hashmap_put(&import->by_path, entry->path, (void *)(uintptr_t)import->list.n_entries);
    }
    *place = *entry;
    *entry = (struct entry){ .type = ENTRY_FILE };
}

static int spool(struct import *import, struct tar_reader *tar, struct entry *entry,
                 struct error **err)
{
    AUTO(free) char *buffer = xmalloc(BUFFER_SIZE);
    uint64_t left = entry->size;
    entry->content = import->size;
    for (;;) {
        ssize_t n = cancel_check(err) < 0 ? -1 : tar_reader_data(tar, buffer, BUFFER_SIZE, err);
        if (n < 0)
            return -1;
        if (n == 0 && left == 0)
            return 0;
        if (n == 0 || (uint64_t)n > left)
            return error_set(err, ERR_INVALID, "%s: its content ends early", entry->path);
        if (io_write_full(tempfile_fd(import->file), buffer, (size_t)n, SPOOL, err) < 0)
            return -1;
        left -= (uint64_t)n;
        import->size += (uint64_t)n;
    }
}

static int check_name(const char *path, struct error **err)
{
    if (whiteout_is_reserved(path_base(path)))
        return error_set(err, ERR_INVALID, "%s: a layer can't hold names that begin with .wh.",
                         path);
    return 0;
}

static int read_entries(struct import *import, struct source *source, struct error **err)
{
    AUTO(tar_reader_free) struct tar_reader *tar = tar_reader_new(source, 0, err);
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    int more = tar ? 1 : -1;
    while (more > 0 && (more = tar_reader_next(tar, &entry, err)) > 0) {
        if (!entry.path[0])
            continue; /* the root itself: a layer has no entry for it */
        if (check_name(entry.path, err) < 0)
            return -1;
        if (entry.type == ENTRY_FILE && spool(import, tar, &entry, err) < 0)
            return -1;
        put_entry(import, &entry);
    }
    return more;
}

/* Every parent is a directory; those that the tar leaves out are made, as unpacking does. */
static int complete_parents(struct import *import, struct error **err)
{
    for (size_t i = 0; i < import->list.n_entries; i++) {
        AUTO(free) char *parent = path_dir(import->list.entries[i].path);
        if (!parent[0])
            continue;
        size_t index = find(import, parent);
        if (index && import->list.entries[index - 1].type != ENTRY_DIRECTORY) {
            error_set_(err, ERR_INVALID, "%s: stands beneath what is no directory",
                       import->list.entries[i].path);
            if (import->list.entries[index - 1].type == ENTRY_SYMLINK)
                error_hint(err, "ADD follows links: in a Dockerfile, FROM scratch and ADD the tar");
            return -1;
        }
        if (index)
            continue;
        if (check_name(parent, err) < 0)
            return -1;
        struct entry entry = { .path = TAKE(parent), .type = ENTRY_DIRECTORY, .mode = 0755 };
        put_entry(import, &entry); /* at the end, so that its own parent is looked at, too */
    }
    return 0;
}

static int check_links(const struct import *import, struct error **err)
{
    for (size_t i = 0; i < import->list.n_entries; i++) {
        const struct entry *entry = &import->list.entries[i];
        if (entry->type != ENTRY_HARDLINK)
            continue;
        size_t index = find(import, entry->link);
        if (!index || import->list.entries[index - 1].type == ENTRY_DIRECTORY)
            return error_set(err, ERR_INVALID, "%s: hard link to %s, which isn't there",
                             entry->path, entry->link);
    }
    return 0;
}

/* Sorting has put a file before its links, except where links lead in a circle. */
static int check_order(const struct import *import, struct error **err)
{
    for (size_t i = 0; i < import->list.n_entries; i++) {
        const struct entry *entry = &import->list.entries[i];
        if (entry->type == ENTRY_HARDLINK && path_compare(entry->link, entry->path) >= 0)
            return error_set(err, ERR_INVALID, "%s: hard links in a circle", entry->path);
    }
    return 0;
}

static struct source *open_content(void *data, const struct entry *entry, struct error **err UNUSED)
{
    const struct import *import = data;
    return source_range_new(tempfile_fd(import->file), entry->content, entry->size, SPOOL);
}

static void free_content(void *data)
{
    import_free(data);
}

static int make_layer(struct store *store, const struct compression *compression,
                      struct changeset *changeset, struct descriptor *blob, struct digest *diff_id,
                      struct error **err)
{
    AUTO(pool_free) struct pool *pool = pool_new(0);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    const struct layer_options options = { .compression = *compression,
                                           .pool = pool,
                                           .group = group };
    AUTO(layer_unref) struct layer *layer = layer_make(store, &options, changeset, NULL);
    return layer_wait(layer, blob, diff_id, err);
}

static int put_image(struct store *store, const struct import_options *options,
                     const struct descriptor *layer, const struct digest *diff_id,
                     struct descriptor *ret, struct error **err)
{
    AUTO(image_config_release) struct image_config config = { 0 };
    AUTO(manifest_release) struct manifest manifest = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    char created[CLOCK_TEXT_SIZE];
    clock_format(options->created, created);
    image_config_init(&config);
    config.created = xstrdup(created);
    if (options->platform)
        platform_copy(&config.platform, options->platform);
    else
        platform_host(&config.platform);
    image_config_add_diff_id(&config, diff_id);
    image_config_add_history(&config, created, NULL,
                             options->message ? options->message : "imported", false);
    image_config_format(&config, &text);

    manifest.media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST);
    manifest.config.media_type = xstrdup(MEDIA_TYPE_OCI_CONFIG);
    if (store_put_blob(store, text.data, text.size, &manifest.config, err) < 0)
        return -1;
    descriptor_copy(ARRAY_PUSH(&manifest, layers), layer);
    strbuf_reset(&text);
    manifest_format(&manifest, &text);
    AUTO(descriptor_release)
    struct descriptor desc = { .media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST) };
    if (store_put_blob(store, text.data, text.size, &desc, err) < 0)
        return -1;
    descriptor_copy(ret, &desc);
    return 0;
}

int archive_import(struct store *store, struct source *tar, const struct import_options *options,
                   struct descriptor *ret, struct error **err)
{
    static const struct changeset_ops ops = { open_content, free_content, NULL };
    AUTO(source_free) struct source *source = tar;
    AUTO(import_free) struct import *import = import_new(store, err);
    if (!import)
        return -1;
    if (read_entries(import, TAKE(source), err) < 0 || complete_parents(import, err) < 0 ||
        check_links(import, err) < 0)
        return -1;
    hashmap_release(&import->by_path); /* sorting makes it useless, and it is large */
    entry_list_sort(&import->list);
    if (check_order(import, err) < 0)
        return -1;

    AUTO(changeset_release) struct changeset changeset = { import->list, &ops, NULL };
    import->list = (struct entry_list)ENTRY_LIST_INIT;
    changeset.data = TAKE(import);
    AUTO(descriptor_release) struct descriptor layer = { 0 };
    struct digest diff_id;
    if (make_layer(store, &options->compression, &changeset, &layer, &diff_id, err) < 0)
        return -1;
    return put_image(store, options, &layer, &diff_id, ret, err);
}
