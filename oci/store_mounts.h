/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of RUN --mount=type=cache, as a whole: who uses one, when it was used last, and
 * removing those that nobody wants. Beside cache/mounts/NAME stands NAME.id: the mount's id as
 * text, and as its time that of the last use. The lock "use-NAME" is held shared by every step that
 * has it mounted, whatever its sharing, and exclusively by who takes it away: for good, or into
 * the tree of a step where nothing can be mounted.
 */
#ifndef CBUILD_OCI_STORE_MOUNTS_H
#define CBUILD_OCI_STORE_MOUNTS_H

#include "oci/store.h"

struct store_mount {
    char *name, *id; /* id "": it isn't known */
    uint64_t size;
    int64_t used_ns; /* since 1970 */
};

struct store_mounts {
    struct store_mount *items; /* least recently used first */
    size_t n_items, items_capacity;
};

void store_mounts_release(struct store_mounts *mounts);
DEFINE_AUTO_STRUCT(struct store_mounts, store_mounts_release)

struct store_mount_request {
    const char *name, *id;
    bool alone; /* nobody else may have it meanwhile; not twice in one thread */
    /* asked while it waits (may be NULL): -1 gives up with this error */
    int (*check)(void *data, struct error **err);
    void *check_data;
};

/* Before it is looked whether the directory is there. Kept as long as the lock. */
struct lockfile *store_mount_use(struct store *store, const struct store_mount_request *request,
                                 struct error **err);

/* Sizes take a walk of each. */
int store_mounts_list(const struct store *store, struct store_mounts *ret,
                      struct error **err) WARN_UNUSED;

struct store_mounts_limits {
    bool all;            /* every one, whatever its size, but for: */
    int64_t used_before; /* those used since then, in seconds; 0: no such limit */
    uint64_t max_size;   /* not all: least recently used go until the rest takes no more */
};

/*
 * What is in use stays. Adds to *n and *size what was removed, and to *left (NULL: nobody asks) the
 * bytes that stay.
 */
int store_mounts_collect(struct store *store, const struct store_mounts_limits *limits, uint64_t *n,
                         uint64_t *size, uint64_t *left, struct error **err) WARN_UNUSED;

#endif
