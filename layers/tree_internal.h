/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of tree.h share: tree.c holds the nodes and their indexes,
 * tree_lookup.c finds paths, tree_content.c opens files and makes forms.
 *
 * A lookup in hundreds of layers must not ask each of them. So a node's index covers
 * its own layer and as many below as are together at most twice as large; below those
 * follows the next node's, more than twice as large: at most 32 indexes for any depth, and an
 * entry is copied a logarithmic number of times.
 */
#ifndef CBUILD_LAYERS_TREE_INTERNAL_H
#define CBUILD_LAYERS_TREE_INTERNAL_H

#include "layers/tree.h"
#include "layers/tree_index.h"

#include <pthread.h>
#include <stdatomic.h>

#define TREE_MAX_INDEXES 33

struct form_writer;

struct tree {
    atomic_uint n_refs;
    struct store *store;
    struct tree *parent; /* NULL: the empty tree */
    struct layer *layer;
    size_t n_layers;

    pthread_mutex_t lock; /* while making what follows; never held with a higher node's */
    atomic_bool is_indexed;
    struct tree_index *own, *merged; /* of the layer; with those below (NULL: own serves) */
    const struct tree_index *index;  /* NULL: the layer is empty */
    const struct tree *rest;         /* what `index` doesn't cover */
    struct digest chain_id;

    pthread_mutex_t form_lock; /* while making the form; may wait for lower nodes' */
    int form_fd;               /* -1: not asked for yet */
    int merged_fd;             /* of it and those below, see tree_content.c; -1: none yet */
    bool is_merging;           /* or was tried */
};

/* Makes the index of the tree and of all below. */
int tree_load(struct tree *tree, struct error **err) WARN_UNUSED;
/* The node whose topmost layer is `layer`. */
struct tree *tree_at_layer(struct tree *tree, size_t layer);
/* An O_PATH fd of the form of its topmost layer; -1 with *err NULL when there is none. */
int tree_find_form(struct tree *node, const struct digest *diff_id, struct error **err) WARN_UNUSED;
/*
 * The form is complete: names it; an O_PATH fd. Its name is asked for last, since the chain may
 * wait for the streams of steps below.
 */
int tree_commit_form(struct form_writer *form, struct tree *node, const struct digest *diff_id,
                     struct error **err) WARN_UNUSED;
/* The nodes of a tree with layers, lowest first; free() it. */
struct tree **tree_nodes(struct tree *tree);

#endif
