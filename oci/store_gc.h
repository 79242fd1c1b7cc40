/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collecting what nothing refers to. Roots: tags and untagged entries, leases
 * of living processes, and cache records as long as what they keep fits their
 * share of the disk (a fifth of the file system, at most 50 GiB; least recently
 * used first out). Marks and unlinks under the exclusive store lock; trees get
 * another name there and are removed after it.
 *
 * What stays: blobs that a root's manifests reach; entries/HEX, sources/HEX and
 * partial/HEX of such blobs; layers/FORM/d-HEX and c-HEX of their diff_ids and
 * chain_ids; and whatever carries a leased name. A record keeps every name that
 * it holds as "sha256:HEX". layers/FORM/p-* stays while store_lock(store, "p-...") on
 * its name is held, or a record of state "ran" and of this boot names it; such a record goes when
 * its form is gone. Directories of cache mounts: store_mounts.h. Other folders are never touched.
 */
#ifndef CBUILD_OCI_STORE_GC_H
#define CBUILD_OCI_STORE_GC_H

#include "oci/store.h"

enum store_gc_flags {
    STORE_GC_RECORDS = 1 << 0, /* drop all cache records, context records and cache mounts first
                                  (prune --all) */
    STORE_GC_TRY = 1 << 1,     /* give up silently when another process holds the store lock */
};

/* What of the build cache goes: records, and directories of cache mounts. */
struct store_gc_limits {
    unsigned flags; /* enum store_gc_flags */
    int64_t
        used_before;   /* with STORE_GC_RECORDS: what was used since then stays; 0: nothing does */
    uint64_t max_size; /* of both together; 0: records have their share, and mounts one as large */
};

struct store_gc_result {
    uint64_t n_blobs, n_forms, n_records, n_mounts;
    uint64_t n_left; /* forms of another id map: gone from the store, but still on disk until that
                        map collects */
    uint64_t size;   /* bytes freed on disk */
};

int store_gc(struct store *store, unsigned flags, struct store_gc_result *ret,
             struct error **err) WARN_UNUSED;
int store_gc_limited(struct store *store, const struct store_gc_limits *limits,
                     struct store_gc_result *ret, struct error **err) WARN_UNUSED;

/*
 * Whether enough was stored since the last collecting to look again: a tenth of what records may
 * take, at least 1 GiB. For the end of a build, which then collects with STORE_GC_TRY. One stat,
 * two at most.
 */
bool store_gc_is_due(const struct store *store);

struct store_fsck_result {
    uint64_t n_checked, n_bad, n_repaired;
};

/*
 * Hashes every blob and looks whether tags can be read and their images are whole; `bad` (may be
 * NULL) is told each damaged or missing one. repair: damaged blobs and tag files are removed (they
 * can be pulled or built again); an image that lacks blobs keeps its name.
 */
int store_fsck(struct store *store, bool repair,
               void (*bad)(void *data, const struct digest *digest, const char *why), void *data,
               struct store_fsck_result *ret, struct error **err) WARN_UNUSED;

#endif
