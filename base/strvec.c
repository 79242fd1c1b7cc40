/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strvec.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

void strvec_release(struct strvec *vec)
{
    for (size_t i = 0; i < vec->n; i++)
        free(vec->items[i]);
    free(vec->items);
    *vec = (struct strvec)STRVEC_INIT;
}

void strvec_take(struct strvec *vec, char *text)
{
    if (vec->n + 1 >= vec->capacity) {
        vec->capacity = vec->capacity ? vec->capacity * 2 : 8;
        vec->items = xreallocarray(vec->items, vec->capacity, sizeof(*vec->items));
    }
    vec->items[vec->n++] = text;
    vec->items[vec->n] = NULL;
}

void strvec_push(struct strvec *vec, const char *text)
{
    strvec_take(vec, xstrdup(text));
}

void strvec_pushn(struct strvec *vec, const char *text, size_t size)
{
    strvec_take(vec, xstrndup(text, size));
}

void strvec_pushf(struct strvec *vec, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strvec_take(vec, xvasprintf(format, args));
    va_end(args);
}

void strvec_remove(struct strvec *vec, size_t index)
{
    assert(index < vec->n);
    free(vec->items[index]);
    memmove(vec->items + index, vec->items + index + 1, (vec->n - index) * sizeof(*vec->items));
    vec->n--;
}

void strvec_append(struct strvec *to, const struct strvec *from)
{
    for (size_t i = 0; i < from->n; i++)
        strvec_push(to, from->items[i]);
}

void strvec_copy(struct strvec *to, const struct strvec *from)
{
    assert(to != from);
    strvec_release(to);
    strvec_append(to, from);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strvec_sort(struct strvec *vec)
{
    if (vec->n > 1)
        qsort(vec->items, vec->n, sizeof(*vec->items), compare);
}

bool strvec_has(const struct strvec *vec, const char *text)
{
    for (size_t i = 0; i < vec->n; i++)
        if (!strcmp(vec->items[i], text))
            return true;
    return false;
}

bool strvec_equal(const struct strvec *a, const struct strvec *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}
