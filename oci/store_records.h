/* SPDX-License-Identifier: Apache-2.0 */
/* Cache records as collecting sees them: what they keep, and how much of the disk that is. */
#ifndef CBUILD_OCI_STORE_RECORDS_H
#define CBUILD_OCI_STORE_RECORDS_H

#include "base/hashmap.h"
#include "oci/store.h"

/* What a tree takes on disk; what can't be read counts nothing. */
uint64_t store_tree_size(int dir_fd, const char *name);

/* Hex name to bytes on disk, boxed (free): of blobs and forms. */
int store_sizes(const struct store *store, struct hashmap *sizes, struct error **err) WARN_UNUSED;

struct store_records_limits {
    bool all;            /* every record goes, but for: */
    int64_t used_before; /* those used since then; 0: no such limit */
    uint64_t cap;        /* bytes that records may keep */
};

/*
 * Adds to `names` what the records within the cap keep, most recently used first; what `names`
 * holds already costs nothing. Records beyond are unlinked, but for those whose own name is in
 * `names`. Returns the count of removed ones.
 */
int store_records_mark(const struct store *store, const struct store_records_limits *limits,
                       const struct hashmap *sizes, struct hashmap *names, uint64_t *n_removed,
                       struct error **err) WARN_UNUSED;

#endif
