/* SPDX-License-Identifier: Apache-2.0 */
/* An image of the store read as a whole: manifest chosen by platform, and config. */
#ifndef CBUILD_OCI_IMAGE_H
#define CBUILD_OCI_IMAGE_H

#include "oci/image_config.h"
#include "oci/manifest.h"
#include "oci/store.h"

struct image {
    struct descriptor target;     /* what was asked for: manifest or index */
    struct descriptor descriptor; /* of the manifest */
    struct manifest manifest;
    struct image_config config;
};

void image_release(struct image *image);
DEFINE_AUTO_STRUCT(struct image, image_release)

/*
 * desc: a manifest or an index of the store; platform chooses in an index (NULL: the host's).
 * Verifies documents by digest, and that layers, diff_ids and history pair.
 * ERR_UNSUPPORTED: an artifact whose config is not an image config.
 */
int image_read(struct store *store, const struct descriptor *desc, const struct platform *platform,
               struct image *ret, struct error **err) WARN_UNUSED;

/* A document by its descriptor: as store_read_blob(), and a size that differs is ERR_DIGEST. */
int image_read_document(struct store *store, const struct descriptor *desc, size_t max,
                        struct strbuf *buf, struct error **err) WARN_UNUSED;

/*
 * Of an index in `desc` the platform's image takes its place; a manifest stays. ERR_NOT_FOUND lists
 * the platforms there are.
 */
int image_choose(struct store *store, const struct platform *platform, struct descriptor *desc,
                 struct error **err) WARN_UNUSED;

#endif
