/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte string, always NUL-terminated at data[size], so data can be
 * used as text where it holds no NUL.
 *
 *     AUTO(strbuf_release) struct strbuf name = STRBUF_INIT;
 *     strbuf_addf(&name, "%s/%s", dir, base);
 *     char *text = strbuf_detach(&name);
 *
 * A buffer fed from outside is made with STRBUF_INIT_CAPPED and filled through
 * strbuf_add_capped(), which reports ERR_LIMIT instead of growing beyond.
 */
#ifndef CBUILD_BASE_STRBUF_H
#define CBUILD_BASE_STRBUF_H

#include "base/auto.h"
#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>

struct strbuf {
    char *data; /* never NULL */
    size_t size;
    size_t capacity; /* 0: data is the shared empty string */
    size_t cap;      /* 0: unlimited */
};

extern char strbuf_empty[1];
#define STRBUF_INIT                                                                                \
    {                                                                                              \
        strbuf_empty, 0, 0, 0                                                                      \
    }
#define STRBUF_INIT_CAPPED(cap)                                                                    \
    {                                                                                              \
        strbuf_empty, 0, 0, (cap)                                                                  \
    }

void strbuf_init(struct strbuf *buf);
void strbuf_release(struct strbuf *buf);
DEFINE_AUTO_STRUCT(struct strbuf, strbuf_release)

/* Room for `extra` more bytes; returns where they start. Call strbuf_set_size() after filling. */
char *strbuf_grow(struct strbuf *buf, size_t extra);
void strbuf_set_size(struct strbuf *buf, size_t size);
void strbuf_reset(struct strbuf *buf);

void strbuf_add(struct strbuf *buf, const void *data, size_t size);
void strbuf_adds(struct strbuf *buf, const char *text);
void strbuf_addc(struct strbuf *buf, char c);
void strbuf_addf(struct strbuf *buf, const char *format, ...) PRINTF(2, 3);
void strbuf_vaddf(struct strbuf *buf, const char *format, va_list args) PRINTF(2, 0);
/* With control characters (C0, DEL, C1 in UTF-8) other than newline and tab as '?': for terminals.
 */
void strbuf_add_printable(struct strbuf *buf, const char *text);
void strbuf_add_json_string(struct strbuf *buf, const char *text); /* quoted and escaped */

/* ERR_LIMIT when buf->cap would be exceeded. */
int strbuf_add_capped(struct strbuf *buf, const void *data, size_t size,
                      struct error **err) WARN_UNUSED;

void strbuf_insert(struct strbuf *buf, size_t pos, const void *data, size_t size);
void strbuf_remove(struct strbuf *buf, size_t pos, size_t size);
void strbuf_rtrim(struct strbuf *buf);

/* Hands out the text (free() it) and leaves the buffer empty. */
char *strbuf_detach(struct strbuf *buf) WARN_UNUSED;

#endif
