/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml.h"

#include "base/hashmap.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

/* What a table of the document is, which decides what may still be added to it. */
enum table_kind {
    TABLE_IMPLIED = 1, /* by the path of another: may yet get a header of its own */
    TABLE_HEADED,      /* [name] */
    TABLE_DOTTED,      /* a.b = 1: closed to headers */
    TABLE_INLINE,      /* { ... }: closed to all */
    TABLE_ARRAY,       /* [[name]]: the array */
};

struct parser {
    const char *p, *end;
    unsigned line;
    unsigned depth;
    json_t *root;
    json_t *table;        /* of the header above */
    struct hashmap kinds; /* json_t pointer → enum table_kind */
};

static int syntax(const struct parser *parser, const char *what, struct error **err)
{
    return error_set(err, ERR_SYNTAX, "line %u: %s", parser->line, what);
}

static enum table_kind kind_of(const struct parser *parser, const json_t *table)
{
    return (enum table_kind)(uintptr_t)hashmap_getn(&parser->kinds, &table, sizeof(table));
}

static void set_kind(struct parser *parser, const json_t *table, enum table_kind kind)
{
    hashmap_putn(&parser->kinds, &table, sizeof(table), (void *)(uintptr_t)kind);
}

/* Characters */

static bool at(const struct parser *parser, char c)
{
    return parser->p < parser->end && *parser->p == c;
}

static bool starts(const struct parser *parser, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(parser->end - parser->p) >= size && memcmp(parser->p, text, size) == 0;
}

static void skip_blanks(struct parser *parser)
{
    while (at(parser, ' ') || at(parser, '\t'))
        parser->p++;
}

static bool at_newline(const struct parser *parser)
{
    return at(parser, '\n') || starts(parser, "\r\n");
}

static void skip_newline(struct parser *parser)
{
    parser->p += at(parser, '\r') ? 2 : 1;
    parser->line++;
}

static void skip_comment(struct parser *parser)
{
    if (!at(parser, '#'))
        return;
    while (parser->p < parser->end && !at_newline(parser))
        parser->p++;
}

/* Blanks, comments and line ends: where an array may hold them. */
static void skip_space(struct parser *parser)
{
    for (;;) {
        skip_blanks(parser);
        skip_comment(parser);
        if (!at_newline(parser))
            return;
        skip_newline(parser);
    }
}

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* Strings */

static void add_utf8(struct strbuf *buf, uint32_t code)
{
    if (code < 0x80) {
        strbuf_addc(buf, (char)code);
        return;
    }
    unsigned n = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char first[] = { 0, 0xc0, 0xe0, 0xf0 };
    strbuf_addc(buf, (char)(first[n] | code >> (6 * n)));
    while (n--)
        strbuf_addc(buf, (char)(0x80 | (code >> (6 * n) & 0x3f)));
}

/* \uXXXX and \UXXXXXXXX, from behind the u */
static int parse_unicode(struct parser *parser, unsigned n_digits, struct strbuf *buf,
                         struct error **err)
{
    uint32_t code = 0;
    for (unsigned i = 0; i < n_digits; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit =
            parser->p < parser->end && *parser->p ? strchr(digits, *parser->p | 0x20) : NULL;
        if (!digit)
            return syntax(parser, "expected a hexadecimal digit", err);
        code = code << 4 | (uint32_t)(digit - digits);
        parser->p++;
    }
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return syntax(parser, "no character has this number", err);
    add_utf8(buf, code);
    return 0;
}

/* In """: a backslash at the end of a line takes all space up to the next text. */
static bool skip_line_end(struct parser *parser)
{
    const char *start = parser->p;
    skip_blanks(parser);
    if (!at_newline(parser)) {
        parser->p = start;
        return false;
    }
    while (at_newline(parser)) {
        skip_newline(parser);
        skip_blanks(parser);
    }
    return true;
}

/* From behind the backslash */
static int parse_escape(struct parser *parser, bool multi_line, struct strbuf *buf,
                        struct error **err)
{
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    if (multi_line && skip_line_end(parser))
        return 0;
    char c = '\0';
    if (parser->p < parser->end)
        c = *parser->p++;
    if (c == 'u' || c == 'U')
        return parse_unicode(parser, c == 'u' ? 4 : 8, buf, err);
    const char *known = c ? strchr(from, c) : NULL;
    if (!known)
        return syntax(parser, "unknown escape in a string", err);
    strbuf_addc(buf, to[known - from]);
    return 0;
}

