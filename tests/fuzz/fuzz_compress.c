/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed streams: at most 1 MiB comes out, or an error; reading in small steps gives the same.
 */
#include "base/mem.h"
#include "layers/compress.h"

#include <stdint.h>
#include <string.h>

#define MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_whole(const uint8_t *data, size_t size, size_t step, struct strbuf *out)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(source_free)
    struct source *source = decompress_source_new(source_memory_new(data, size), MAX);
    for (;;) {
        ssize_t n = source_read(source, strbuf_grow(out, step), step, &err);
        if ((n < 0) != (err != NULL))
            abort();
        if (n <= 0)
            return (int)n;
        strbuf_set_size(out, out->size + (size_t)n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(strbuf_release) struct strbuf large = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf small = STRBUF_INIT;
    int result = read_whole(data, size, 65536, &large);
    if (large.size > MAX)
        abort();
    if (read_whole(data, size, 1000, &small) != result)
        abort();
    if (result == 0 &&
        (large.size != small.size || memcmp(large.data, small.data, large.size) != 0))
        abort();
    return 0;
}
