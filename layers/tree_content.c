/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "layers/apply.h"
#include "layers/merged_form.h"
#include "layers/snapshot.h"
#include "layers/tar_read.h"
#include "layers/tree_internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

/* Making forms */

static int unpack(struct form_writer *form, struct tar_reader *tar, struct error **err)
{
    AUTO(entry_release) struct entry entry = { 0 };
    int found;
    while ((found = tar_reader_next(tar, &entry, err)) > 0)
        if (form_writer_unpack(form, tar, &entry, err) < 0)
            return -1;
    return found;
}

int tree_commit_form(struct form_writer *form, struct tree *node, const struct digest *diff_id,
                     struct error **err)
{
    struct digest chain_id = { 0 };
    if (form_writer_finish(form, err) < 0 ||
        (form_writer_needs_chain(form) && tree_chain_id(node, &chain_id, err) < 0))
        return -1;
    return form_writer_commit(form, diff_id, &chain_id, err);
}

static int unpack_blob(struct tree *node, const struct descriptor *blob,
                       const struct digest *diff_id, struct error **err)
{
    int fd = store_open_blob(node->store, &blob->digest, err);
    if (fd < 0)
        return -1;
    AUTO(tar_reader_free)
    struct tar_reader *tar = tar_reader_new(source_fd_new(fd, true, "layer"), TAR_READ_LAYER, err);
    if (!tar)
        return -1;
    AUTO(form_writer_free)
    struct form_writer *form = form_writer_new(node->store, node->parent, err);
    if (!form || unpack(form, tar, err) < 0)
        return -1;
    return tree_commit_form(form, node, diff_id, err);
}

static bool chain_is_known(const struct tree *node)
{
    for (; node->parent; node = node->parent)
        if (!layer_is_done(node->layer))
            return false;
    return true;
}

int tree_find_form(struct tree *node, const struct digest *diff_id, struct error **err)
{
    struct digest chain_id = { 0 };
    /* a layer upon a step that still streams is one of ours, which names its parents: d-HEX */
    if (chain_is_known(node) && tree_chain_id(node, &chain_id, err) < 0)
        return -1;
    return snapshot_find(node->store, diff_id, &chain_id, err);
}

/* The form of a layer whose digests are known: found, or made by one process at a time. */
static int find_or_make_form(struct tree *node, const struct descriptor *blob,
                             const struct digest *diff_id, struct error **err)
{
    int fd = tree_find_form(node, diff_id, err);
    if (fd >= 0 || *err)
        return fd;
    /* a lazily pulled blob is fetched, and checked against its diff_id */
    if (layer_fetch(node->layer, err) < 0 || !layer_entries(node->layer, err))
        return -1;
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(diff_id, hex);
    AUTO(free) char *name = xasprintf("form-%s", hex);
    AUTO(lockfile_release) struct lockfile *lock = store_lock(node->store, name, err);
    if (!lock)
        return -1;
    fd = tree_find_form(node, diff_id, err);
    return fd >= 0 || *err ? fd : unpack_blob(node, blob, diff_id, err);
}

static int make_form(struct tree *node, struct error **err)
{
    const struct snapshot *snapshot = layer_snapshot(node->layer);
    if (snapshot)
        return io_dup(snapshot_upper_fd(snapshot), err);
    AUTO(descriptor_release) struct descriptor blob = { 0 };
    struct digest diff_id;
    if (layer_wait(node->layer, &blob, &diff_id, err) < 0)
        return -1;
    int fd = find_or_make_form(node, &blob, &diff_id, err);
    char text[DIGEST_TEXT_SIZE];
    digest_format(&blob.digest, text);
    return fd < 0 ? error_wrap(err, "layer %s", text) : fd;
}

/* An O_PATH fd of the node's form, which belongs to the node. */
static int node_form(struct tree *node, struct error **err)
{
    (void)pthread_mutex_lock(&node->form_lock);
    if (node->form_fd < 0)
        node->form_fd = make_form(node, err);
    int fd = node->form_fd;
    (void)pthread_mutex_unlock(&node->form_lock);
    return fd;
}

