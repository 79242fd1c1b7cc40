/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/headers.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <ctype.h>
#include <string.h>

void headers_release(struct headers *headers)
{
    strvec_release(&headers->lines);
}

static size_t trim(const char **text, size_t size)
{
    while (size && isspace((unsigned char)**text)) {
        (*text)++;
        size--;
    }
    while (size && isspace((unsigned char)(*text)[size - 1]))
        size--;
    return size;
}

void headers_add(struct headers *headers, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    if (!colon || memchr(line, '\0', size))
        return;
    const char *name = line, *value = colon + 1;
    size_t name_size = trim(&name, (size_t)(colon - line));
    size_t value_size = trim(&value, size - (size_t)(value - line));
    if (name_size)
        strvec_pushf(&headers->lines, "%.*s: %.*s", (int)name_size, name, (int)value_size, value);
}

const char *headers_get(const struct headers *headers, const char *name, size_t n)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < headers->lines.n; i++) {
        const char *line = headers->lines.items[i];
        if (strncasecmp(line, name, size) == 0 && line[size] == ':' && n-- == 0)
            return line + size + 2;
    }
    return NULL;
}

/* Digits at *text, at least one, without overflow; moves *text behind them. */
static bool take_number(const char **text, uint64_t *ret)
{
    const char *p = *text;
    uint64_t value = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return false;
    if (p == *text)
        return false;
    *text = p;
    *ret = value;
    return true;
}

bool headers_get_uint64(const struct headers *headers, const char *name, uint64_t *ret)
{
    const char *value = headers_get(headers, name, 0);
    uint64_t number;
    if (!value || !take_number(&value, &number) || *value)
        return false;
    *ret = number;
    return true;
}

bool headers_content_range(const struct headers *headers, uint64_t *first, uint64_t *last,
                           uint64_t *total)
{
    const char *p = headers_get(headers, "Content-Range", 0);
    uint64_t a, b, all = UINT64_MAX;
    if (!p || strncasecmp(p, "bytes", 5) != 0)
        return false;
    p += 5;
    p += strspn(p, " \t=");
    if (!take_number(&p, &a) || *p++ != '-' || !take_number(&p, &b) || *p++ != '/')
        return false;
    if (strcmp(p, "*") != 0 && (!take_number(&p, &all) || *p))
        return false;
    if (a > b || b >= all)
        return false;
    *first = a;
    *last = b;
    *total = all;
    return true;
}

bool headers_upload_range(const struct headers *headers, uint64_t *size)
{
    const char *p = headers_get(headers, "Range", 0);
    uint64_t first, last;
    if (!p)
        return false;
    if (strncasecmp(p, "bytes", 5) == 0)
        p += 5 + strspn(p + 5, " =");
    if (!take_number(&p, &first) || first != 0 || *p++ != '-' || !take_number(&p, &last) || *p ||
        last == UINT64_MAX)
        return false;
    /* An empty session can't be told from one that holds one byte: "0-0" is both. Nobody sends one
     * byte. */
    *size = last ? last + 1 : 0;
    return true;
}

/* A parameter's end: the next ';' or ',' outside quotes */
static const char *parameter_end(const char *p)
{
    for (bool quoted = false; *p; p++) {
        if (*p == '\\' && quoted && p[1])
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (!quoted && (*p == ';' || *p == ','))
            break;
    }
    return p;
}

/* ; rel="prev next" or ; rel=next */
static bool is_next(const char *text, size_t size)
{
    size = trim(&text, size);
    if (size < 4 || strncasecmp(text, "rel", 3) != 0)
        return false;
    text += 3;
    size -= 3;
    size = trim(&text, size);
    if (!size || *text != '=')
        return false;
    text++;
    size--;
    size = trim(&text, size);
    if (size >= 2 && *text == '"' && text[size - 1] == '"') {
        text++;
        size -= 2;
    }
    while (size) {
        size_t word = 0;
        while (word < size && text[word] != ' ')
            word++;
        if (word == 4 && strncasecmp(text, "next", 4) == 0)
            return true;
        if (word < size)
            word++;
        text += word;
        size -= word;
    }
    return false;
}

static char *link_next(const char *value)
{
    for (const char *p = value; (p = strchr(p, '<')) != NULL;) {
        const char *target = p + 1, *close = strchr(target, '>');
        if (!close)
            return NULL;
        p = close + 1;
        p += strspn(p, " \t");
        while (*p == ';') {
            const char *end = parameter_end(p + 1);
            if (is_next(p + 1, (size_t)(end - p - 1)))
                return xstrndup(target, (size_t)(close - target));
            p = end;
        }
    }
    return NULL;
}

char *headers_link_next(const struct headers *headers)
{
    const char *value;
    for (size_t i = 0; (value = headers_get(headers, "Link", i)); i++) {
        char *target = link_next(value);
        if (target)
            return target;
    }
    return NULL;
}

char *headers_warning(const struct headers *headers, size_t n)
{
    const char *value;
    for (size_t i = 0; (value = headers_get(headers, "Warning", i)); i++) {
        const char *quote = strchr(value, '"');
        if (strncmp(value, "299 ", 4) != 0 || !quote || n-- != 0)
            continue;
        AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
        for (const char *p = quote + 1; *p && *p != '"' && buf.size < 4096; p++) {
            if (*p == '\\' && p[1])
                p++;
            if ((unsigned char)*p >= ' ' && *p != 0x7f)
                strbuf_addc(&buf, *p);
        }
        return strbuf_detach(&buf);
    }
    return NULL;
}
