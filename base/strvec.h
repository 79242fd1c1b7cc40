/* SPDX-License-Identifier: Apache-2.0 */
/* A growing vector of owned strings, NULL-terminated at items[n] (so items serves as argv). */
#ifndef CBUILD_BASE_STRVEC_H
#define CBUILD_BASE_STRVEC_H

#include "base/auto.h"

#include <stdbool.h>
#include <stddef.h>

struct strvec {
    char **items; /* NULL while empty and never filled; else items[n] is NULL */
    size_t n;
    size_t capacity;
};

#define STRVEC_INIT                                                                                \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

void strvec_release(struct strvec *vec);
DEFINE_AUTO_STRUCT(struct strvec, strvec_release)

void strvec_push(struct strvec *vec, const char *text); /* copied */
void strvec_pushn(struct strvec *vec, const char *text, size_t size);
void strvec_pushf(struct strvec *vec, const char *format, ...) PRINTF(2, 3);
void strvec_take(struct strvec *vec, char *text); /* consumes text */
void strvec_remove(struct strvec *vec, size_t index);
void strvec_copy(struct strvec *to, const struct strvec *from); /* `to` is emptied first */
void strvec_append(struct strvec *to, const struct strvec *from);
void strvec_sort(struct strvec *vec); /* by bytes */
bool strvec_has(const struct strvec *vec, const char *text);
bool strvec_equal(const struct strvec *a, const struct strvec *b);

#endif
