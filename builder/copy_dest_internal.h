/* SPDX-License-Identifier: Apache-2.0 */
/* What copy_dest.c (changing the tree) and copy_dest_finish.c (the layer it gives) share. */
#ifndef CBUILD_BUILDER_COPY_DEST_INTERNAL_H
#define CBUILD_BUILDER_COPY_DEST_INTERNAL_H

#include "base/arena.h"
#include "base/hashmap.h"
#include "builder/copy_dest.h"

struct copy_node {
    struct copy_node *next;   /* in the order in which they came */
    struct entry entry;       /* as it is now; only the path counts when not present */
    struct tree_entry *below; /* what the layers below show there, when in_below; NULL: the root */
    bool present;
    bool in_below;
    bool touched;     /* put, or its attributes set */
    bool fresh;       /* a directory made here: nothing of the layers below shows in it */
    bool hides_below; /* in place of a removed directory, or in one that is */
    bool in_layer;    /* found at the end */
    size_t group;     /* names of one file; 0: none */
};

struct copy_dest {
    struct tree *below; /* NULL: nothing */
    struct copy_content *content;
    int64_t now;
    struct arena arena; /* nodes */
    struct copy_node *first, **last;
    struct hashmap nodes;  /* by path, which is the node's; its parents are there too */
    struct hashmap groups; /* link key to group */
    size_t n_groups;
};

#endif
