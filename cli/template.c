/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/template.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static void skip_blanks(const char **p)
{
    while (**p == ' ' || **p == '\t')
        (*p)++;
}

/* As Go prints a value with %v. */
static void add_value(struct strbuf *out, const json_t *value)
{
    size_t i;
    const char *key;
    json_t *item;
    switch (json_typeof(value)) {
    case JSON_STRING:
        strbuf_add(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        strbuf_addf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        strbuf_addf(out, "%g", json_real_value(value));
        break;
    case JSON_TRUE:
        strbuf_adds(out, "true");
        break;
    case JSON_FALSE:
        strbuf_adds(out, "false");
        break;
    case JSON_NULL:
        strbuf_adds(out, "<nil>");
        break;
    case JSON_ARRAY:
        strbuf_addc(out, '[');
        json_array_foreach(value, i, item)
        {
            if (i)
                strbuf_addc(out, ' ');
            add_value(out, item);
        }
        strbuf_addc(out, ']');
        break;
    case JSON_OBJECT: {
        bool first = true;
        strbuf_adds(out, "map[");
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
        {
            strbuf_addf(out, "%s%s:", first ? "" : " ", key);
            add_value(out, item);
            first = false;
        }
        strbuf_addc(out, ']');
        break;
    }
    }
}

/* ".A.B" from *p on; "." alone is the whole value. */
static const json_t *parse_path(const char **p, const json_t *root, struct error **err)
{
    skip_blanks(p);
    const char *start = *p;
    if (**p != '.')
        return error_set_null(err, ERR_USAGE, "--format: expected .Name at \"%s\"", start);
    const json_t *value = root;
    (*p)++;
    while (isalnum((unsigned char)**p) || **p == '_') {
        size_t size = 0;
        while (isalnum((unsigned char)(*p)[size]) || (*p)[size] == '_')
            size++;
        AUTO(free) char *name = xstrndup(*p, size);
        value = json_is_object(value) ? json_object_get(value, name) : NULL;
        if (!value)
            return error_set_null(err, ERR_USAGE, "--format: there is no %.*s",
                                  (int)(*p - start + (ptrdiff_t)size), start);
        *p += size;
        if (**p != '.')
            break;
        (*p)++;
    }
    return value;
}

static int parse_string(const char **p, char **ret, struct error **err)
{
    skip_blanks(p);
    if (**p != '"')
        return error_set(err, ERR_USAGE, "--format: expected a string at \"%s\"", *p);
    const char *end = strchr(*p + 1, '"');
    if (!end)
        return error_set(err, ERR_USAGE, "--format: a quote isn't closed: %s", *p);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    for (const char *c = *p + 1; c < end; c++) {
        if (*c == '\\' && c + 1 < end && (c[1] == 'n' || c[1] == 't'))
            strbuf_addc(&text, *++c == 'n' ? '\n' : '\t');
        else
            strbuf_addc(&text, *c);
    }
    *ret = strbuf_detach(&text);
    *p = end + 1;
    return 0;
}

static int call_index(const char **p, const json_t *value, struct strbuf *out, struct error **err)
{
    skip_blanks(p);
    const json_t *item = NULL;
    if (**p == '"') {
        AUTO(free) char *key = NULL;
        if (parse_string(p, &key, err) < 0)
            return -1;
        item = json_object_get(value, key);
        if (!item && (json_is_object(value) || json_is_null(value)))
            return 0; /* Go: the zero value of a map of strings */
    } else {
        char *end;
        errno = 0;
        unsigned long index = strtoul(*p, &end, 10);
        if (end == *p || errno)
            return error_set(err, ERR_USAGE, "--format: expected an index at \"%s\"", *p);
        *p = end;
        item = json_array_get(value, index);
    }
    if (!item)
        return error_set(err, ERR_USAGE, "--format: the index is out of range");
    add_value(out, item);
    return 0;
}

static int call_join(const char **p, const json_t *value, struct strbuf *out, struct error **err)
{
    AUTO(free) char *separator = NULL;
    if (parse_string(p, &separator, err) < 0)
        return -1;
    size_t i;
    json_t *item;
    json_array_foreach(value, i, item)
    {
        if (i)
            strbuf_adds(out, separator);
        add_value(out, item);
    }
    return 0;
}

static int call_json(const char **p UNUSED, const json_t *value, struct strbuf *out,
                     struct error **err UNUSED)
{
    json_format_canonical(value, out);
    return 0;
}

static int call_len(const char **p UNUSED, const json_t *value, struct strbuf *out,
                    struct error **err UNUSED)
{
    size_t n = json_is_array(value)    ? json_array_size(value)
               : json_is_object(value) ? json_object_size(value)
               : json_is_string(value) ? json_string_length(value)
                                       : 0;
    strbuf_addf(out, "%zu", n);
    return 0;
}

static void add_cased(struct strbuf *out, const json_t *value, int (*change)(int))
{
    size_t start = out->size;
    add_value(out, value);
    for (size_t i = start; i < out->size; i++)
        out->data[i] = (char)change((unsigned char)out->data[i]);
}

static int call_upper(const char **p UNUSED, const json_t *value, struct strbuf *out,
                      struct error **err UNUSED)
{
    add_cased(out, value, toupper);
    return 0;
}

static int call_lower(const char **p UNUSED, const json_t *value, struct strbuf *out,
                      struct error **err UNUSED)
{
    add_cased(out, value, tolower);
    return 0;
}

static int call_println(const char **p UNUSED, const json_t *value, struct strbuf *out,
                        struct error **err UNUSED)
{
    add_value(out, value);
    strbuf_addc(out, '\n');
    return 0;
}

typedef int call_function(const char **p, const json_t *value, struct strbuf *out,
                          struct error **err);

static const struct {
    const char *name;
    call_function *call;
} functions[] = {
    { "json", call_json },       { "index", call_index }, { "join", call_join },
    { "len", call_len },         { "upper", call_upper }, { "lower", call_lower },
    { "println", call_println },
};

/* The function named at *p, which moves behind it; NULL: none of ours. */
static call_function *parse_function(const char **p)
{
    skip_blanks(p);
    size_t size = 0;
    while (isalpha((unsigned char)(*p)[size]))
        size++;
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        if (strlen(functions[i].name) == size && !strncmp(functions[i].name, *p, size)) {
            *p += size;
            return functions[i].call;
        }
    }
    return NULL;
}