static int node_form_task(void *data, struct error **err)
{
    return node_form(data, err) < 0 ? -1 : 0;
}

/* Content */

struct source *tree_open(struct tree *tree, const struct tree_entry *entry, struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    if (tree_resolve_hardlink(tree, entry, &file, err) < 0)
        return NULL;
    if (tree_entry_is_directory(&file) || file.entry->type != ENTRY_FILE)
        return error_set_null(err, ERR_INVALID, "%s: not a regular file", file.path);
    int form = node_form(tree_at_layer(tree, file.layer), err);
    if (form < 0)
        return NULL;
    AUTO(close) int fd = fs_open_beneath(form, file.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, err);
    struct stat st;
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) < 0)
        return error_errno_null(err, "looking at %s", file.path);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != file.entry->size)
        return error_set_null(err, ERR_STORE,
                              "directory form of a layer: %s isn't what the layer has", file.path);
    struct source *source = source_fd_new(fd, true, file.path);
    (void)take_fd(&fd); /* it is the source's */
    return source;
}

bool tree_known_content(struct tree *tree, const struct tree_entry *entry, uint8_t out[SHA256_SIZE])
{
    return entry->entry && entry->entry->type == ENTRY_FILE &&
           layer_known_content(tree_at_layer(tree, entry->layer)->layer, entry->entry, out);
}

int tree_content_digest(struct tree *tree, const struct tree_entry *entry, uint8_t out[SHA256_SIZE],
                        struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    if (tree_resolve_hardlink(tree, entry, &file, err) < 0)
        return -1;
    if (tree_known_content(tree, &file, out))
        return 0;
    if (file.entry && file.entry->type == ENTRY_FILE && !file.entry->size) {
        sha256_of("", 0, out); /* no form is made for nothing */
        return 0;
    }
    AUTO(source_free) struct source *source = tree_open(tree, &file, err);
    if (!source)
        return -1;
    AUTO(sink_free) struct sink *sink = sink_sha256_new(NULL, out, NULL);
    if (source_pump(source, sink, NULL, err) < 0 || sink_finish(sink, err) < 0)
        return -1;
    layer_learn_content(tree_at_layer(tree, file.layer)->layer, file.entry, out);
    return 0;
}

int tree_keep_contents(struct tree *tree, struct error **err)
{
    for (struct tree *node = tree; node->parent; node = node->parent)
        if (layer_keep_contents(node->layer, err) < 0)
            return -1;
    return 0;
}

int tree_read_file(struct tree *tree, const char *path, struct strbuf *buf, size_t max,
                   struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry found = { 0 };
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    int there = tree_lookup(tree, path, TREE_FOLLOW, &found, err);
    if (there <= 0)
        return there;
    if (tree_entry_is_directory(&found))
        return error_set(err, ERR_INVALID, "%s: not a regular file", path);
    if (tree_resolve_hardlink(tree, &found, &file, err) < 0)
        return -1;
    if (file.entry->type != ENTRY_FILE)
        return error_set(err, ERR_INVALID, "%s: not a regular file", path);
    if (file.entry->size > max)
        return error_set(err, ERR_LIMIT, "%s: %" PRIu64 " bytes, more than %zu", path,
                         file.entry->size, max);
    if (!file.entry->size)
        return 1;
    AUTO(source_free) struct source *source = tree_open(tree, &file, err);
    if (!source || source_read_all(source, buf, max, err) < 0)
        return -1;
    return 1;
}

/* Lowers */

/* Overlay doesn't look whether a layer's root is opaque: what such a layer hides is left out. */
static bool root_is_opaque(const struct entry_list *list)
{
    for (size_t i = 0; i < list->n_entries; i++)
        if (list->entries[i].type == ENTRY_OPAQUE && !list->entries[i].path[0])
            return true;
    return false;
}

