/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expander: one pass over the text, recursive only where ${v:-word} nests.
 * Two results grow side by side: the text, and the words it splits into.
 */
#include "builder/words.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "builder/rune.h"
#include "builder/words_pattern.h"

#include <assert.h>
#include <string.h>

#define STOP_AT_END '\0' /* texts hold no NUL */

struct scan {
    const struct words_expander *expander;
    const char *source; /* all of the text, for messages */
    const char *at, *end;
    bool raw_escapes;
    unsigned depth;
};

/* The words that a text becomes, built character by character. NULL list: not wanted. */
struct splitter {
    struct strvec *list;
    struct strbuf word;
    bool in_word;
};

static void split_raw(struct splitter *splitter, const char *text, size_t size)
{
    if (!splitter->list)
        return;
    strbuf_add(&splitter->word, text, size);
    splitter->in_word = true;
}

static void split_end_word(struct splitter *splitter)
{
    if (!splitter->list || !splitter->word.size)
        return;
    strvec_pushn(splitter->list, splitter->word.data, splitter->word.size);
    strbuf_reset(&splitter->word);
    splitter->in_word = false;
}

/* Text whose blanks separate words. */
static void split_text(struct splitter *splitter, const char *text, size_t size)
{
    if (!splitter->list)
        return;
    for (size_t i = 0; i < size;) {
        uint32_t rune;
        size_t n = rune_decode(text + i, size - i, &rune);
        if (!rune_is_space(rune))
            split_raw(splitter, text + i, n);
        else if (splitter->in_word)
            split_end_word(splitter);
        i += n;
    }
}

static int expand_until(struct scan *scan, char stop, bool raw_escapes, struct strbuf *out,
                        struct splitter *splitter, struct error **err);

static int bad(const struct scan *scan, const char *what, struct error **err)
{
    return error_set(err, ERR_SYNTAX, "%s in \"%s\"", what, scan->source);
}

static bool at_end(const struct scan *scan)
{
    return scan->at >= scan->end;
}

static size_t peek(const struct scan *scan, uint32_t *rune)
{
    return rune_decode(scan->at, (size_t)(scan->end - scan->at), rune);
}

static int expand_single_quotes(struct scan *scan, struct strbuf *out, struct error **err)
{
    bool raw = scan->expander->flags & WORDS_RAW_QUOTES;
    const char *close = memchr(scan->at + 1, '\'', (size_t)(scan->end - scan->at - 1));
    if (!close)
        return bad(scan, "unterminated single quote", err);
    const char *from = raw ? scan->at : scan->at + 1;
    const char *to = raw ? close + 1 : close;
    scan->at = close + 1;
    return strbuf_add_capped(out, from, (size_t)(to - from), err);
}

static int expand_dollar(struct scan *scan, struct strbuf *out, struct error **err);

static int expand_double_quotes(struct scan *scan, struct strbuf *out, struct error **err)
{
    bool raw = scan->expander->flags & WORDS_RAW_QUOTES;
    char escape = scan->expander->escape;
    if (raw && strbuf_add_capped(out, "\"", 1, err) < 0)
        return -1;
    scan->at++;
    while (!at_end(scan)) {
        char c = *scan->at;
        if (c == '"') {
            scan->at++;
            return raw ? strbuf_add_capped(out, "\"", 1, err) : 0;
        }
        if (c == '$') {
            if (expand_dollar(scan, out, err) < 0)
                return -1;
            continue;
        }
        if (c == escape && scan->at + 1 < scan->end) {
            char next = scan->at[1];
            bool escapes = next == '"' || next == '$' || next == escape;
            if (escapes && scan->raw_escapes && strbuf_add_capped(out, &escape, 1, err) < 0)
                return -1;
            if (escapes)
                c = *++scan->at;
        }
        if (strbuf_add_capped(out, &c, 1, err) < 0)
            return -1;
        scan->at++;
    }
    return bad(scan, "unterminated double quote", err);
}

/* A name at scan->at: letters, digits and _; or a number; or one special character. "" for none. */
static char *read_name(struct scan *scan)
{
    const char *start = scan->at;
    uint32_t rune = 0;
    size_t n = peek(scan, &rune);
    if (n && rune >= '0' && rune <= '9') {
        while (!at_end(scan) && *scan->at >= '0' && *scan->at <= '9')
            scan->at++;
    } else if (n && rune < 0x80 && rune && strchr("@*#?-$!", (int)rune)) {
        scan->at++;
    } else {
        while ((n = peek(scan, &rune)) != 0) {
            bool is_digit = rune >= '0' && rune <= '9';
            if (rune == RUNE_ERROR || (!rune_is_letter(rune) && !is_digit && rune != '_'))
                break;
            scan->at += n;
        }
    }
    return xstrndup(start, (size_t)(scan->at - start));
}

