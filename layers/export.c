/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order of the tar: directories (breadth first), symlinks and nodes, files layer by layer from the
 * lowest in the order of its tar, further names of files.
 *
 * Content is met while a layer streams by, under the name that the layer has for it. That name may
 * be hidden by a layer above while a hard link to it isn't: so names are sorted out first. Of each
 * file the first name that the tree shows gets the content, all others are links to it.
 */
#include "layers/export.h"

#include "base/array.h"
#include "base/cancel.h"
#include "base/hashmap.h"
#include "base/mem.h"
#include "base/path.h"
#include "layers/compress.h"
#include "layers/tar_read.h"
#include "layers/tar_write.h"

#define BUFFER_SIZE ((size_t)128 * 1024)

struct export
{
    struct store *store;
    struct tree *tree;
    const char *prefix;        /* "": none */
    struct tar_writer *tar;    /* borrowed */
    struct strvec directories; /* parents before children */
    struct hashmap files;      /* "LAYER/PATH" of content → the name that gets it */
    struct entry_list links;   /* further names */
};

static void export_release(struct export *export)
{
    strvec_release(&export->directories);
    hashmap_release(&export->files);
    entry_list_release(&export->links);
}
DEFINE_AUTO_STRUCT(struct export, export_release)

/* Names */

/* An entry of a layer, under another name */
static int write_entry(struct export *export, const struct entry *entry, const char *path,
                       struct error **err)
{
    AUTO(entry_release) struct entry renamed = { .type = ENTRY_FILE };
    entry_copy(&renamed, entry);
    free(renamed.path);
    renamed.path = path_join(export->prefix, path);
    return tar_writer_entry(export->tar, &renamed, err);
}

static int add_directory(struct export *export, const struct tree_entry *found, const char *path,
                         struct error **err)
{
    const struct entry unnamed = { .type = ENTRY_DIRECTORY, .mode = 0755 };
    strvec_push(&export->directories, path);
    return write_entry(export, found->entry ? found->entry : &unnamed, path, err);
}

/* With the attributes of its file: some unpackers set them again. */
static void add_link(struct export *export, const struct entry *file, const char *path,
                     const char *target)
{
    struct entry *link = ARRAY_PUSH(&export->links, entries);
    entry_copy(link, file);
    free(link->path);
    free(link->link);
    link->path = path_join(export->prefix, path);
    link->link = path_join(export->prefix, target);
    link->type = ENTRY_HARDLINK;
    link->size = 0;
}

static int add_thing(struct export *export, const struct tree_entry *found, const char *path,
                     struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    if (tree_resolve_hardlink(export->tree, found, &file, err) < 0)
        return -1;
    AUTO(free) char *key = xasprintf("%zu/%s", file.layer, file.path);
    const char *first = hashmap_get(&export->files, key);
    if (first) {
        add_link(export, file.entry, path, first);
        return 0;
    }
    hashmap_put(&export->files, key, xstrdup(path));
    return file.entry->type == ENTRY_FILE ? 0 : write_entry(export, file.entry, path, err);
}

static int list_directory(struct export *export, const char *directory, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (cancel_check(err) < 0 || tree_list(export->tree, directory, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        AUTO(tree_entry_release) struct tree_entry found = { 0 };
        AUTO(free) char *path = path_join(directory, names.items[i]);
        if (tree_lookup(export->tree, path, TREE_NO_LINKS, &found, err) < 0)
            return -1;
        int added = tree_entry_is_directory(&found) ? add_directory(export, &found, path, err)
                                                    : add_thing(export, &found, path, err);
        if (added < 0)
            return error_wrap(err, "%s", path);
    }
    return 0;
}

/* Contents */

static int copy_content(struct export *export, struct tar_reader *reader, struct error **err)
{
    AUTO(free) char *buffer = xmalloc(BUFFER_SIZE);
    for (;;) {
        ssize_t n = cancel_check(err) < 0 ? -1 : tar_reader_data(reader, buffer, BUFFER_SIZE, err);
        if (n <= 0)
            return (int)n;
        if (tar_writer_data(export->tar, buffer, (size_t)n, err) < 0)
            return -1;
    }
}

static int write_file(struct export *export, size_t layer, struct tar_reader *reader,
                      const struct entry *entry, struct error **err)
{
    AUTO(free) char *key = xasprintf("%zu/%s", layer, entry->path);
    const char *name = hashmap_get(&export->files, key);
    if (!name)
        return 0;
    if (write_entry(export, entry, name, err) < 0 || copy_content(export, reader, err) < 0)
        return error_wrap(err, "%s", name);
    return 0;
}

static int write_layer(struct export *export, size_t index, struct error **err)
{
    AUTO(descriptor_release) struct descriptor blob = { 0 };
    struct layer *layer = tree_layer(export->tree, index);
    if (layer_fetch(layer, err) < 0 || layer_wait(layer, &blob, NULL, err) < 0)
        return -1;
    int fd = store_open_blob(export->store, &blob.digest, err);
    if (fd < 0)
        return -1;
    struct source *source = decompress_source_new(source_fd_new(fd, true, "layer"), 0);
    AUTO(tar_reader_free)
    struct tar_reader *reader = tar_reader_new(source, TAR_READ_LAYER | TAR_READ_TAR_ONLY, err);
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    int more = reader ? 1 : -1;
    while (more > 0 && (more = tar_reader_next(reader, &entry, err)) > 0)
        if (entry.type == ENTRY_FILE && write_file(export, index, reader, &entry, err) < 0)
            return -1;
    return more;
}

static int write_links(struct export *export, struct error **err)
{
    for (size_t i = 0; i < export->links.n_entries; i++)
        if (tar_writer_entry(export->tar, &export->links.entries[i], err) < 0)
            return -1;
    return 0;
}

static int write_tree(struct export *export, struct error **err)
{
    hashmap_init(&export->files, free);
    strvec_push(&export->directories, "");
    for (size_t i = 0; i < export->directories.n; i++) {
        AUTO(free) char *directory = xstrdup(export->directories.items[i]); /* the list grows */
        if (list_directory(export, directory, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < tree_n_layers(export->tree); i++)
        if (write_layer(export, i, err) < 0)
            return error_wrap(err, "layer %zu", i + 1);
    return write_links(export, err);
}

int export_tar_below(struct store *store, struct tree *tree, const char *prefix,
                     struct tar_writer *tar, struct error **err)
{
    const struct entry top = { .type = ENTRY_DIRECTORY, .mode = 0755 };
    AUTO(export_release)
    struct export export = { .store = store, .tree = tree, .prefix = prefix, .tar = tar };
    if (*prefix && write_entry(&export, &top, "", err) < 0)
        return -1;
    return write_tree(&export, err);
}

int export_tar(struct store *store, struct tree *tree, struct sink *to, struct error **err)
{
    AUTO(tar_writer_free) struct tar_writer *tar = tar_writer_new(to);
    return export_tar_below(store, tree, "", tar, err) < 0 ? -1 : tar_writer_finish(tar, err);
}

struct tree *export_tree(struct store *store, const struct image *image)
{
    AUTO(tree_unref) struct tree *tree = tree_new(store);
    for (size_t i = 0; i < image->manifest.n_layers; i++) {
        AUTO(layer_unref)
        struct layer *layer =
            layer_from_blob(store, &image->manifest.layers[i], &image->config.diff_ids[i], NULL);
        struct tree *more = tree_push(tree, layer);
        tree_unref(tree);
        tree = more;
    }
    return TAKE(tree);
}
