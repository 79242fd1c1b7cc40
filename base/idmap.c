/* SPDX-License-Identifier: Apache-2.0 */
#include "base/idmap.h"

#include "base/array.h"
#include "base/mem.h"

#include <string.h>

#define FIRST_SUBORDINATE 100000 /* SUB_UID_MIN of login.defs */
#define MAX_ID (UINT32_MAX - 1)  /* the last one means "none" */
#define MAX_DIGITS 10

void idmap_release(struct idmap *map)
{
    free(map->ranges);
    *map = (struct idmap)IDMAP_INIT;
}

uint32_t idmap_size(const struct idmap *map)
{
    if (!map->n_ranges)
        return 0;
    const struct idmap_range *last = &map->ranges[map->n_ranges - 1];
    return last->inside + last->count;
}

void idmap_add(struct idmap *map, uint32_t outside, uint32_t count)
{
    uint32_t inside = idmap_size(map);
    if (count > MAX_ID - inside)
        count = MAX_ID - inside;
    if (outside > MAX_ID || count > MAX_ID - outside + 1 || !count ||
        map->n_ranges == IDMAP_MAX_RANGES)
        return;
    *ARRAY_PUSH(map, ranges) = (struct idmap_range){ inside, outside, count };
}

/* Decimal digits up to one of `ends`, which is passed over; the end of text will do for all. */
static bool take_number(const char **text, const char *ends, uint32_t *ret)
{
    const char *p = *text;
    uint64_t value = 0;
    size_t size = strspn(p, "0123456789");
    if (!size || size > MAX_DIGITS || (p[size] && !strchr(ends, p[size])))
        return false;
    for (size_t i = 0; i < size; i++)
        value = value * 10 + (uint64_t)(p[i] - '0');
    if (value > UINT32_MAX)
        return false;
    *ret = (uint32_t)value;
    *text = p + size + (p[size] != '\0');
    return true;
}

struct line {
    const char *owner;
    size_t owner_size;
    uint32_t start, count;
};

/* The next line of the right form; *text moves on. */
static bool next_line(const char **text, struct line *line)
{
    while (**text) {
        const char *p = *text;
        *text += strcspn(p, "\n");
        *text += **text == '\n';
        line->owner = p;
        line->owner_size = strcspn(p, ":\n");
        p += line->owner_size;
        if (line->owner_size && *p == ':' && (p++, take_number(&p, ":", &line->start)) &&
            take_number(&p, "\n", &line->count) && line->count)
            return true;
    }
    return false;
}

static bool is_owner(const struct line *line, const char *name, uint32_t id)
{
    if (name && strlen(name) == line->owner_size && !memcmp(name, line->owner, line->owner_size))
        return true;
    const char *p = line->owner;
    uint32_t number;
    return take_number(&p, ":", &number) && number == id;
}

size_t idmap_add_subids(struct idmap *map, const char *text, const char *name, uint32_t id)
{
    struct line line;
    size_t before = map->n_ranges;
    while (next_line(&text, &line))
        if (is_owner(&line, name, id))
            idmap_add(map, line.start, line.count);
    return map->n_ranges - before;
}

uint32_t idmap_free_start(const char *text)
{
    struct line line;
    uint64_t start = FIRST_SUBORDINATE;
    while (next_line(&text, &line))
        if ((uint64_t)line.start + line.count > start && (uint64_t)line.start + line.count < MAX_ID)
            start = (uint64_t)line.start + line.count;
    return (uint32_t)start;
}

void idmap_format_args(const struct idmap *map, struct strvec *args)
{
    for (size_t i = 0; i < map->n_ranges; i++) {
        const struct idmap_range *range = &map->ranges[i];
        strvec_pushf(args, "%u", range->inside);
        strvec_pushf(args, "%u", range->outside);
        strvec_pushf(args, "%u", range->count);
    }
}

char *idmap_find_name(const char *passwd, uint32_t id)
{
    for (const char *line = passwd; *line;) {
        size_t size = strcspn(line, "\n"), name_size = strcspn(line, ":\n");
        const char *p = line + name_size;
        p += *p == ':';
        p += strcspn(p, ":\n");
        uint32_t number;
        if (name_size && name_size < size && *p == ':' && (p++, take_number(&p, ":", &number)) &&
            number == id)
            return xstrndup(line, name_size);
        line += size;
        line += *line == '\n';
    }
    return NULL;
}
