/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that doesn't return NULL: when memory is out the process aborts
 * with one line. So nothing outside may decide how much we ask for: every
 * buffer fed from network, archive or Dockerfile has a cap where it is created.
 */
#ifndef CBUILD_BASE_MEM_H
#define CBUILD_BASE_MEM_H

#include "base/auto.h"

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size) WARN_UNUSED;
void *xcalloc(size_t n, size_t size) WARN_UNUSED;
void *xrealloc(void *p, size_t size) WARN_UNUSED;
/* n * size with overflow check */
void *xreallocarray(void *p, size_t n, size_t size) WARN_UNUSED;
void *xmemdup(const void *p, size_t size) WARN_UNUSED;
/* NULL in, NULL out */
char *xstrdup(const char *s) WARN_UNUSED;
char *xstrndup(const char *s, size_t size) WARN_UNUSED;
/* ASCII letters in lower case, whatever the locale. */
char *xstrdup_lower(const char *s) WARN_UNUSED;
char *xasprintf(const char *format, ...) PRINTF(1, 2) WARN_UNUSED;
char *xvasprintf(const char *format, va_list args) PRINTF(1, 0) WARN_UNUSED;

/* Before anything else of a program: what is large goes back to the system as soon as it is freed,
 * whatever was freed before. */
void mem_init(void);
/* Gives what was freed back to the system, where many small things were: else it stays with the
 * process, and what is large doesn't fit into it. */
void mem_trim(void);

#define NEW(type) ((type *)xcalloc(1, sizeof(type)))

#endif
