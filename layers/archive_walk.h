/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All blobs of an image, found by walking its documents. Each is leased, must be
 * in the store, and must have the size that its descriptor says.
 *
 * Of an index, manifests that aren't there (other platforms, never pulled) are passed over, but one
 * must be whole. Foreign layers may be missing.
 */
#ifndef CBUILD_LAYERS_ARCHIVE_WALK_H
#define CBUILD_LAYERS_ARCHIVE_WALK_H

#include "base/hashmap.h"
#include "oci/manifest.h"
#include "oci/store.h"

struct archive_walk {
    struct store *store;
    struct hashmap blobs;     /* hex digest → uint64_t *size, in the order of the walk */
    struct hashmap documents; /* hex digests of manifests and indexes that are whole */
    /* Told of each manifest whose blobs are all there, once; NULL: nobody. */
    int (*manifest)(struct archive_walk *walk, const struct manifest *manifest, struct error **err);
};

void archive_walk_init(struct archive_walk *walk, struct store *store);
void archive_walk_release(struct archive_walk *walk);
DEFINE_AUTO_STRUCT(struct archive_walk, archive_walk_release)

/* desc: a manifest or an index. ERR_NOT_FOUND: a blob isn't there; ERR_DIGEST: another size. */
int archive_walk_image(struct archive_walk *walk, const struct descriptor *desc,
                       struct error **err) WARN_UNUSED;

#endif
