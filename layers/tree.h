/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a chain of layers shows: the merged tree, asked from the top layer down,
 * knowing whiteouts and opaque directories. Answers come from entry lists; a
 * directory form is made only when content is opened or lowers are asked for.
 *
 * Immutable and reference-counted: a tree is its parent and one layer more.
 * Thread-safe.
 */
#ifndef CBUILD_LAYERS_TREE_H
#define CBUILD_LAYERS_TREE_H

#include "base/source.h"
#include "base/strvec.h"
#include "layers/layer.h"

struct tree;

/* The empty tree of a store ("FROM scratch"). */
struct tree *tree_new(struct store *store);
/* parent and layer are referenced, not consumed. No work is done here: entries are loaded when
 * first asked. */
struct tree *tree_push(struct tree *parent, struct layer *layer);
struct tree *tree_ref(struct tree *tree);
void tree_unref(struct tree *tree);
DEFINE_AUTO(struct tree, tree_unref)

size_t tree_n_layers(const struct tree *tree);
struct layer *tree_layer(const struct tree *tree, size_t index); /* lowest is 0; borrowed */
struct tree *tree_parent(const struct tree *tree); /* borrowed; NULL for the empty tree */
/* Waits for all diff_ids. Unset for the empty tree. */
int tree_chain_id(struct tree *tree, struct digest *ret, struct error **err) WARN_UNUSED;

struct tree_entry {
    const struct entry
        *entry;   /* of the layer; NULL: a directory that no layer names (0755, 0:0, time 0) */
    size_t layer; /* index of the layer that shows it */
    char *path;   /* the real path that was found, clean, relative; "" is the root */
};

void tree_entry_release(struct tree_entry *entry);
DEFINE_AUTO_STRUCT(struct tree_entry, tree_entry_release)
bool tree_entry_is_directory(const struct tree_entry *entry);
/* For a hard link: the attributes and content of the file it leads to (same layer or below). */
int tree_resolve_hardlink(struct tree *tree, const struct tree_entry *from, struct tree_entry *ret,
                          struct error **err) WARN_UNUSED;

enum tree_lookup_flags {
    TREE_FOLLOW = 1 << 0,   /* follow a symlink at the last component too */
    TREE_NO_LINKS = 1 << 1, /* follow none: the path is taken literally */
};

/*
 * 1 found, 0 not there, -1. Symlinks on the way are followed inside the root (at most 40:
 * ERR_LIMIT). ret->path is set also when it returns 0 and the parent exists: where the thing would
 * be.
 */
int tree_lookup(struct tree *tree, const char *path, unsigned flags, struct tree_entry *ret,
                struct error **err) WARN_UNUSED;
/* As far as path exists, links resolved; the rest is appended as it is: mkdir -p's view. free()
 * *real. */
int tree_real_path(struct tree *tree, const char *path, bool follow_last, char **real,
                   struct error **err) WARN_UNUSED;
/* Names of the merged children of a directory (a real path), sorted. */
int tree_list(struct tree *tree, const char *path, struct strvec *names,
              struct error **err) WARN_UNUSED;
/* Content of a file (or hard link to one). Makes a directory form of its layer where there is none.
 */
struct source *tree_open(struct tree *tree, const struct tree_entry *entry, struct error **err);
/*
 * SHA-256 of a file's content (or a hard link's). Read once; then the layer knows it, and after
 * tree_keep_contents() every later process too.
 */
int tree_content_digest(struct tree *tree, const struct tree_entry *entry, uint8_t out[SHA256_SIZE],
                        struct error **err) WARN_UNUSED;
/* Of a file; false also for a hard link. */
bool tree_known_content(struct tree *tree, const struct tree_entry *entry,
                        uint8_t out[SHA256_SIZE]);
/* Waits for the streams of layers of which something was learnt. */
int tree_keep_contents(struct tree *tree, struct error **err) WARN_UNUSED;
/* A small file whole, links followed; 1, 0 when absent, -1; ERR_INVALID when not a regular file,
 * ERR_LIMIT. */
int tree_read_file(struct tree *tree, const char *path, struct strbuf *buf, size_t max,
                   struct error **err) WARN_UNUSED;

/*
 * For a chain whose lowers are many: merges those of each full group of layers that is complete by
 * now (merged_form.h) in tasks of `group`, so that later mounts have fewer. After tree_lowers(). A
 * failure isn't reported: nothing depends on it.
 */
void tree_merge_forms(struct tree *tree, struct pool_group *group);

/*
 * Directory forms of all layers, top first, for an overlay mount: O_PATH fds that belong to the
 * layers (valid while the tree lives). Forms that are missing are made, in parallel on `pool`
 * (NULL: here). Layers without entries, equal ones but the topmost, and what an opaque root
 * hides are left out. `fds` is an array from malloc.
 */
int tree_lowers(struct tree *tree, struct pool *pool, int **fds, size_t *n_fds,
                struct error **err) WARN_UNUSED;

#endif
