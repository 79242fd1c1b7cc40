/* SPDX-License-Identifier: Apache-2.0 */
/* Go's printf for values of JSON. Where Go prints "%!d(string=x)", this is an error. */
#include "cli/template_internal.h"

#include "builder/rune.h"

#include <stdio.h>
#include <string.h>

#define MAX_WIDTH 10000

/* "%-08.3f" */
struct verb {
    bool left, zeros, plus, blank, has_precision;
    size_t width, precision;
    char letter;
};

static size_t count_runes(const struct strbuf *text)
{
    size_t n = 0;
    uint32_t rune;
    for (size_t at = 0; at < text->size; n++)
        at += rune_decode(text->data + at, text->size - at, &rune);
    return n;
}

static void cut_runes(struct strbuf *text, size_t limit)
{
    size_t size = 0;
    uint32_t rune;
    for (size_t i = 0; i < limit && size < text->size; i++)
        size += rune_decode(text->data + size, text->size - size, &rune);
    strbuf_set_size(text, size);
}

static int parse_count(const char **p, size_t *ret, struct error **err)
{
    *ret = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        *ret = *ret * 10 + (size_t)(**p - '0');
        if (*ret > MAX_WIDTH)
            return error_set(err, ERR_USAGE, "a width of more than %d", MAX_WIDTH);
    }
    return 0;
}

/* Behind the "%"; leaves *p behind the letter. */
static int parse_verb(const char **p, struct verb *verb, struct error **err)
{
    for (bool is_flag = true; is_flag; *p += is_flag) {
        is_flag = **p && strchr("-0+ ", **p);
        verb->left |= **p == '-';
        verb->zeros |= **p == '0';
        verb->plus |= **p == '+';
        verb->blank |= **p == ' ';
    }
    if (parse_count(p, &verb->width, err) < 0)
        return -1;
    verb->has_precision = **p == '.';
    *p += verb->has_precision;
    if (parse_count(p, &verb->precision, err) < 0)
        return -1;
    verb->letter = **p;
    if (!verb->letter || !strchr("%vsqdxXoctfFgGeE", verb->letter))
        return error_set(err, ERR_USAGE, "%%%.1s is not supported", *p);
    (*p)++;
    return 0;
}

static int wrong_type(const struct verb *verb, const json_t *value, struct error **err)
{
    return error_set(err, ERR_USAGE, "%%%c can't show %s", verb->letter, template_type_name(value));
}

static void add_text(const struct verb *verb, const json_t *value, struct strbuf *out)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    template_add_value(&text, value);
    if (verb->has_precision)
        cut_runes(&text, verb->precision);
    if (verb->letter == 'q')
        strbuf_add_json_string(out, text.data);
    else
        strbuf_add(out, text.data, text.size);
}

static void add_sign(const struct verb *verb, bool is_negative, struct strbuf *out)
{
    if (is_negative || verb->plus || verb->blank)
        strbuf_adds(out, is_negative ? "-" : verb->plus ? "+" : " ");
}

static int add_integer(const struct verb *verb, const json_t *value, struct strbuf *out,
                       struct error **err)
{
    if (!json_is_integer(value))
        return wrong_type(verb, value, err);
    json_int_t integer = json_integer_value(value);
    unsigned long long amount =
        integer < 0 ? 0 - (unsigned long long)integer : (unsigned long long)integer;
    int precision = verb->has_precision ? (int)verb->precision : 1;
    add_sign(verb, integer < 0, out);
    if (verb->letter == 'x')
        strbuf_addf(out, "%.*llx", precision, amount);
    else if (verb->letter == 'X')
        strbuf_addf(out, "%.*llX", precision, amount);
    else if (verb->letter == 'o')
        strbuf_addf(out, "%.*llo", precision, amount);
    else
        strbuf_addf(out, "%.*llu", precision, amount);
    return 0;
}

