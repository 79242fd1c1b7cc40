/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one layer, or several adjacent ones taken together, say of each path.
 * Pure; tree.h puts it to use.
 *
 * Entry lists of foreign tars are unsorted, name paths twice and leave out
 * parents; an index has one record per path, parents always included, in
 * path_compare() order, so that a directory's subtree is the range up to `end`.
 *
 * How the entries of one tar combine (the same as apply.h does on disk):
 * 1. They count in their order; directory over directory keeps the children.
 * 2. Any other thing takes the place of what stood there, children included.
 * 3. A path beneath something that isn't a directory puts a directory in its place, which shows
 *    nothing of the layers below.
 * 4. Whiteouts and opaque marks hide what lower layers have, never what their own layer brings.
 */
#ifndef CBUILD_LAYERS_TREE_INDEX_H
#define CBUILD_LAYERS_TREE_INDEX_H

#include "base/strvec.h"
#include "layers/entry.h"

struct tree_record {
    const char *path;
    const struct entry *entry; /* NULL: a whiteout, or a directory known by what lies beneath */
    uint32_t layer; /* that `entry` comes from; without one, the topmost that tells of it */
    uint32_t end;   /* index behind the last record beneath this one */
    bool directory; /* it is one here, named or not */
    bool hide;      /* nothing of the layers below shows at this path or beneath it */
    bool opaque;    /* nothing of them shows beneath it */
};

struct tree_index {
    struct tree_record *records; /* [0] is the root, path "" */
    size_t n_records, records_capacity;
    struct strvec names; /* paths of directories that no entry names */
};

/* The entries must outlive the index. `layer` is written into the records. */
struct tree_index *tree_index_new(const struct entry_list *list, uint32_t layer);
/* As one layer; both must outlive it. */
struct tree_index *tree_index_merge(const struct tree_index *upper, const struct tree_index *lower);
void tree_index_free(struct tree_index *index);
DEFINE_AUTO(struct tree_index, tree_index_free)

/* The child `name` (size bytes) of a record of this index; NULL when it has none. */
const struct tree_record *tree_index_child(const struct tree_index *index,
                                           const struct tree_record *parent, const char *name,
                                           size_t size);

#endif