/* """ and ''': up to two quotes may stand before the three that end it. */
static bool ends_multi_line(struct parser *parser, const char *quotes, struct strbuf *buf)
{
    if (!starts(parser, quotes))
        return false;
    parser->p += 3;
    for (int i = 0; i < 2 && at(parser, *quotes); i++) {
        strbuf_addc(buf, *quotes);
        parser->p++;
    }
    return true;
}

static int parse_multi_line(struct parser *parser, const char *quotes, struct strbuf *buf,
                            struct error **err)
{
    parser->p += 3;
    if (at_newline(parser))
        skip_newline(parser);
    while (!ends_multi_line(parser, quotes, buf)) {
        if (parser->p >= parser->end)
            return syntax(parser, "string without its end", err);
        if (*quotes == '"' && at(parser, '\\')) {
            parser->p++;
            if (parse_escape(parser, true, buf, err) < 0)
                return -1;
            continue;
        }
        if (at(parser, '\n'))
            parser->line++;
        strbuf_addc(buf, *parser->p++);
    }
    return 0;
}

static int parse_one_line(struct parser *parser, struct strbuf *buf, struct error **err)
{
    char quote = *parser->p++;
    while (!at(parser, quote)) {
        if (parser->p >= parser->end || at_newline(parser))
            return syntax(parser, "string without its end", err);
        char c = *parser->p++;
        if (quote == '"' && c == '\\') {
            if (parse_escape(parser, false, buf, err) < 0)
                return -1;
            continue;
        }
        strbuf_addc(buf, c);
    }
    parser->p++;
    return 0;
}

static int parse_string(struct parser *parser, struct strbuf *buf, struct error **err)
{
    const char *quotes = at(parser, '"') ? "\"\"\"" : "'''";
    int result = starts(parser, quotes) ? parse_multi_line(parser, quotes, buf, err)
                                        : parse_one_line(parser, buf, err);
    if (result == 0 && memchr(buf->data, '\0', buf->size))
        return syntax(parser, "NUL in a string", err);
    return result;
}

/* Values */

static json_t *parse_value(struct parser *parser, struct error **err);

/* Underscores may stand between digits. */
static bool strip_underscores(const char *text, size_t size, struct strbuf *buf)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '_')
            strbuf_addc(buf, text[i]);
        else if (i == 0 || i + 1 == size || !is_bare(text[i - 1]) || !is_bare(text[i + 1]) ||
                 text[i + 1] == '_')
            return false;
    }
    return true;
}

static json_t *parse_number(const char *text)
{
    static const struct {
        const char *prefix;
        int base;
    } bases[] = { { "0x", 16 }, { "0o", 8 }, { "0b", 2 } };
    char *end;
    int base = 10;
    const char *digits = text;
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
        if (strncmp(text, bases[i].prefix, 2) == 0) {
            base = bases[i].base;
            digits += 2;
        }
    if (base != 10 && !(*digits && is_bare(*digits) && *digits != '-'))
        return NULL;
    errno = 0;
    long long integer = strtoll(digits, &end, base);
    if (!*end && !errno)
        return json_integer(integer);
    if (base != 10 || strspn(text, "+-0123456789.eE") != strlen(text))
        return NULL;
    double real = strtod(text, &end);
    return *end || errno ? NULL : json_real(real);
}

/* YYYY-MM-DD, hh:mm:ss and both together: kept as text */
static bool looks_like_date(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return (n == 4 && text[n] == '-') || (n == 2 && text[n] == ':');
}

static json_t *parse_bare(struct parser *parser, struct error **err)
{
    const char *start = parser->p;
    while (parser->p < parser->end &&
           (is_bare(*parser->p) || *parser->p == '+' || *parser->p == '.' || *parser->p == ':'))
        parser->p++;
    size_t size = (size_t)(parser->p - start);
    AUTO(free) char *text = xstrndup(start, size);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    AUTO(strbuf_release) struct strbuf plain = STRBUF_INIT;
    json_t *number = NULL;
    if (size && strip_underscores(text, size, &plain))
        number = parse_number(plain.data);
    if (number)
        return number;
    if (looks_like_date(text))
        return json_string(text);
    (void)syntax(parser, "expected a value: \"text\", a number, true, false, [...] or {...}", err);
    return NULL;
}

