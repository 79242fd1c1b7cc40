/* SPDX-License-Identifier: Apache-2.0 */
/* What images, inspect and history tell of an image. */
#ifndef CBUILD_CLI_IMAGE_INFO_H
#define CBUILD_CLI_IMAGE_INFO_H

#include "oci/image.h"

/*
 * Size of a layer as docker counts it: the sum of its files' sizes, unpacked. Read from entries/,
 * else by scanning the blob. A layer whose blob isn't there counts 0.
 */
int layer_unpacked_size(struct store *store, const struct descriptor *blob, uint64_t *ret,
                        struct error **err) WARN_UNUSED;
/* Sum over all layers. */
int image_unpacked_size(struct store *store, const struct manifest *manifest, uint64_t *ret,
                        struct error **err) WARN_UNUSED;

/* "12.3MB" in units of 1000 with three digits, as docker prints sizes. */
void format_size(uint64_t size, char out[32]);
/* "3 days ago", from RFC 3339 text (NULL: "N/A"). */
void format_age(const char *created, char out[64]);

#endif
