/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/stage_names.h"

#include "base/array.h"
#include "base/mem.h"

struct namesakes {
    size_t *stages;
    size_t n_stages, stages_capacity;
};

static void namesakes_free(void *value)
{
    struct namesakes *namesakes = value;
    free(namesakes->stages);
    free(namesakes);
}

void stage_names_init(struct stage_names *names)
{
    hashmap_init(&names->map, namesakes_free);
}

void stage_names_release(struct stage_names *names)
{
    hashmap_release(&names->map);
}

static struct namesakes *find(const struct stage_names *names, const char *name)
{
    AUTO(free) char *lower = xstrdup_lower(name);
    return hashmap_get(&names->map, lower);
}

void stage_names_add(struct stage_names *names, const char *name, size_t stage)
{
    struct namesakes *namesakes = find(names, name);
    if (!namesakes) {
        AUTO(free) char *lower = xstrdup_lower(name);
        namesakes = NEW(struct namesakes);
        hashmap_put(&names->map, lower, namesakes);
    }
    *ARRAY_PUSH(namesakes, stages) = stage;
}

/* How many of them are before `before`. */
static size_t count_before(const struct namesakes *namesakes, size_t before)
{
    size_t low = 0, high = namesakes->n_stages;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (namesakes->stages[middle] < before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

ssize_t stage_names_before(const struct stage_names *names, const char *name, size_t before)
{
    const struct namesakes *namesakes = find(names, name);
    size_t n = namesakes ? count_before(namesakes, before) : 0;
    return n ? (ssize_t)namesakes->stages[n - 1] : -1;
}

ssize_t stage_names_from(const struct stage_names *names, const char *name, size_t from)
{
    const struct namesakes *namesakes = find(names, name);
    size_t n = namesakes ? count_before(namesakes, from) : 0;
    return namesakes && n < namesakes->n_stages ? (ssize_t)namesakes->stages[n] : -1;
}
