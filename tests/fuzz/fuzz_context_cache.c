/* SPDX-License-Identifier: Apache-2.0 */
/* Any file in the place of a context's stat records: none, or some that a new file takes over. */
#include "builder/context_cache.h"

#include "tests/fuzz/fuzz_dir.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(error_free) struct error *err = NULL;
    const struct file_content other = { .file = { 77, 78, 79, 1, 1 } };
    uint8_t digest[SHA256_SIZE];
    struct file_identity wanted = { 1, 2, 3, 4, 5 };
    if (size >= 24 + sizeof(wanted)) /* a record's, behind a header */
        memcpy(&wanted, data + size - sizeof(wanted), sizeof(wanted));
    fuzz_dir_write("records", data, size);
    AUTO(close) int fd = open(fuzz_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(context_cache_free) struct context_cache *cache = context_cache_open(fd, "records");
    bool is_there = context_cache_get(cache, &wanted, digest);
    context_cache_put(cache, &other, INT64_C(100) * 1000000000);
    if (context_cache_write(cache, &err) < 0)
        abort();
    AUTO(context_cache_free) struct context_cache *again = context_cache_open(fd, "records");
    if (!context_cache_get(again, &other.file, digest) ||
        (is_there && !context_cache_get(again, &wanted, digest)))
        abort();
    return 0;
}
