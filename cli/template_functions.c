/* SPDX-License-Identifier: Apache-2.0 */
/* What templates can call: Go's functions, and those that docker adds. */
#include "cli/template_internal.h"

#include "base/array.h"
#include "base/suggest.h"
#include "builder/rune.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Values */

bool template_is_true(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_INTEGER:
        return json_integer_value(value) != 0;
    case JSON_REAL:
        return json_real_value(value) != 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_OBJECT:
        return json_object_size(value) > 0;
    case JSON_TRUE:
        return true;
    case JSON_FALSE:
    case JSON_NULL:
        return false;
    }
    return false;
}

const char *template_type_name(const json_t *value)
{
    if (!value) /* never; the compiler can't know */
        return "nothing";
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_ARRAY:
        return "a list";
    case JSON_OBJECT:
        return "an object";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "nothing";
    }
    return "";
}

void template_sorted_keys(const json_t *object, struct strvec *keys)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) strvec_push(keys, key);
    strvec_sort(keys);
}

/* The shortest text that is read back as the same number. */
static void add_real(struct strbuf *out, double real)
{
    char text[32];
    for (int precision = 1; precision <= 17; precision++) {
        (void)snprintf(text, sizeof(text), "%.*g", precision, real);
        if (strtod(text, NULL) == real)
            break;
    }
    strbuf_adds(out, text);
}

static void add_array(struct strbuf *out, const json_t *array)
{
    size_t i;
    json_t *item;
    strbuf_addc(out, '[');
    json_array_foreach(array, i, item)
    {
        if (i)
            strbuf_addc(out, ' ');
        template_add_value(out, item);
    }
    strbuf_addc(out, ']');
}

static void add_object(struct strbuf *out, const json_t *object)
{
    AUTO(strvec_release) struct strvec keys = STRVEC_INIT;
    template_sorted_keys(object, &keys);
    strbuf_adds(out, "map[");
    for (size_t i = 0; i < keys.n; i++) {
        strbuf_addf(out, "%s%s:", i ? " " : "", keys.items[i]);
        template_add_value(out, json_object_get(object, keys.items[i]));
    }
    strbuf_addc(out, ']');
}

void template_add_value(struct strbuf *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        strbuf_add(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        strbuf_addf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        add_real(out, json_real_value(value));
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
        add_array(out, value);
        break;
    case JSON_OBJECT:
        add_object(out, value);
        break;
    }
}

static json_t *wrong_type(const json_t *value, const char *expected, struct error **err)
{
    return error_set_null(err, ERR_USAGE, "%s is expected, and this is %s", expected,
                          template_type_name(value));
}

static json_t *from_buffer(const struct strbuf *buf)
{
    return json_from_string(buf->data);
}

/* Comparing */

/* -1, 0, 1; *ok becomes false where they have no order. */
static int compare(const json_t *a, const json_t *b, bool *ok)
{
    if (json_is_string(a) && json_is_string(b)) {
        int order = strcmp(json_string_value(a), json_string_value(b));
        return (order > 0) - (order < 0);
    }
    if (json_is_integer(a) && json_is_integer(b))
        return (json_integer_value(a) > json_integer_value(b)) -
               (json_integer_value(a) < json_integer_value(b));
    *ok = *ok && json_is_number(a) && json_is_number(b);
    return (json_number_value(a) > json_number_value(b)) -
           (json_number_value(a) < json_number_value(b));
}

static int not_comparable(const json_t *a, const json_t *b, struct error **err)
{
    return error_set(err, ERR_USAGE, "%s can't be compared with %s", template_type_name(a),
                     template_type_name(b));
}

/* Nothing equals nothing alone; other things have to be of one type. */
static int equal(const json_t *a, const json_t *b, bool *ret, struct error **err)
{
    bool comparable = true;
    if (json_is_null(a) || json_is_null(b) || (json_is_boolean(a) && json_is_boolean(b)))
        *ret = json_equal(a, b);
    else
        *ret = compare(a, b, &comparable) == 0;
    return comparable ? 0 : not_comparable(a, b, err);
}

/* Whether the first is one of the others */
static json_t *call_eq(json_t *const *args, size_t n, struct error **err)
{
    bool is_equal = false;
    for (size_t i = 1; i < n && !is_equal; i++)
        if (equal(args[0], args[i], &is_equal, err) < 0)
            return NULL;
    return json_boolean(is_equal);
}

static json_t *call_ne(json_t *const *args, size_t n UNUSED, struct error **err)
{
    bool is_equal = false;
    return equal(args[0], args[1], &is_equal, err) < 0 ? NULL : json_boolean(!is_equal);
}

static int order_of(json_t *const *args, int *ret, struct error **err)
{
    bool comparable = true;
    *ret = compare(args[0], args[1], &comparable);
    return comparable ? 0 : not_comparable(args[0], args[1], err);
}

static json_t *call_lt(json_t *const *args, size_t n UNUSED, struct error **err)
{
    int order;
    return order_of(args, &order, err) < 0 ? NULL : json_boolean(order < 0);
}