/* What a mount needs of the chain at this node. */
struct visible {
    struct tree *node;
    int merged_fd; /* the form of it and those below in one, the node's; -1: its own */
};

/* Where a merged form may end. */
static bool is_group_end(const struct tree *node)
{
    return node->n_layers && node->n_layers % MERGED_LAYERS == 0;
}

static int merged_name(struct tree *node, struct digest *ret, struct error **err)
{
    struct digest top, below = { 0 };
    if (tree_chain_id(node, &top, err) < 0)
        return -1;
    if (node->n_layers > MERGED_LAYERS &&
        tree_chain_id(tree_at_layer(node, node->n_layers - MERGED_LAYERS - 1), &below, err) < 0)
        return -1;
    *ret = merged_form_name(&top, &below);
    return 0;
}

/* -1 with *err NULL: there is none yet. */
static int node_merged(struct tree *node, struct error **err)
{
    struct digest name;
    if (!chain_is_known(node) || merged_name(node, &name, err) < 0)
        return -1;
    (void)pthread_mutex_lock(&node->form_lock);
    if (node->merged_fd < 0)
        node->merged_fd = merged_form_find(node->store, &name, err);
    int fd = node->merged_fd;
    (void)pthread_mutex_unlock(&node->form_lock);
    return fd;
}

/* Topmost first; free() it. NULL on failure. */
static struct visible *visible_nodes(struct tree *tree, size_t *n, struct error **err)
{
    AUTO(free) struct visible *shown = xcalloc(tree->n_layers + 1, sizeof(*shown));
    *n = 0;
    for (struct tree *node = tree; node->parent; node = node->parent) {
        int merged_fd =
            tree->n_layers > MERGED_LAYERS && is_group_end(node) ? node_merged(node, err) : -1;
        if (*err)
            return NULL;
        if (merged_fd >= 0) {
            shown[(*n)++] = (struct visible){ node, merged_fd };
            node = tree_at_layer(node, node->n_layers - MERGED_LAYERS); /* the lowest of them */
            continue;
        }
        const struct entry_list *list = layer_entries(node->layer, err);
        if (!list)
            return NULL;
        if (list->n_entries)
            shown[(*n)++] = (struct visible){ node, -1 };
        if (root_is_opaque(list))
            break;
    }
    return TAKE(shown);
}

/* 1: the form is there. Not by the pool, whose threads may be compressing for a while. */
static int find_form(struct tree *node, struct error **err)
{
    struct digest diff_id;
    const bool is_done = layer_is_done(node->layer);
    if (is_done && layer_wait(node->layer, NULL, &diff_id, err) < 0)
        return -1;
    (void)pthread_mutex_lock(&node->form_lock);
    if (node->form_fd < 0 && is_done)
        node->form_fd = tree_find_form(node, &diff_id, err);
    const int fd = node->form_fd;
    (void)pthread_mutex_unlock(&node->form_lock);
    return *err ? -1 : fd >= 0;
}

static int make_forms(const struct visible *shown, size_t n, struct pool *pool, struct error **err)
{
    AUTO(pool_group_free) struct pool_group *group = pool && n > 1 ? pool_group_new(pool) : NULL;
    for (size_t i = n; i > 0; i--) {
        struct tree *node = shown[i - 1].node;
        if (shown[i - 1].merged_fd >= 0 || layer_snapshot(node->layer))
            continue; /* there already, and its stream must not be waited for */
        int found = find_form(node, err);
        if (found < 0)
            return -1;
        if (found)
            continue;
        if (!group) {
            if (node_form(node, err) < 0)
                return -1;
            continue;
        }
        /* a task must not wait for a stream that needs the same pool */
        if (layer_wait(node->layer, NULL, NULL, err) < 0)
            return -1;
        pool_submit(group, node_form_task, NULL, node);
    }
    return group ? pool_group_wait(group, err) : 0;
}

struct form_identity {
    dev_t dev;
    ino_t ino;
};

