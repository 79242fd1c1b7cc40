/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CBUILD_LAYERS_IMAGE_CHECK_H
#define CBUILD_LAYERS_IMAGE_CHECK_H

#include "oci/blob_watcher.h"
#include "oci/store.h"

/*
 * Before an image from elsewhere gets a name: every layer decompresses whole to what the config
 * calls it (RELIABILITY 13), so nobody finds a bad image only when it is used. What is learned on
 * the way, the entry list, is kept for the first build on it. Artifacts are opaque. ERR_DIGEST,
 * ERR_INVALID.
 */
int image_check(struct store *store, const struct descriptor *target,
                struct error **err) WARN_UNUSED;

/* Makes the entry lists of layers while they arrive, which leaves image_check() little to read. */
extern const struct blob_watcher image_check_watcher;

#endif