/* "function .Path argument", ".Path", or ".Path | function" */
static int expand_action(const char *text, const json_t *root, struct strbuf *out,
                         struct error **err)
{
    const char *p = text;
    skip_blanks(&p);
    call_function *call = NULL;
    if (*p != '.') {
        call = parse_function(&p);
        if (!call)
            return error_set(err, ERR_USAGE, "--format: {{%s}} is not supported", text);
    }
    const json_t *value = parse_path(&p, root, err);
    if (!value)
        return -1;
    skip_blanks(&p);
    if (*p == '|' && !call) {
        p++;
        call = parse_function(&p);
        if (!call || call == call_index ||
            call == call_join) /* the value would be their last argument */
            return error_set(err, ERR_USAGE, "--format: {{%s}} is not supported", text);
    }
    if (!call)
        add_value(out, value);
    else if (call(&p, value, out, err) < 0)
        return -1;
    skip_blanks(&p);
    if (*p)
        return error_set(err, ERR_USAGE, "--format: {{%s}} is not supported", text);
    return 0;
}

int template_expand(const char *text, const json_t *value, struct strbuf *out, struct error **err)
{
    while (*text) {
        if (!strncmp(text, "{{", 2)) {
            const char *end = strstr(text, "}}");
            if (!end)
                return error_set(err, ERR_USAGE, "--format: {{ isn't closed: %s", text);
            AUTO(free) char *action = xstrndup(text + 2, (size_t)(end - text) - 2);
            if (expand_action(action, value, out, err) < 0)
                return -1;
            text = end + 2;
        } else if (text[0] == '\\' && (text[1] == 't' || text[1] == 'n')) {
            strbuf_addc(out, text[1] == 't' ? '\t' : '\n');
            text += 2;
        } else {
            strbuf_addc(out, *text++);
        }
    }
    return 0;
}
