/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image_info.h"

#include "base/clock.h"
#include "base/mem.h"
#include "layers/entries.h"

#include <stdio.h>
#include <string.h>

#define MINUTE ((int64_t)60)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

int layer_unpacked_size(struct store *store, const struct descriptor *blob, uint64_t *ret,
                        struct error **err)
{
    *ret = 0;
    if (!store_has_blob(store, &blob->digest, NULL))
        return 0;
    AUTO(entries_release) struct entries entries = { 0 };
    AUTO(error_free) struct error *missing = NULL; /* no list yet: make it */
    if (entries_read(store, &blob->digest, &entries, &missing) < 0 &&
        entries_scan(store, &blob->digest, &entries, err) < 0)
        return -1;
    for (size_t i = 0; i < entries.list.n_entries; i++)
        if (entries.list.entries[i].type == ENTRY_FILE)
            *ret += entries.list.entries[i].size;
    return 0;
}

int image_unpacked_size(struct store *store, const struct manifest *manifest, uint64_t *ret,
                        struct error **err)
{
    *ret = 0;
    for (size_t i = 0; i < manifest->n_layers; i++) {
        uint64_t size;
        if (layer_unpacked_size(store, &manifest->layers[i], &size, err) < 0)
            return -1;
        *ret += size;
    }
    return 0;
}

void format_size(uint64_t size, char out[32])
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
    double value = (double)size;
    size_t unit = 0;
    for (; value >= 999.5 && unit + 1 < ARRAY_SIZE(units);
         unit++) /* 999.5 has four digits when rounded */
        value /= 1000.0;
    (void)snprintf(out, 32, "%.3g%s", value, units[unit]);
}

void format_age(const char *created, char out[64])
{
    int64_t seconds;
    AUTO(error_free) struct error *bad = NULL; /* a time that can't be read is shown as none */
    if (!created || clock_parse(created, &seconds, NULL, &bad) < 0) {
        (void)snprintf(out, 64, "N/A");
        return;
    }
    int64_t age = clock_now() - seconds;
    if (age < 0)
        age = 0;
    static const struct {
        int64_t below, unit;
        const char *one, *many;
    } steps[] = {
        { 1, 1, "Less than a second", "seconds" },
        { MINUTE, 1, "1 second", "seconds" },
        { 2 * MINUTE, MINUTE, "About a minute", "minutes" },
        { HOUR, MINUTE, NULL, "minutes" },
        { 2 * HOUR, HOUR, "About an hour", "hours" },
        { 2 * DAY, HOUR, NULL, "hours" },
        { 14 * DAY, DAY, NULL, "days" },
        { 60 * DAY, 7 * DAY, NULL, "weeks" },
        { 730 * DAY, 30 * DAY, NULL, "months" },
        { INT64_MAX, 365 * DAY, NULL, "years" },
    };
    size_t i = 0;
    while (age >= steps[i].below)
        i++;
    int64_t n = age / steps[i].unit;
    if (steps[i].one && n <= 1)
        (void)snprintf(out, 64, "%s ago", steps[i].one);
    else
        (void)snprintf(out, 64, "%lld %s ago", (long long)n, steps[i].many);
}
