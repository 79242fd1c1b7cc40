/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

char strbuf_empty[1];

void strbuf_init(struct strbuf *buf)
{
    *buf = (struct strbuf)STRBUF_INIT;
}

void strbuf_release(struct strbuf *buf)
{
    if (buf->capacity)
        free(buf->data);
    size_t cap = buf->cap;
    strbuf_init(buf);
    buf->cap = cap;
}

char *strbuf_grow(struct strbuf *buf, size_t extra)
{
    size_t need;
    if (__builtin_add_overflow(buf->size, extra, &need) || __builtin_add_overflow(need, 1, &need))
        abort();
    if (need > buf->capacity) {
        size_t capacity = buf->capacity + buf->capacity / 2;
        if (capacity < need)
            capacity = need;
        if (capacity < 32)
            capacity = 32;
        buf->data = xrealloc(buf->capacity ? buf->data : NULL, capacity);
        buf->capacity = capacity;
        buf->data[buf->size] = '\0';
    }
    return buf->data + buf->size;
}

void strbuf_set_size(struct strbuf *buf, size_t size)
{
    if (!buf->capacity) {
        assert(size == 0);
        return;
    }
    assert(size < buf->capacity);
    buf->size = size;
    buf->data[size] = '\0';
}

void strbuf_reset(struct strbuf *buf)
{
    strbuf_set_size(buf, 0);
}

void strbuf_add(struct strbuf *buf, const void *data, size_t size)
{
    if (!size)
        return;
    memcpy(strbuf_grow(buf, size), data, size);
    strbuf_set_size(buf, buf->size + size);
}

void strbuf_adds(struct strbuf *buf, const char *text)
{
    strbuf_add(buf, text, strlen(text));
}

void strbuf_addc(struct strbuf *buf, char c)
{
    strbuf_add(buf, &c, 1);
}

void strbuf_vaddf(struct strbuf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n < 0)
        abort(); /* only an invalid format gets here */
    char *to = strbuf_grow(buf, (size_t)n);
    (void)vsnprintf(to, (size_t)n + 1, format, args);
    strbuf_set_size(buf, buf->size + (size_t)n);
}

void strbuf_addf(struct strbuf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_vaddf(buf, format, args);
    va_end(args);
}

void strbuf_add_printable(struct strbuf *buf, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
        /* U+0080 to U+009F, among them a CSI of one character */
        bool upper = c == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0;
        strbuf_add(buf, control || upper ? "?" : text, 1);
        text += upper;
    }
}

/* How many characters stand in JSON as they are. */
static size_t count_plain(const char *text)
{
    size_t n = 0;
    while ((unsigned char)text[n] >= 0x20 && text[n] != '"' && text[n] != '\\' && text[n] != 0x7f)
        n++;
    return n;
}

void strbuf_add_json_string(struct strbuf *buf, const char *text)
{
    strbuf_addc(buf, '"');
    for (const char *p = text;; p++) {
        size_t n = count_plain(p);
        strbuf_add(buf, p, n);
        p += n;
        if (!*p)
            break;
        if (*p == '"' || *p == '\\')
            strbuf_addf(buf, "\\%c", *p);
        else if (*p == '\n')
            strbuf_adds(buf, "\\n");
        else if (*p == '\t')
            strbuf_adds(buf, "\\t");
        else
            strbuf_addf(buf, "\\u%04x", (unsigned)(unsigned char)*p);
    }
    strbuf_addc(buf, '"');
}

int strbuf_add_capped(struct strbuf *buf, const void *data, size_t size, struct error **err)
{
    if (buf->cap && (size > buf->cap || buf->size > buf->cap - size))
        return error_set(err, ERR_LIMIT, "more than %zu bytes", buf->cap);
    strbuf_add(buf, data, size);
    return 0;
}

void strbuf_insert(struct strbuf *buf, size_t pos, const void *data, size_t size)
{
    assert(pos <= buf->size);
    if (!size)
        return;
    (void)strbuf_grow(buf, size);
    memmove(buf->data + pos + size, buf->data + pos, buf->size - pos);
    memcpy(buf->data + pos, data, size);
    strbuf_set_size(buf, buf->size + size);
}

void strbuf_remove(struct strbuf *buf, size_t pos, size_t size)
{
    assert(pos <= buf->size && size <= buf->size - pos);
    if (!size)
        return;
    memmove(buf->data + pos, buf->data + pos + size, buf->size - pos - size);
    strbuf_set_size(buf, buf->size - size);
}

void strbuf_rtrim(struct strbuf *buf)
{
    size_t size = buf->size;
    while (size && strchr(" \t\r\n", buf->data[size - 1]))
        size--;
    strbuf_set_size(buf, size);
}

char *strbuf_detach(struct strbuf *buf)
{
    char *text = buf->capacity ? buf->data : xstrdup("");
    size_t cap = buf->cap;
    strbuf_init(buf);
    buf->cap = cap;
    return text;
}