static json_t *call_le(json_t *const *args, size_t n UNUSED, struct error **err)
{
    int order;
    return order_of(args, &order, err) < 0 ? NULL : json_boolean(order <= 0);
}

static json_t *call_gt(json_t *const *args, size_t n UNUSED, struct error **err)
{
    int order;
    return order_of(args, &order, err) < 0 ? NULL : json_boolean(order > 0);
}

static json_t *call_ge(json_t *const *args, size_t n UNUSED, struct error **err)
{
    int order;
    return order_of(args, &order, err) < 0 ? NULL : json_boolean(order >= 0);
}

static json_t *call_not(json_t *const *args, size_t n UNUSED, struct error **err UNUSED)
{
    return json_boolean(!template_is_true(args[0]));
}

/* Parts */

static json_t *call_len(json_t *const *args, size_t n UNUSED, struct error **err)
{
    const json_t *value = args[0];
    switch (json_typeof(value)) {
    case JSON_STRING:
        return json_integer((json_int_t)json_string_length(value));
    case JSON_ARRAY:
        return json_integer((json_int_t)json_array_size(value));
    case JSON_OBJECT:
        return json_integer((json_int_t)json_object_size(value));
    case JSON_NULL: /* a list or an object that isn't there */
        return json_integer(0);
    case JSON_INTEGER:
    case JSON_REAL:
    case JSON_TRUE:
    case JSON_FALSE:
        break;
    }
    return wrong_type(value, "a list, an object or a string", err);
}

/* A position of 0 to `size`, or -1. */
static int64_t position_of(const json_t *value, size_t size, struct error **err)
{
    if (!json_is_integer(value)) {
        (void)wrong_type(value, "an index", err);
        return -1;
    }
    json_int_t index = json_integer_value(value);
    if (index < 0 || (uint64_t)index > size)
        return error_set(err, ERR_USAGE, "%lld is out of range of %zu", (long long)index, size);
    return index;
}

static json_t *item_at(const json_t *array, const json_t *key, struct error **err)
{
    int64_t index = position_of(key, json_array_size(array), err);
    if (index < 0)
        return NULL;
    json_t *item = json_array_get(array, (size_t)index);
    if (!item)
        error_set_(err, ERR_USAGE, "%lld is out of range of %zu", (long long)index,
                   json_array_size(array));
    return json_incref(item);
}

static json_t *call_index(json_t *const *args, size_t n, struct error **err)
{
    AUTO(json_decref) json_t *value = json_incref(args[0]);
    for (size_t i = 1; i < n; i++) {
        const char *key = json_string_value(args[i]);
        json_t *item = NULL;
        if (json_is_array(value))
            item = item_at(value, args[i], err);
        else if (key && (json_is_object(value) || json_is_null(value))) /* Go: the zero value */
            item = json_object_get(value, key) ? json_incref(json_object_get(value, key))
                                               : json_string("");
        else
            (void)wrong_type(value, key ? "an object" : "a list", err);
        if (!item)
            return NULL;
        json_decref(value);
        value = item;
    }
    return TAKE(value);
}

/* of [begin, end) */
static json_t *part_of(const json_t *value, size_t begin, size_t end)
{
    if (json_is_string(value)) {
        AUTO(strbuf_release) struct strbuf part = STRBUF_INIT;
        strbuf_add(&part, json_string_value(value) + begin, end - begin);
        return from_buffer(&part);
    }
    json_t *part = json_array();
    for (size_t i = begin; i < end; i++)
        (void)json_array_append(part, json_array_get(value, i));
    return part;
}

static json_t *call_slice(json_t *const *args, size_t n, struct error **err)
{
    if (!json_is_string(args[0]) && !json_is_array(args[0]))
        return wrong_type(args[0], "a list or a string", err);
    size_t size = json_is_string(args[0]) ? json_string_length(args[0]) : json_array_size(args[0]);
    int64_t begin = n > 1 ? position_of(args[1], size, err) : 0;
    int64_t end = begin < 0 ? -1 : n > 2 ? position_of(args[2], size, err) : (int64_t)size;
    if (begin < 0 || end < 0)
        return NULL;
    if (begin > end)
        return error_set_null(err, ERR_USAGE, "%lld is behind %lld", (long long)begin,
                              (long long)end);
    return part_of(args[0], (size_t)begin, (size_t)end);
}

/* Texts */

/* As Go: a blank between two values of which neither is a string. */
static json_t *call_print(json_t *const *args, size_t n, struct error **err UNUSED)
{
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    for (size_t i = 0; i < n; i++) {
        if (i && !json_is_string(args[i]) && !json_is_string(args[i - 1]))
            strbuf_addc(&out, ' ');
        template_add_value(&out, args[i]);
    }
    return from_buffer(&out);
}

static json_t *call_println(json_t *const *args, size_t n, struct error **err UNUSED)
{
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_addc(&out, ' ');
        template_add_value(&out, args[i]);
    }
    strbuf_addc(&out, '\n');
    return from_buffer(&out);
}

static json_t *call_json(json_t *const *args, size_t n UNUSED, struct error **err UNUSED)
{
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    json_format_canonical(args[0], &out);
    return from_buffer(&out);
}