static int add_real(const struct verb *verb, const json_t *value, struct strbuf *out,
                    struct error **err)
{
    if (!json_is_number(value))
        return wrong_type(verb, value, err);
    double real = json_number_value(value), amount = real < 0 ? -real : real;
    int precision = verb->has_precision ? (int)verb->precision : 6;
    add_sign(verb, real < 0, out);
    if (verb->letter == 'f' || verb->letter == 'F')
        strbuf_addf(out, "%.*f", precision, amount);
    else if (verb->letter == 'e' || verb->letter == 'E')
        strbuf_addf(out, verb->letter == 'e' ? "%.*e" : "%.*E", precision, amount);
    else if (verb->has_precision)
        strbuf_addf(out, verb->letter == 'g' ? "%.*g" : "%.*G", precision, amount);
    else
        template_add_value(out, value); /* the shortest that is read back as the same */
    return 0;
}

static void add_hex(const struct verb *verb, const json_t *value, struct strbuf *out)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; i < json_string_length(value); i++)
        strbuf_addf(out, verb->letter == 'x' ? "%02x" : "%02X", (unsigned char)text[i]);
}

static int add_character(const struct verb *verb, const json_t *value, struct strbuf *out,
                         struct error **err)
{
    json_int_t code = json_integer_value(value);
    if (!json_is_integer(value) || code <= 0 || code > 0x7e)
        return error_set(err, ERR_USAGE, "%%%c takes the code of a character of ASCII",
                         verb->letter);
    strbuf_addc(out, (char)code);
    return 0;
}

static int add_argument(const struct verb *verb, const json_t *value, struct strbuf *out,
                        struct error **err)
{
    switch (verb->letter) {
    case 'd':
    case 'o':
        return add_integer(verb, value, out, err);
    case 'x':
    case 'X':
        if (!json_is_string(value))
            return add_integer(verb, value, out, err);
        add_hex(verb, value, out);
        return 0;
    case 'c':
        return add_character(verb, value, out, err);
    case 't':
        if (!json_is_boolean(value))
            return wrong_type(verb, value, err);
        template_add_value(out, value);
        return 0;
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case 'e':
    case 'E':
        return add_real(verb, value, out, err);
    case 's':
    case 'q':
        if (verb->letter == 'q' && !json_is_string(value))
            return wrong_type(verb, value, err);
        break;
    case 'v':
        if (json_is_integer(value))
            return add_integer(verb, value, out, err);
        break;
    }
    add_text(verb, value, out);
    return 0;
}

/* `text` in its width. Zeros go behind the sign. */
static void add_padded(const struct verb *verb, const struct strbuf *text, struct strbuf *out)
{
    size_t n = count_runes(text);
    size_t n_padding = verb->width > n ? verb->width - n : 0;
    bool zeros = verb->zeros && !verb->left;
    size_t n_sign = zeros && text->size && strchr("+- ", text->data[0]) ? 1 : 0;
    if (verb->left)
        strbuf_add(out, text->data, text->size);
    else
        strbuf_add(out, text->data, n_sign);
    for (size_t i = 0; i < n_padding; i++)
        strbuf_addc(out, zeros ? '0' : ' ');
    if (!verb->left)
        strbuf_add(out, text->data + n_sign, text->size - n_sign);
}

json_t *template_printf(json_t *const *args, size_t n, struct error **err)
{
    if (!json_is_string(args[0]))
        return error_set_null(err, ERR_USAGE, "a format is expected, and this is %s",
                              template_type_name(args[0]));
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    size_t used = 1;
    for (const char *p = json_string_value(args[0]); *p;) {
        if (*p != '%') {
            strbuf_addc(&out, *p++);
            continue;
        }
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        struct verb verb = { .left = false };
        p++;
        if (parse_verb(&p, &verb, err) < 0)
            return NULL;
        if (verb.letter == '%') {
            strbuf_addc(&out, '%');
            continue;
        }
        if (used == n)
            return error_set_null(err, ERR_USAGE, "nothing is given for %%%c", verb.letter);
        if (add_argument(&verb, args[used++], &text, err) < 0)
            return NULL;
        add_padded(&verb, &text, &out);
    }
    if (used < n)
        return error_set_null(err, ERR_USAGE, "the format shows %zu of %zu values", used - 1,
                              n - 1);
    return json_from_string(out.data);
}
