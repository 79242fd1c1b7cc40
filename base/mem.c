/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define LARGE (128 << 10)

static void out_of_memory(size_t size) __attribute__((noreturn));

static void out_of_memory(size_t size)
{
    static const char text[] = "cbuild: out of memory\n";
    /* the one place that prints below cli: no error object can be built any more */
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        (void)size;
    abort();
}

void *xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        out_of_memory(size);
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        out_of_memory(size);
    return p;
}

void *xrealloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);
    if (!q)
        out_of_memory(size);
    return q;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        out_of_memory(n);
    return xrealloc(p, total);
}

void *xmemdup(const void *p, size_t size)
{
    void *copy = xmalloc(size);
    if (size)
        memcpy(copy, p, size);
    return copy;
}

char *xstrdup(const char *s)
{
    return s ? xmemdup(s, strlen(s) + 1) : NULL;
}

char *xstrdup_lower(const char *s)
{
    char *copy = xmemdup(s, strlen(s) + 1);
    for (char *p = copy; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return copy;
}

char *xstrndup(const char *s, size_t size)
{
    size = strnlen(s, size);
    char *copy = xmalloc(size + 1);
    memcpy(copy, s, size);
    copy[size] = '\0';
    return copy;
}

char *xvasprintf(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        out_of_memory(0);
    return text;
}

char *xasprintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = xvasprintf(format, args);
    va_end(args);
    return text;
}

/* By itself malloc() takes the size of what was freed for one that is better kept, up to 32 MiB. */
void mem_init(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE); /* 0: not this C library's; nothing depends on it */
}

void mem_trim(void)
{
    (void)malloc_trim(0); /* 0: there was nothing to give */
}
