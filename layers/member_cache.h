/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compressed members of an earlier layer, found by the SHA-256 of what went in: a rebuilt
 * layer takes from them instead of compressing again. Only where the codec is the same in
 * kind, level and version, so that bytes never depend on what was built before.
 *
 * Immutable after opening; any thread.
 */
#ifndef CBUILD_LAYERS_MEMBER_CACHE_H
#define CBUILD_LAYERS_MEMBER_CACHE_H

#include "layers/compress.h"
#include "layers/entries.h"

struct member_cache;

/*
 * NULL with *err NULL: there is nothing to take (blob or its entries gone, another codec). NULL
 * with *err: never for a missing or damaged cache.
 */
struct member_cache *member_cache_open(struct store *store, const struct digest *blob,
                                       const struct compression *compression, struct error **err);
void member_cache_free(struct member_cache *cache);
DEFINE_AUTO(struct member_cache, member_cache_free)

/* True and the compressed bytes appended to out, where there is a member of this input. */
bool member_cache_get(const struct member_cache *cache, const uint8_t input[SHA256_SIZE],
                      uint64_t input_size, struct strbuf *out);

#endif