static json_t *call_join(json_t *const *args, size_t n UNUSED, struct error **err)
{
    bool is_piped = json_is_string(args[0]); /* the list comes last then */
    const json_t *list = args[is_piped], *separator = args[!is_piped];
    if (!json_is_array(list) && !json_is_null(list))
        return wrong_type(list, "a list", err);
    if (!json_is_string(separator))
        return wrong_type(separator, "a separator", err);
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (i)
            strbuf_adds(&out, json_string_value(separator));
        template_add_value(&out, item);
    }
    return from_buffer(&out);
}

/* What `change` makes of it */
static json_t *cased(const json_t *value, int (*change)(int))
{
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    template_add_value(&out, value);
    for (size_t i = 0; i < out.size; i++)
        out.data[i] = (char)change((unsigned char)out.data[i]);
    return from_buffer(&out);
}

static json_t *call_upper(json_t *const *args, size_t n UNUSED, struct error **err UNUSED)
{
    return cased(args[0], toupper);
}

static json_t *call_lower(json_t *const *args, size_t n UNUSED, struct error **err UNUSED)
{
    return cased(args[0], tolower);
}

static json_t *call_title(json_t *const *args, size_t n UNUSED, struct error **err UNUSED)
{
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    template_add_value(&out, args[0]);
    for (size_t i = 0; i < out.size; i++)
        if (i == 0 || is_space_byte(out.data[i - 1]))
            out.data[i] = (char)toupper((unsigned char)out.data[i]);
    return from_buffer(&out);
}

static json_t *call_split(json_t *const *args, size_t n UNUSED, struct error **err)
{
    if (!json_is_string(args[0]) || !json_is_string(args[1]))
        return wrong_type(args[json_is_string(args[0])], "a string", err);
    const char *p = json_string_value(args[0]), *separator = json_string_value(args[1]);
    AUTO(strvec_release) struct strvec parts = STRVEC_INIT;
    while (*p || *separator) { /* without a separator: into characters */
        uint32_t rune;
        const char *end = *separator ? strstr(p, separator) : p + rune_decode(p, strlen(p), &rune);
        strvec_pushn(&parts, p, end ? (size_t)(end - p) : strlen(p));
        if (!end)
            break;
        p = end + strlen(separator);
    }
    return json_from_strvec(&parts);
}

/* pad VALUE BEFORE BEHIND: blanks around what isn't empty */
static json_t *call_pad(json_t *const *args, size_t n UNUSED, struct error **err)
{
    enum { MAX_PAD = 10000 };
    int64_t before = position_of(args[1], MAX_PAD, err);
    int64_t behind = before < 0 ? -1 : position_of(args[2], MAX_PAD, err);
    if (before < 0 || behind < 0)
        return NULL;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    template_add_value(&text, args[0]);
    if (text.size)
        strbuf_addf(&out, "%*s%s%*s", (int)before, "", text.data, (int)behind, "");
    return from_buffer(&out);
}

static json_t *call_truncate(json_t *const *args, size_t n UNUSED, struct error **err)
{
    int64_t limit = position_of(args[1], SIZE_MAX / 2, err);
    if (limit < 0)
        return NULL;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    template_add_value(&text, args[0]);
    size_t size = 0;
    uint32_t rune;
    for (int64_t i = 0; i < limit && size < text.size; i++)
        size += rune_decode(text.data + size, text.size - size, &rune);
    strbuf_set_size(&text, size);
    return from_buffer(&text);
}

#define ANY SIZE_MAX

static const struct template_function functions[] = {
    { "and", 1, ANY, NULL, false },
    { "or", 1, ANY, NULL, false },
    { "not", 1, 1, call_not, false },
    { "eq", 2, ANY, call_eq, false },
    { "ne", 2, 2, call_ne, false },
    { "lt", 2, 2, call_lt, false },
    { "le", 2, 2, call_le, false },
    { "gt", 2, 2, call_gt, false },
    { "ge", 2, 2, call_ge, false },
    { "len", 1, 1, call_len, false },
    { "index", 1, ANY, call_index, false },
    { "slice", 1, 3, call_slice, false },
    { "print", 0, ANY, call_print, false },
    { "printf", 1, ANY, template_printf, false },
    { "println", 0, ANY, call_println, false },
    { "json", 1, 1, call_json, true },
    { "join", 2, 2, call_join, false },
    { "split", 2, 2, call_split, false },
    { "lower", 1, 1, call_lower, true },
    { "upper", 1, 1, call_upper, true },
    { "title", 1, 1, call_title, true },
    { "pad", 3, 3, call_pad, false },
    { "truncate", 2, 2, call_truncate, true },
};

const struct template_function *template_function_find(const char *name, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (strlen(functions[i].name) == size && !strncmp(functions[i].name, name, size))
            return &functions[i];
    return NULL;
}

const char *template_function_suggest(const char *name)
{
    const char *names[ARRAY_SIZE(functions)];
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        names[i] = functions[i].name;
    return suggest_nearest(name, names, ARRAY_SIZE(functions));
}
