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

struct inputs {
    struct input *items;
    size_t n_items, items_capacity;
    struct arena texts;
};

void inputs_release(struct inputs *inputs);
DEFINE_AUTO_STRUCT(struct inputs, inputs_release)
void inputs_add(struct inputs *inputs, const char *kind, const char *name, const char *value);
/* SHA-256 over all items, length-prefixed, in order. */
struct digest inputs_digest(const struct inputs *inputs);

#endif