static const char *look_up(const struct scan *scan, const char *name)
{
    const struct words_expander *expander = scan->expander;
    const char *value = expander->lookup ? expander->lookup(expander->context, name) : NULL;
    if (expander->seen)
        expander->seen(expander->context, name, value != NULL);
    return value;
}

static int add_text(struct strbuf *out, const char *text, struct error **err)
{
    return strbuf_add_capped(out, text, strlen(text), err);
}

/* Puts "${name<operator>word}" back for WORDS_KEEP_UNSET. */
static int add_as_written(struct strbuf *out, const char *name, const char *operator,
                          const char * word, struct error **err)
{
    AUTO(free) char *text = xasprintf("${%s%s%s}", name, operator, word);
    return add_text(out, text, err);
}

/* The text up to `stop` within ${...}, expanded. */
static int read_operand(struct scan *scan, char stop, bool raw_escapes, struct strbuf *ret,
                        struct error **err)
{
    struct splitter none = { .word = STRBUF_INIT };
    struct strbuf operand = STRBUF_INIT_CAPPED(WORDS_MAX_SIZE);
    if (expand_until(scan, stop, raw_escapes, &operand, &none, err) < 0) {
        strbuf_release(&operand);
        return -1;
    }
    *ret = operand;
    return 0;
}

static int refuse_missing(const char *name, const char *value, const char *message,
                          struct error **err)
{
    if (!*message)
        message = value ? "is not allowed to be empty" : "is not allowed to be unset";
    return error_set(err, ERR_FAILED, "%s: %s", name, message);
}

static int trim(const char *value, char operator, const char * pattern, struct strbuf *out,
                struct error **err)
{
    bool greedy = *pattern == operator;
    if (greedy)
        pattern++;
    if (operator== '#')
        return words_trim_prefix(value, pattern, greedy, out, err);
    return words_trim_suffix(value, pattern, greedy, out, err);
}

/* ${name:-word} and the like; scan->at is behind the operator. */
static int expand_operator(struct scan *scan, const char *name, char operator, bool has_colon,
                           struct strbuf *out, struct error **err)
{
    bool is_trim = operator== '#' || operator== '%';
    AUTO(strbuf_release) struct strbuf word = STRBUF_INIT;
    if (read_operand(scan, '}', is_trim, &word, err) < 0)
        return -1;

    const char *value = look_up(scan, name);
    if (!value && (scan->expander->flags & WORDS_KEEP_UNSET)) {
        char text[3] = { operator, '\0', '\0' };
        if (has_colon) {
            text[0] = ':';
            text[1] = operator;
        }
        return add_as_written(out, name, text, word.data, err);
    }
    bool is_missing = !value || (has_colon && !*value);
    switch (operator) {
    case '-':
        return add_text(out, is_missing ? word.data : value, err);
    case '+':
        return is_missing ? 0 : add_text(out, word.data, err);
    case '?':
        return is_missing ? refuse_missing(name, value, word.data, err) : add_text(out, value, err);
    default:
        return trim(value ? value : "", operator, word.data, out, err);
    }
}

/* ${name/pattern/replacement}; scan->at is behind the first slash. */
static int expand_replace(struct scan *scan, const char *name, struct strbuf *out,
                          struct error **err)
{
    bool all = !at_end(scan) && *scan->at == '/';
    scan->at += all;
    AUTO(strbuf_release) struct strbuf pattern = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf replacement = STRBUF_INIT;
    if (read_operand(scan, '/', true, &pattern, err) < 0 ||
        read_operand(scan, '}', true, &replacement, err) < 0)
        return -1;
    const char *value = look_up(scan, name);
    if (!value && (scan->expander->flags & WORDS_KEEP_UNSET)) {
        AUTO(free) char *rest = xasprintf("%s/%s", pattern.data, replacement.data);
        return add_as_written(out, name, all ? "//" : "/", rest, err);
    }
    return words_replace(value ? value : "", pattern.data, replacement.data, all, out, err);
}

/* scan->at is behind "${". */
static int expand_braces(struct scan *scan, struct strbuf *out, struct error **err)
{
    if (at_end(scan))
        return bad(scan, "missing '}'", err);
    if (strchr("{}:", *scan->at))
        return bad(scan, "bad substitution", err);
    AUTO(free) char *name = read_name(scan);
    if (at_end(scan))
        return bad(scan, "missing '}'", err);
    char c = *scan->at++;
    if (c == '}' && *name) {
        const char *value = look_up(scan, name);
        if (!value && (scan->expander->flags & WORDS_KEEP_UNSET))
            return add_as_written(out, name, "", "", err);
        return add_text(out, value ? value : "", err);
    }
    bool has_colon = c == ':';
    if (has_colon && !at_end(scan))
        c = *scan->at++;
    if (*name && strchr(has_colon ? "-+?" : "-+?#%", c))
        return expand_operator(scan, name, c, has_colon, out, err);
    if (*name && c == '/' && !has_colon)
        return expand_replace(scan, name, out, err);
    return bad(scan, "unsupported modifier", err);
}

