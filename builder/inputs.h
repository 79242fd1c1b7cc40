/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went into a step, item by item, so that its cache key can be computed
 * and a miss explained. Values are machine-independent: digests, modes, texts;
 * never an inode, a time, or a path outside the context.
 */
#ifndef CBUILD_BUILDER_INPUTS_H
#define CBUILD_BUILDER_INPUTS_H

#include "base/arena.h"
#include "oci/digest.h"

#include <stddef.h>

struct input {         /* its texts belong to the inputs */
    const char *kind;  /* "file", "arg", "env", "parent", "instruction", "user", ... */
    const char *name;  /* "src/main.c"; "" where the kind says it all */
    const char *value; /* "f 0644 0:0 sha256:..." */
};

#define INPUTS_MANY 4096 /* from here on they aren't kept in memory */

typedef void (*inputs_visit)(void *data, const struct input *item);

/* Many items that aren't kept but made again for each who goes through them. */
struct inputs_more {
    void (*each)(const void *data, inputs_visit visit, void *visit_data);
    const void *data; /* borrowed */
    size_t n;         /* items */
    size_t at;        /* how many of those that are kept come before */
};

struct inputs {
    struct input *items; /* those that are kept */
    size_t n_items, items_capacity;
    struct inputs_more more; /* each NULL: there are none besides */
    struct arena texts;
};

void inputs_release(struct inputs *inputs);
DEFINE_AUTO_STRUCT(struct inputs, inputs_release)
void inputs_add(struct inputs *inputs, const char *kind, const char *name, const char *value);
/* Behind those that are there; once. `data` is borrowed: until inputs_keep(), or release. */
void inputs_add_more(struct inputs *inputs,
                     void (*each)(const void *data, inputs_visit visit, void *visit_data),
                     const void *data, size_t n);
/* In order; what an item points to lasts as long as the visit. */
void inputs_each(const struct inputs *inputs, inputs_visit visit, void *data);
size_t inputs_count(const struct inputs *inputs);
/* From now on all are kept. */
void inputs_keep(struct inputs *inputs);
/* SHA-256 over all items, length-prefixed, in order. */
struct digest inputs_digest(const struct inputs *inputs);

#endif
