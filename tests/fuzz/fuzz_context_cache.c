/* SPDX-License-Identifier: Apache-2.0 */
/* Any file in the place of a context's stat records: none, or some that a new file takes over. */
#include "builder/context_cache.h"

#include "tests/fuzz/fuzz_dir.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void get_content(void *data UNUSED, const void *item, struct file_content *ret)
{
    *ret = *(const struct file_content *)item;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t other_digest[SHA256_SIZE] = "other";
    const struct file_content other = { { 77, 78, 79, 1, 1 }, other_digest };
    AUTO(error_free) struct error *err = NULL;
    struct file_identity wanted = { 1, 2, 3, 4, 5 };
    size_t near = 0;
    if (size >= 24 + sizeof(wanted)) /* a record's, behind a header */
        memcpy(&wanted, data + 24, sizeof(wanted));
    fuzz_dir_write("records", data, size);
    AUTO(close) int fd = open(fuzz_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(context_cache_free)
    struct context_cache *cache = context_cache_open(fd, "records", get_content, NULL);
    const uint8_t *digest = context_cache_get(cache, &wanted, &near);
    context_cache_put(cache, &other, INT64_C(100) * 1000000000);
    if (context_cache_write(cache, &err) < 0)
        abort();
    AUTO(context_cache_free)
    struct context_cache *again = context_cache_open(fd, "records", get_content, NULL);
    const uint8_t *other_again = context_cache_get(again, &other.file, &near);
    if (!other_again || memcmp(other_again, other_digest, SHA256_SIZE) != 0)
        abort();
    if (!digest || file_identity_equal(&wanted, &other.file))
        return 0;
    const uint8_t *digest_again = context_cache_get(again, &wanted, &near);
    if (!digest_again || memcmp(digest, digest_again, SHA256_SIZE) != 0)
        abort();
    return 0;
}
