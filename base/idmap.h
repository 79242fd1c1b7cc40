/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ids a user namespace has: maps of inside to outside, and the ranges of subordinate ids that
 * /etc/subuid and /etc/subgid give to a user. Pure.
 *
 * subuid(5), user_namespaces(7), newuidmap(1)
 */
#ifndef CBUILD_BASE_IDMAP_H
#define CBUILD_BASE_IDMAP_H

#include "base/strvec.h"

#include <stdbool.h>
#include <stdint.h>

#define IDMAP_MAX_RANGES 340 /* what the kernel takes (4.15) */

struct idmap_range {
    uint32_t inside, outside, count;
};

struct idmap {
    struct idmap_range *ranges; /* by id inside, without gaps from 0 on */
    size_t n_ranges, ranges_capacity;
};

#define IDMAP_INIT                                                                                 \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

void idmap_release(struct idmap *map);
DEFINE_AUTO_STRUCT(struct idmap, idmap_release)

/* `id` outside as the next id inside, for `count` ids. What would run past the last id is left out.
 */
void idmap_add(struct idmap *map, uint32_t outside, uint32_t count);
/*
 * Adds the ranges that lines "OWNER:START:COUNT" of `text` (a file's content) give to `name` (NULL:
 * unknown) or, in digits, to `id`. Lines of another form are passed over, as newuidmap does. The
 * number of ranges added.
 */
size_t idmap_add_subids(struct idmap *map, const char *text, const char *name, uint32_t id);
/* A start for a new range, above all ranges of `text` and 100000 at least. */
uint32_t idmap_free_start(const char *text);

/* Number of ids that it maps. */
uint32_t idmap_size(const struct idmap *map);
/* The arguments of newuidmap and newgidmap: three numbers per range. */
void idmap_format_args(const struct idmap *map, struct strvec *args);
/* NAME of the line "NAME:x:ID:" of an /etc/passwd; free() it. NULL: there is none. */
char *idmap_find_name(const char *passwd, uint32_t id);

#endif
