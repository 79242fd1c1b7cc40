/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing arrays of plain structs, as three members of the owner:
 *
 *     struct layer *layers; size_t n_layers, layers_capacity;
 *     struct layer *layer = ARRAY_PUSH(set, layers);     (zeroed, valid until the next push)
 */
#ifndef CBUILD_BASE_ARRAY_H
#define CBUILD_BASE_ARRAY_H

#include "base/mem.h"

#include <stddef.h>
#include <string.h>

static inline void *array_push_(void *items, size_t *n, size_t *capacity, size_t item_size)
{
    if (!items || *n == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 8;
        items = xreallocarray(items, *capacity, item_size);
    }
    memset((char *)items + *n * item_size, 0, item_size);
    (*n)++;
    return items;
}

#define ARRAY_PUSH(owner, name)                                                                    \
    ((owner)->name = array_push_((owner)->name, &(owner)->n_##name, &(owner)->name##_capacity,     \
                                 sizeof(*(owner)->name)),                                          \
     &(owner)->name[(owner)->n_##name - 1])

#endif
