/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collecting what nothing refers to. Roots: tags and untagged entries, leases
 * of living processes, and cache records. Marks and unlinks under the exclusive
 * store lock; blobs reachable from a root's manifests stay, as do directory forms
 * and entry lists of their layers.
 */
#ifndef CBUILD_OCI_STORE_GC_H
#define CBUILD_OCI_STORE_GC_H

#include "oci/store.h"

enum store_gc_flags {
    STORE_GC_RECORDS = 1 << 0, /* drop all cache records first (prune --all) */
    STORE_GC_TRY = 1 << 1,     /* give up silently when another process holds the store lock */
};

struct store_gc_result {
    uint64_t n_blobs, n_forms, n_records;
    uint64_t size; /* bytes freed on disk */
};

int store_gc(struct store *store, unsigned flags, struct store_gc_result *ret, struct error **err) WARN_UNUSED;

struct store_fsck_result {
    uint64_t n_checked, n_bad, n_repaired;
};

/* Hashes every blob; `bad` is told each damaged one. repair: damaged blobs are removed (they can be pulled or built again). */
int store_fsck(struct store *store, bool repair, void (*bad)(void *data, const struct digest *digest, const char *why),
               void *data, struct store_fsck_result *ret, struct error **err) WARN_UNUSED;

#endif
