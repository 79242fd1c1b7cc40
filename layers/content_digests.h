/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 of the contents of a layer's files, learnt one by one when a key needs them, and kept
 * beside the layer's entry list in entries/content-HEX (HEX: the blob's digest), so that no file is
 * read for it twice. A cache: a file that is missing, damaged or of another version is empty.
 * docs/FORMAT.md, "Content digests". Not thread-safe: a layer locks its own.
 */
#ifndef CBUILD_LAYERS_CONTENT_DIGESTS_H
#define CBUILD_LAYERS_CONTENT_DIGESTS_H

#include "oci/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct content_digests {
    size_t n; /* entries of the list; 0: nothing is known and nothing has been asked for */
    uint8_t (*digests)[SHA256_SIZE]; /* from the spill; those that are known */
    bool *known;
    struct spill *spill; /* borrowed */
    bool is_new;         /* something was learnt since it was read or written */
};

/* `n`: the length of the entry list that indexes mean. */
void content_digests_init(struct content_digests *digests, size_t n, struct spill *spill);
void content_digests_release(struct content_digests *digests);
DEFINE_AUTO_STRUCT(struct content_digests, content_digests_release)

bool content_digests_get(const struct content_digests *digests, size_t index,
                         uint8_t out[SHA256_SIZE]);
void content_digests_put(struct content_digests *digests, size_t index,
                         const uint8_t digest[SHA256_SIZE]);

/* Adds what was kept for the blob; what is known already stays. */
void content_digests_read(struct content_digests *digests, struct store *store,
                          const struct digest *blob);
/* Replaces what was kept. */
int content_digests_write(struct content_digests *digests, struct store *store,
                          const struct digest *blob, struct error **err) WARN_UNUSED;

#endif
