/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/subuid and /etc/passwd: the ids of a map follow each other, inside and without an end beyond
 * the last id. */
#include "base/idmap.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = xstrndup((const char *)data, size);
    AUTO(free) char *name = idmap_find_name(text, 1000);
    AUTO(idmap_release) struct idmap map = IDMAP_INIT;
    AUTO(strvec_release) struct strvec args = STRVEC_INIT;
    uint64_t next = 1;
    idmap_add(&map, 1000, 1);
    if (idmap_add_subids(&map, text, name ? name : "ann", 1000) != map.n_ranges - 1)
        abort();
    for (size_t i = 1; i < map.n_ranges; i++) {
        const struct idmap_range *range = &map.ranges[i];
        if (range->inside != next || !range->count ||
            (uint64_t)range->outside + range->count > UINT32_MAX)
            abort();
        next += range->count;
    }
    if (next > UINT32_MAX || idmap_size(&map) != next || idmap_free_start(text) < 100000)
        abort();
    idmap_format_args(&map, &args);
    if (args.n != 3 * map.n_ranges)
        abort();
    return 0;
}