static json_t *parse_string_value(struct parser *parser, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (parse_string(parser, &text, err) < 0)
        return NULL;
    json_t *value = json_stringn(text.data, text.size);
    if (!value)
        (void)syntax(parser, "string that isn't UTF-8", err);
    return value;
}

static json_t *parse_array(struct parser *parser, struct error **err)
{
    AUTO(json_decref) json_t *array = json_array();
    parser->p++;
    for (;;) {
        skip_space(parser);
        if (at(parser, ']'))
            break;
        json_t *value = parse_value(parser, err);
        if (!value)
            return NULL;
        json_array_append_new(array, value);
        skip_space(parser);
        if (at(parser, ']'))
            break;
        if (!at(parser, ',')) {
            (void)syntax(parser, "expected , or ] in an array", err);
            return NULL;
        }
        parser->p++;
    }
    parser->p++;
    return TAKE(array);
}

static int parse_pair(struct parser *parser, json_t *table, struct error **err);

static int parse_inline_pairs(struct parser *parser, json_t *table, struct error **err)
{
    skip_blanks(parser);
    if (at(parser, '}'))
        return 0;
    for (;;) {
        skip_blanks(parser);
        if (parse_pair(parser, table, err) < 0)
            return -1;
        skip_blanks(parser);
        if (at(parser, '}'))
            return 0;
        if (!at(parser, ','))
            return syntax(parser, "expected , or } in an inline table", err);
        parser->p++;
    }
}

static json_t *parse_inline(struct parser *parser, struct error **err)
{
    AUTO(json_decref) json_t *table = json_object();
    parser->p++;
    if (parse_inline_pairs(parser, table, err) < 0)
        return NULL;
    parser->p++;
    set_kind(parser, table, TABLE_INLINE);
    return TAKE(table);
}

static json_t *parse_value(struct parser *parser, struct error **err)
{
    if (at(parser, '"') || at(parser, '\''))
        return parse_string_value(parser, err);
    if (!at(parser, '[') && !at(parser, '{'))
        return parse_bare(parser, err);
    if (parser->depth >= JSON_MAX_DEPTH)
        return error_set_null(err, ERR_LIMIT, "line %u: nested deeper than %d", parser->line,
                              JSON_MAX_DEPTH);
    parser->depth++;
    json_t *value = at(parser, '[') ? parse_array(parser, err) : parse_inline(parser, err);
    parser->depth--;
    return value;
}

/* Keys */

static int parse_key(struct parser *parser, struct strbuf *key, struct error **err)
{
    strbuf_reset(key);
    skip_blanks(parser);
    if (starts(parser, "\"\"\"") || starts(parser, "'''"))
        return syntax(parser, "key of several lines", err);
    if (at(parser, '"') || at(parser, '\'')) {
        if (parse_string(parser, key, err) < 0)
            return -1;
    } else {
        while (parser->p < parser->end && is_bare(*parser->p))
            strbuf_addc(key, *parser->p++);
        if (!key->size)
            return syntax(parser, "expected a key", err);
    }
    skip_blanks(parser);
    return 0;
}

static int put(struct parser *parser, json_t *table, const char *key, json_t *value,
               struct error **err)
{
    if (json_object_set_new(table, key, value) < 0)
        return syntax(parser, "key that isn't UTF-8", err);
    return 0;
}

/* The table under a key on the way to the last; made where it is missing. */
static json_t *enter(struct parser *parser, json_t *table, const char *key, enum table_kind made,
                     struct error **err)
{
    json_t *next = json_object_get(table, key);
    if (!next) {
        next = json_object();
        if (put(parser, table, key, next, err) < 0)
            return NULL;
        set_kind(parser, next, made);
        return next;
    }
    enum table_kind kind = kind_of(parser, next);
    if (kind == TABLE_ARRAY && made == TABLE_IMPLIED)
        return json_array_get(next, json_array_size(next) - 1);
    /* a dotted key adds only to what dotted keys made; a header to all but what is closed */
    bool open = json_is_object(next) && kind != TABLE_INLINE &&
                (made == TABLE_IMPLIED || kind == TABLE_DOTTED || kind == TABLE_IMPLIED);
    if (open)
        return next;
    (void)syntax(parser, "key was given a value before", err);
    return NULL;
}

