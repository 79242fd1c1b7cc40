/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever an image archive holds: an error or images, and what is told of verifies. One store
 * serves all. */
#include "layers/archive.h"
#include "oci/store_gc.h"
#include "tests/fuzz/fuzz_store.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int loaded(void *data, const struct archive_image *image, struct error **err UNUSED)
{
    uint64_t stored;
    if (!store_has_blob(data, &image->descriptor.digest, &stored) ||
        stored != image->descriptor.size)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(error_free) struct error *err = NULL;
    struct store *store = fuzz_store();
    if (archive_load(store, source_memory_new(data, size), loaded, store, &err) < 0 && !err)
        abort();
    return 0;
}
