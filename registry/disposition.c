/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/disposition.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "registry/url.h"

#include <stdbool.h>
#include <string.h>

/* The value at p, quoted or not; returns where it ends. */
static const char *read_value(const char *p, struct strbuf *value)
{
    p += strspn(p, " \t");
    if (*p != '"') {
        size_t size = strcspn(p, "; \t");
        strbuf_add(value, p, size);
        return p + size;
    }
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1])
            p++;
        strbuf_addc(value, *p);
    }
    return *p ? p + 1 : p;
}

/* The part behind the last slash or backslash, if it can be a file's name */
static char *plain_name(const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p == '/' || *p == '\\')
            text = p + 1;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return NULL;
    if (!*text || strcmp(text, ".") == 0 || strcmp(text, "..") == 0 || strlen(text) > 255)
        return NULL;
    return xstrdup(text);
}

/* UTF-8''na%20me, RFC 8187 */
static char *extended_name(const char *value)
{
    const char *quote = strchr(value, '\'');
    const char *second = quote ? strchr(quote + 1, '\'') : NULL;
    if (!second || strncasecmp(value, "UTF-8'", 6) != 0)
        return NULL;
    AUTO(free) char *name = url_decode(second + 1, strlen(second + 1));
    return plain_name(name);
}

char *disposition_file_name(const char *header)
{
    char *name = NULL;
    const char *p = header + strcspn(header, ";");
    while (*p == ';') {
        AUTO(strbuf_release) struct strbuf value = STRBUF_INIT;
        p++;
        p += strspn(p, " \t");
        const char *key = p;
        size_t size = strcspn(p, "=; \t");
        p += size;
        p += strspn(p, " \t");
        if (*p == '=')
            p = read_value(p + 1, &value);
        char *found = NULL;
        bool is_extended = size == 9 && strncasecmp(key, "filename*", 9) == 0;
        if (is_extended)
            found = extended_name(value.data);
        else if (size == 8 && strncasecmp(key, "filename", 8) == 0 && !name)
            found = plain_name(value.data);
        if (found) {
            free(name);
            name = found;
        }
        if (found && is_extended)
            return name;
        p += strcspn(p, ";");
    }
    return name;
}