/* All keys but the last are entered; *key is the last. */
static json_t *parse_path(struct parser *parser, json_t *table, enum table_kind made,
                          struct strbuf *key, struct error **err)
{
    if (parse_key(parser, key, err) < 0)
        return NULL;
    for (unsigned depth = 0; table && at(parser, '.'); depth++) {
        parser->p++;
        if (depth >= JSON_MAX_DEPTH)
            return error_set_null(err, ERR_LIMIT, "line %u: key of more than %d parts",
                                  parser->line, JSON_MAX_DEPTH);
        table = enter(parser, table, key->data, made, err);
        if (table && parse_key(parser, key, err) < 0)
            return NULL;
    }
    return table;
}

/* key = value */
static int parse_pair(struct parser *parser, json_t *table, struct error **err)
{
    AUTO(strbuf_release) struct strbuf key = STRBUF_INIT;
    table = parse_path(parser, table, TABLE_DOTTED, &key, err);
    if (!table)
        return -1;
    if (!at(parser, '='))
        return syntax(parser, "expected = after a key", err);
    parser->p++;
    skip_blanks(parser);
    if (json_object_get(table, key.data))
        return syntax(parser, "key was given a value before", err);
    json_t *value = parse_value(parser, err);
    return value ? put(parser, table, key.data, value, err) : -1;
}

static int add_table(struct parser *parser, json_t *parent, const char *key, struct error **err)
{
    json_t *table = json_object_get(parent, key);
    if (!table) {
        table = json_object();
        if (put(parser, parent, key, table, err) < 0)
            return -1;
    } else if (kind_of(parser, table) != TABLE_IMPLIED) {
        return syntax(parser, "table was defined before", err);
    }
    set_kind(parser, table, TABLE_HEADED);
    parser->table = table;
    return 0;
}

static int add_array_table(struct parser *parser, json_t *parent, const char *key,
                           struct error **err)
{
    json_t *array = json_object_get(parent, key);
    if (!array) {
        array = json_array();
        if (put(parser, parent, key, array, err) < 0)
            return -1;
        set_kind(parser, array, TABLE_ARRAY);
    } else if (kind_of(parser, array) != TABLE_ARRAY) {
        return syntax(parser, "defined before, as something else", err);
    }
    parser->table = json_object();
    json_array_append_new(array, parser->table);
    set_kind(parser, parser->table, TABLE_HEADED);
    return 0;
}

/* [a.b] and [[a.b]] */
static int parse_header(struct parser *parser, struct error **err)
{
    AUTO(strbuf_release) struct strbuf key = STRBUF_INIT;
    bool is_array = starts(parser, "[[");
    parser->p += is_array ? 2 : 1;
    json_t *parent = parse_path(parser, parser->root, TABLE_IMPLIED, &key, err);
    if (!parent)
        return -1;
    const char *close = is_array ? "]]" : "]";
    if (!starts(parser, close))
        return syntax(parser, is_array ? "expected ]] after [[name" : "expected ] after [name",
                      err);
    parser->p += strlen(close);
    return is_array ? add_array_table(parser, parent, key.data, err)
                    : add_table(parser, parent, key.data, err);
}

static int parse_line(struct parser *parser, struct error **err)
{
    int result =
        at(parser, '[') ? parse_header(parser, err) : parse_pair(parser, parser->table, err);
    if (result < 0)
        return -1;
    skip_blanks(parser);
    skip_comment(parser);
    if (parser->p < parser->end && !at_newline(parser))
        return syntax(parser, "expected the end of the line", err);
    return 0;
}

json_t *toml_parse(const char *data, size_t size, struct error **err)
{
    AUTO(json_decref) json_t *root = json_object();
    struct parser parser = {
        .p = data, .end = data + size, .line = 1, .root = root, .table = root
    };
    hashmap_init(&parser.kinds, NULL);
    set_kind(&parser, root, TABLE_HEADED);
    if (starts(&parser, "\xef\xbb\xbf"))
        parser.p += 3;
    int result = 0;
    for (skip_space(&parser); result == 0 && parser.p < parser.end; skip_space(&parser))
        result = parse_line(&parser, err);
    hashmap_release(&parser.kinds);
    return result < 0 ? NULL : TAKE(root);
}