/*
 * Overlay refuses a directory that it has already. Two equal layers are the same form; the lower
 * one can be left out whatever lies between them: all that it shows or hides, the upper one shows
 * or hides as well.
 */
static int is_repeated(int fd, struct form_identity *known, size_t n, struct error **err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "looking at a directory form");
    known[n] = (struct form_identity){ st.st_dev, st.st_ino };
    for (size_t i = 0; i < n; i++)
        if (known[i].dev == st.st_dev && known[i].ino == st.st_ino)
            return 1;
    return 0;
}

int tree_lowers(struct tree *tree, struct pool *pool, int **fds, size_t *n_fds, struct error **err)
{
    size_t n, n_kept = 0;
    AUTO(free) struct visible *shown = visible_nodes(tree, &n, err);
    if (!shown || make_forms(shown, n, pool, err) < 0)
        return -1;
    AUTO(free) int *list = xcalloc(n + 1, sizeof(*list));
    AUTO(free) struct form_identity *known = xcalloc(n + 1, sizeof(*known));
    for (size_t i = 0; i < n; i++) {
        int merged_fd = shown[i].merged_fd;
        int fd = merged_fd >= 0 ? merged_fd : node_form(shown[i].node, err); /* made above */
        int repeated = fd < 0 ? -1 : is_repeated(fd, known, n_kept, err);
        if (repeated < 0)
            return -1;
        if (!repeated)
            list[n_kept++] = fd;
    }
    *fds = TAKE(list);
    *n_fds = n_kept;
    return 0;
}

/* Merging */

static void merge_drop(void *data)
{
    tree_unref(data);
}

/* The forms of a group, topmost first: all were mounted before. */
static int merge_group(struct tree *top, struct error **err)
{
    int fds[MERGED_LAYERS];
    size_t n = 0;
    struct digest name;
    if (merged_name(top, &name, err) < 0)
        return -1;
    struct tree *node = top;
    for (size_t i = 0; i < MERGED_LAYERS; i++, node = node->parent) {
        if (!layer_entries(node->layer, err))
            return -1;
        if (!layer_entries(node->layer, err)->n_entries)
            continue;
        fds[n] = node_form(node, err);
        if (fds[n++] < 0)
            return -1;
    }
    return n ? merged_form_make(top->store, fds, n, &name, err) : 0;
}

static int merge_task(void *data, struct error **err UNUSED)
{
    struct tree *top = data;
    AUTO(error_free) struct error *ignored = NULL; /* mounts go on with the single forms */
    if (merge_group(top, &ignored) < 0)
        error_clear(&ignored);
    tree_unref(top);
    return 0;
}

/* Small, and nothing in it hides all that is below. */
static bool is_mergeable(struct tree *top)
{
    AUTO(error_free) struct error *ignored = NULL;
    size_t n_entries = 0;
    uint64_t n_bytes = 0;
    struct tree *node = top;
    for (size_t i = 0; i < MERGED_LAYERS; i++, node = node->parent) {
        const struct entry_list *list = layer_entries(node->layer, &ignored);
        if (!list || root_is_opaque(list))
            return false;
        n_entries += list->n_entries;
        for (size_t k = 0; k < list->n_entries && n_entries <= MERGED_MAX_ENTRIES; k++)
            n_bytes += list->entries[k].size;
        if (n_entries > MERGED_MAX_ENTRIES || n_bytes > MERGED_MAX_BYTES)
            return false;
    }
    return true;
}

void tree_merge_forms(struct tree *tree, struct pool_group *group)
{
    for (struct tree *node = tree; node->parent; node = node->parent) {
        if (!is_group_end(node) || !chain_is_known(node))
            continue;
        (void)pthread_mutex_lock(&node->form_lock);
        bool is_new = node->merged_fd < 0 && !node->is_merging;
        node->is_merging = true;
        (void)pthread_mutex_unlock(&node->form_lock);
        if (is_new && is_mergeable(node))
            pool_submit(group, merge_task, merge_drop, tree_ref(node));
    }
}
