/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

/* Before jansson, whose own limit (2048) is of its recursion, not ours. */
static int check_depth(const char *data, size_t size, struct error **err)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        char c = data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_MAX_DEPTH)
                return error_set(err, ERR_LIMIT, "JSON: nested deeper than %d", JSON_MAX_DEPTH);
        } else if ((c == ']' || c == '}') && depth) {
            depth--;
        }
    }
    return 0;
}

json_t *json_parse(const char *data, size_t size, struct error **err)
{
    if (check_depth(data, size, err) < 0)
        return NULL;
    json_error_t error;
    json_t *value = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
    if (value)
        return value;
    /* jansson adds "near '...'": text of the document, which may be a credential */
    char *near = strstr(error.text, " near ");
    if (near)
        *near = '\0';
    return error_set_null(err, ERR_INVALID, "JSON, line %d, column %d: %s", error.line,
                          error.column, error.text);
}

json_t *json_parse_object(const char *data, size_t size, struct error **err)
{
    json_t *value = json_parse(data, size, err);
    if (value && !json_is_object(value)) {
        json_decref(value);
        return error_set_null(err, ERR_INVALID, "JSON: expected an object");
    }
    return value;
}

static int add_bytes(const char *data, size_t size, void *buf)
{
    strbuf_add(buf, data, size);
    return 0;
}

