/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/member_cache.h"

#include "base/hashmap.h"
#include "base/io.h"
#include "base/mem.h"

#include <libdeflate.h>
#include <string.h>

struct member_cache {
    int blob_fd;
    struct entries entries;
    struct hashmap by_input; /* values point into entries.members */
};

static bool is_absent(struct error **err)
{
    if (!error_is(*err, ERR_NOT_FOUND))
        return false;
    error_clear(err);
    return true;
}

struct member_cache *member_cache_open(struct store *store, const struct digest *blob,
                                       const struct compression *compression, struct error **err)
{
    AUTO(member_cache_free) struct member_cache *cache = NEW(struct member_cache);
    cache->blob_fd = -1;
    hashmap_init(&cache->by_input, NULL);
    if (store_lease(store, blob, err) < 0)
        return NULL;
    if (entries_read_members(store, blob, &cache->entries, err) < 0) {
        (void)is_absent(err); /* then there is nothing to take; others are errors */
        return NULL;
    }
    AUTO(free) char *codec = compression_codec_version(compression);
    if (!cache->entries.codec || strcmp(cache->entries.codec, codec) != 0)
        return NULL;
    cache->blob_fd = store_open_blob(store, blob, err);
    if (cache->blob_fd < 0) {
        (void)is_absent(err);
        return NULL;
    }
    for (size_t i = 0; i < cache->entries.n_members; i++) {
        struct member *member = &cache->entries.members[i];
        hashmap_putn(&cache->by_input, member->input, sizeof(member->input), member);
    }
    return TAKE(cache);
}

void member_cache_free(struct member_cache *cache)
{
    if (!cache)
        return;
    close_auto(&cache->blob_fd);
    hashmap_release(&cache->by_input);
    entries_release(&cache->entries);
    free(cache);
}

bool member_cache_get(const struct member_cache *cache, const uint8_t input[SHA256_SIZE],
                      uint64_t input_size, struct strbuf *out)
{
    const struct member *member = hashmap_getn(&cache->by_input, input, SHA256_SIZE);
    if (!member || member->input_size != input_size || member->size > SIZE_MAX / 2)
        return false;
    AUTO(error_free) struct error *ignored = NULL; /* what can't be read is compressed again */
    char *to = strbuf_grow(out, member->size);
    ssize_t n = io_pread_full(cache->blob_fd, to, member->size, member->offset, "blob", &ignored);
    if (n < 0 || (uint64_t)n != member->size)
        return false;
    if (libdeflate_crc32(0, to, member->size) != member->crc)
        return false;
    strbuf_set_size(out, out->size + member->size);
    return true;
}