static int expand_dollar(struct scan *scan, struct strbuf *out, struct error **err)
{
    scan->at++;
    if (!at_end(scan) && *scan->at == '{') {
        if (scan->depth >= WORDS_MAX_DEPTH)
            return error_set(err, ERR_LIMIT, "variables nested deeper than %d", WORDS_MAX_DEPTH);
        scan->at++;
        scan->depth++;
        int result = expand_braces(scan, out, err);
        scan->depth--;
        return result;
    }
    AUTO(free) char *name = read_name(scan);
    if (!*name)
        return strbuf_add_capped(out, "$", 1, err);
    const char *value = look_up(scan, name);
    if (!value && (scan->expander->flags & WORDS_KEEP_UNSET)) {
        AUTO(free) char *text = xasprintf("$%s", name);
        return add_text(out, text, err);
    }
    return add_text(out, value ? value : "", err);
}

/* An escape outside of quotes: the next character is literal, the escape disappears. */
static int expand_escape(struct scan *scan, struct strbuf *out, struct splitter *splitter,
                         struct error **err)
{
    const char *from = scan->at++;
    uint32_t rune;
    size_t n = peek(scan, &rune);
    if (!scan->raw_escapes)
        from = scan->at;
    scan->at += n;
    size_t size = (size_t)(scan->at - from);
    if (size)
        split_raw(splitter, from, size);
    return strbuf_add_capped(out, from, size, err);
}

/* A quoted part or a variable: its result to both outputs. */
static int expand_special(struct scan *scan, struct strbuf *out, struct splitter *splitter,
                          struct error **err)
{
    size_t before = out->size;
    char c = *scan->at;
    int result = c == '\''  ? expand_single_quotes(scan, out, err)
                 : c == '"' ? expand_double_quotes(scan, out, err)
                            : expand_dollar(scan, out, err);
    if (result < 0)
        return -1;
    if (c == '$')
        split_text(splitter, out->data + before, out->size - before);
    else
        split_raw(splitter, out->data + before, out->size - before);
    return 0;
}

static bool is_special(const struct scan *scan, char c)
{
    return c == '$' || ((c == '"' || c == '\'') && !(scan->expander->flags & WORDS_NO_QUOTES));
}

static int expand_body(struct scan *scan, char stop, struct strbuf *out, struct splitter *splitter,
                       struct error **err)
{
    while (!at_end(scan)) {
        char c = *scan->at;
        int result = 0;
        if (stop && c == stop) {
            scan->at++;
            split_end_word(splitter);
            return 0;
        }
        if (is_special(scan, c)) {
            result = expand_special(scan, out, splitter, err);
        } else if (c == scan->expander->escape) {
            result = expand_escape(scan, out, splitter, err);
        } else {
            uint32_t rune;
            size_t n = peek(scan, &rune);
            split_text(splitter, scan->at, n);
            result = strbuf_add_capped(out, scan->at, n, err);
            scan->at += n;
        }
        if (result < 0)
            return -1;
    }
    if (stop) {
        char what[] = "missing 'x'";
        what[9] = stop;
        return bad(scan, what, err);
    }
    split_end_word(splitter);
    return 0;
}

static int expand_until(struct scan *scan, char stop, bool raw_escapes, struct strbuf *out,
                        struct splitter *splitter, struct error **err)
{
    bool saved = scan->raw_escapes;
    scan->raw_escapes = raw_escapes;
    int result = expand_body(scan, stop, out, splitter, err);
    scan->raw_escapes = saved;
    return result;
}

static int expand(const struct words_expander *expander, const char *text, struct strbuf *out,
                  struct strvec *list, struct error **err)
{
    assert(expander->escape == '\\' || expander->escape == '`');
    struct scan scan = { .expander = expander,
                         .source = text,
                         .at = text,
                         .end = text + strlen(text),
                         .raw_escapes = expander->flags & WORDS_RAW_ESCAPES };
    struct splitter splitter = { .list = list, .word = STRBUF_INIT };
    int result = expand_until(&scan, STOP_AT_END, scan.raw_escapes, out, &splitter, err);
    strbuf_release(&splitter.word);
    return result;
}

int words_expand(const struct words_expander *expander, const char *word, char **ret,
                 struct error **err)
{
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT_CAPPED(WORDS_MAX_SIZE);
    if (expand(expander, word, &out, NULL, err) < 0)
        return -1;
    *ret = strbuf_detach(&out);
    return 0;
}

int words_expand_list(const struct words_expander *expander, const char *text, struct strvec *ret,
                      struct error **err)
{
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT_CAPPED(WORDS_MAX_SIZE);
    AUTO(strvec_release) struct strvec words = STRVEC_INIT;
    if (expand(expander, text, &out, &words, err) < 0)
        return -1;
    strvec_append(ret, &words);
    return 0;
}
