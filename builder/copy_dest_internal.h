/* SPDX-License-Identifier: Apache-2.0 */
/* What copy_dest.c (changing the tree) and copy_dest_finish.c (the layer it gives) share. */
#ifndef CBUILD_BUILDER_COPY_DEST_INTERNAL_H
#define CBUILD_BUILDER_COPY_DEST_INTERNAL_H

#include "base/arena.h"
#include "base/hashmap.h"
#include "builder/copy_dest.h"
#include "builder/copy_nodes.h"

struct copy_dest {
    struct tree *below; /* NULL: nothing */
    struct copy_content *content;
    int64_t now;
    struct arena arena;      /* what nodes have below */
    struct copy_nodes nodes; /* with each its parents */
    struct hashmap groups;   /* link key to group */
    uint32_t n_groups;
};

#endif