static void format(const json_t *value, struct strbuf *buf, size_t flags)
{
    /* fails only for a value that contains itself */
    int dumped =
        json_dump_callback(value, add_bytes, buf, flags | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    assert(dumped == 0);
    (void)dumped; /* NDEBUG */
}

void json_format_canonical(const json_t *value, struct strbuf *buf)
{
    format(value, buf, JSON_COMPACT);
}

void json_format_pretty(const json_t *value, struct strbuf *buf)
{
    format(value, buf, JSON_INDENT(2));
}

/* RFC 6901: "~" is written "~0", "/" is written "~1" */
static void add_pointer(struct strbuf *buf, const char *pointer, const char *key)
{
    strbuf_adds(buf, pointer);
    strbuf_addc(buf, '/');
    for (const char *p = key; *p; p++) {
        if (*p == '~')
            strbuf_adds(buf, "~0");
        else if (*p == '/')
            strbuf_adds(buf, "~1");
        else
            strbuf_addc(buf, *p);
    }
}

static int wrong(const char *pointer, const char *key, const char *expected, struct error **err)
{
    AUTO(strbuf_release) struct strbuf place = STRBUF_INIT;
    add_pointer(&place, pointer, key);
    return error_set(err, ERR_INVALID, "%s: expected %s", place.data, expected);
}

/* *ret NULL: optional and absent. */
static int find(const json_t *object, const char *pointer, const char *key,
                enum json_presence presence, const char *expected, const json_t **ret,
                struct error **err)
{
    if (!json_is_object(object))
        return error_set(err, ERR_INVALID, "%s: expected an object", *pointer ? pointer : "JSON");
    const json_t *value = json_object_get(object, key);
    if (json_is_null(value))
        value = NULL;
    if (!value && presence == JSON_REQUIRED)
        return wrong(pointer, key, expected, err);
    *ret = value;
    return 0;
}

int json_get_string(const json_t *object, const char *pointer, const char *key,
                    enum json_presence presence, const char **ret, struct error **err)
{
    const char *expected = "a string";
    const json_t *value;
    if (find(object, pointer, key, presence, expected, &value, err) < 0)
        return -1;
    if (value && !json_is_string(value))
        return wrong(pointer, key, expected, err);
    if (value)
        *ret = json_string_value(value);
    return 0;
}

int json_get_uint64(const json_t *object, const char *pointer, const char *key,
                    enum json_presence presence, uint64_t *ret, struct error **err)
{
    const char *expected = "an integer of 0 or more";
    const json_t *value;
    if (find(object, pointer, key, presence, expected, &value, err) < 0)
        return -1;
    if (value && (!json_is_integer(value) || json_integer_value(value) < 0))
        return wrong(pointer, key, expected, err);
    if (value)
        *ret = (uint64_t)json_integer_value(value);
    return 0;
}

int json_get_int64(const json_t *object, const char *pointer, const char *key,
                   enum json_presence presence, int64_t *ret, struct error **err)
{
    const char *expected = "an integer";
    const json_t *value;
    if (find(object, pointer, key, presence, expected, &value, err) < 0)
        return -1;
    if (value && !json_is_integer(value))
        return wrong(pointer, key, expected, err);
    if (value)
        *ret = json_integer_value(value);
    return 0;
}

int json_get_bool(const json_t *object, const char *pointer, const char *key,
                  enum json_presence presence, bool *ret, struct error **err)
{
    const char *expected = "true or false";
    const json_t *value;
    if (find(object, pointer, key, presence, expected, &value, err) < 0)
        return -1;
    if (value && !json_is_boolean(value))
        return wrong(pointer, key, expected, err);
    if (value)
        *ret = json_is_true(value);
    return 0;
}

int json_get_object(const json_t *object, const char *pointer, const char *key,
                    enum json_presence presence, const json_t **ret, struct error **err)
{
    const char *expected = "an object";
    const json_t *value;
    if (find(object, pointer, key, presence, expected, &value, err) < 0)
        return -1;
    if (value && !json_is_object(value))
        return wrong(pointer, key, expected, err);
    if (value)
        *ret = value;
    return 0;
}

int json_get_array(const json_t *object, const char *pointer, const char *key,
                   enum json_presence presence, const json_t **ret, struct error **err)
{
    const char *expected = "an array";
    const json_t *value;
    if (find(object, pointer, key, presence, expected, &value, err) < 0)
        return -1;
    if (value && !json_is_array(value))
        return wrong(pointer, key, expected, err);
    if (value)
        *ret = value;
    return 0;
}

int json_get_strings(const json_t *object, const char *pointer, const char *key,
                     enum json_presence presence, struct strvec *vec, struct error **err)
{
    const json_t *array = NULL;
    if (json_get_array(object, pointer, key, presence, &array, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!json_is_string(json_array_get(array, i))) {
            AUTO(strbuf_release) struct strbuf place = STRBUF_INIT;
            add_pointer(&place, pointer, key);
            return error_set(err, ERR_INVALID, "%s/%zu: expected a string", place.data, i);
        }
    for (size_t i = 0; i < json_array_size(array); i++)
        strvec_push(vec, json_string_value(json_array_get(array, i)));
    return 0;
}

/* Size of the UTF-8 sequence at text (RFC 3629: shortest form, no surrogates), 0 for none. */
static size_t utf8_sequence(const unsigned char *text)
{
    unsigned char c = text[0], low = 0x80, high = 0xbf;
    size_t size;
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        size = 2;
    else if (c >= 0xe0 && c <= 0xef)
        size = 3;
    else if (c >= 0xf0 && c <= 0xf4)
        size = 4;
    else
        return 0;
    if (c == 0xe0)
        low = 0xa0;
    else if (c == 0xed)
        high = 0x9f;
    else if (c == 0xf0)
        low = 0x90;
    else if (c == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if (text[i] < 0x80 || text[i] > 0xbf) /* the NUL at the end stops here too */
            return 0;
    return size;
}

/* As Go's encoding/json does: each byte that belongs to no sequence becomes U+FFFD. */
static void add_utf8(struct strbuf *buf, const char *text)
{
    while (*text) {
        size_t n = utf8_sequence((const unsigned char *)text);
        if (n)
            strbuf_add(buf, text, n);
        else
            strbuf_adds(buf, "\xef\xbf\xbd");
        text += n ? n : 1;
    }
}

static json_t *must(json_t *value)
{
    if (!value)
        abort(); /* the text is UTF-8 by now: only memory is left */
    return value;
}

json_t *json_from_string(const char *text)
{
    AUTO(strbuf_release) struct strbuf clean = STRBUF_INIT;
    add_utf8(&clean, text);
    return must(json_stringn_nocheck(clean.data, clean.size));
}

json_t *json_from_strvec(const struct strvec *vec)
{
    json_t *array = must(json_array());
    for (size_t i = 0; i < vec->n; i++)
        if (json_array_append_new(array, json_from_string(vec->items[i])) < 0)
            abort();
    return array;
}

void json_set(json_t *object, const char *key, json_t *value)
{
    if (!value)
        return;
    AUTO(strbuf_release) struct strbuf clean = STRBUF_INIT;
    add_utf8(&clean, key);
    if (json_object_set_new_nocheck(object, clean.data, value) < 0)
        abort();
}
