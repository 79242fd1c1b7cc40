/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The paths that a COPY has looked at or put: found by path, and by their directory. There can be
 * millions, so they lie in one array, which becomes the layer's list of entries in its place, and
 * the index keeps no path of its own. Internal to copy_dest*.c.
 */
#ifndef CBUILD_BUILDER_COPY_NODES_H
#define CBUILD_BUILDER_COPY_NODES_H

#include "builder/copy_content.h"

#include <stdint.h>

/* Numbers are those of nodes[]; 0 is the root, which is nobody's child: as a link, none. */
struct copy_node {
    struct entry entry; /* as it is now; only the path counts when not present; "" is the root,
                           NULL: dropped; the path stays that of the node */
    struct tree_entry *below; /* what the layers below show there, when in_below; NULL: the root */
    uint32_t child, next;     /* the first in it; the next in its directory */
    uint32_t group;           /* names of one file; 0: none */
    uint32_t tag : 24;        /* of its path's hash */
    bool present : 1;
    bool in_below : 1;
    bool touched : 1;     /* put, or its attributes set */
    bool fresh : 1;       /* a directory made here: nothing of the layers below shows in it */
    bool hides_below : 1; /* in place of a removed directory, or in one that is */
    bool in_layer : 1;    /* found at the end */
};

struct copy_nodes {
    struct copy_node *list; /* from the spill, which is borrowed; NULL: ordinary memory */
    struct spill *spill;
    size_t n_list, list_capacity;
    struct arena paths; /* of the entries; from the spill, too */
    uint32_t *slots;    /* number + 1 by hash of the path; 0: free */
    size_t n_slots;
};

/* Before the first one is added. Without it nothing but zeros is needed. */
void copy_nodes_use(struct copy_nodes *nodes, struct spill *spill);
/* All that they own; `below` isn't. */
void copy_nodes_release(struct copy_nodes *nodes);
/* NULL: there is none. Pointers are valid until the next one is added. */
struct copy_node *copy_nodes_find(const struct copy_nodes *nodes, const char *path);
/* A path that isn't there, in a directory that is; the first one is the root, in NULL. ERR_LIMIT:
 * too many. */
struct copy_node *copy_nodes_add(struct copy_nodes *nodes, const struct copy_node *directory,
                                 const char *path, struct error **err);
/* All that is in it, at any depth. */
void copy_nodes_drop_children(struct copy_nodes *nodes, struct copy_node *node);
/* The entries of nodes in the layer, the root left out, in the order in which they were added;
 * nothing else is left of the nodes. The list has room for `n_more`, zeroed, whose paths are to be
 * of its memory. */
void copy_nodes_take_entries(struct copy_nodes *nodes, size_t n_more, struct entry_list *ret);

#endif
