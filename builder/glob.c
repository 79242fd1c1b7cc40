/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens are matched one after the other against the set of offsets that the tokens
 * so far can end at. A literal at either end is compared first: it rejects
 * most names without any set.
 */
#include "builder/glob.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "builder/rune.h"

#include <string.h>

enum token_kind {
    TOKEN_LITERAL,
    TOKEN_ANY,         /* ? */
    TOKEN_STAR,        /* * */
    TOKEN_CLASS,       /* [...] */
    TOKEN_DIRECTORIES, /* ** with something behind it */
    TOKEN_REST,        /* ** at the end */
};

struct class_range {
    uint32_t first, last;
};

struct token {
    enum token_kind kind;
    char *text; /* literal */
    size_t size;
    bool negated; /* class */
    struct class_range *ranges;
    size_t n_ranges, ranges_capacity;
};

struct glob {
    struct token *tokens;
    size_t n_tokens, tokens_capacity;
};

/* The offsets of a name, and one behind them, that are reached. */
struct reach {
    unsigned char small[512];
    unsigned char *marks;
    size_t size;
    size_t first, last; /* no mark lies outside */
};

void glob_free(struct glob *glob)
{
    if (!glob)
        return;
    for (size_t i = 0; i < glob->n_tokens; i++) {
        free(glob->tokens[i].text);
        free(glob->tokens[i].ranges);
    }
    free(glob->tokens);
    free(glob);
}

static int bad_pattern(const char *pattern, const char *what, struct error **err)
{
    return error_set(err, ERR_SYNTAX, "pattern \"%s\": %s", pattern, what);
}

/* A character of a class at **at, perhaps escaped. */
static bool read_class_rune(const char **at, uint32_t *rune)
{
    if (!**at || **at == '-' || **at == ']')
        return false;
    if (**at == '\\' && !*++*at)
        return false;
    *at += rune_decode(*at, strlen(*at), rune);
    return true;
}

static int compile_class(const char **at, const char *pattern, struct token *token,
                         struct error **err)
{
    token->kind = TOKEN_CLASS;
    token->negated = **at == '^';
    *at += token->negated;
    while (**at != ']' || !token->n_ranges) {
        struct class_range *range = ARRAY_PUSH(token, ranges);
        if (!read_class_rune(at, &range->first))
            return bad_pattern(pattern, "malformed [...]", err);
        range->last = range->first;
        if (**at != '-')
            continue;
        ++*at;
        if (!read_class_rune(at, &range->last))
            return bad_pattern(pattern, "malformed [...]", err);
    }
    ++*at;
    return 0;
}

static void compile_stars(const char **at, unsigned flags, struct token *token)
{
    token->kind = TOKEN_STAR;
    if (!(flags & GLOB_DIRECTORIES) || **at != '*')
        return;
    ++*at;
    if (**at == '/')
        ++*at;
    token->kind = **at ? TOKEN_DIRECTORIES : TOKEN_REST;
}

static int compile_literal(const char **at, const char *pattern, struct token *token,
                           struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    for (; **at && !strchr("*?[", **at); ++*at) {
        if (**at == '\\' && !*++*at)
            return bad_pattern(pattern, "nothing follows the last backslash", err);
        strbuf_addc(&text, **at);
    }
    token->kind = TOKEN_LITERAL;
    token->size = text.size;
    token->text = strbuf_detach(&text);
    return 0;
}

int glob_new(const char *pattern, unsigned flags, struct glob **ret, struct error **err)
{
    AUTO(glob_free) struct glob *glob = NEW(struct glob);
    for (const char *at = pattern; *at;) {
        struct token *token = ARRAY_PUSH(glob, tokens);
        int result = 0;
        char c = *at;
        if (c == '*' || c == '?' || c == '[')
            at++;
        if (c == '*')
            compile_stars(&at, flags, token);
        else if (c == '?')
            token->kind = TOKEN_ANY;
        else if (c == '[')
            result = compile_class(&at, pattern, token, err);
        else
            result = compile_literal(&at, pattern, token, err);
        if (result < 0)
            return -1;
    }
    *ret = TAKE(glob);
    return 0;
}

static void reach_init(struct reach *reach, size_t size)
{
    reach->marks = size < sizeof(reach->small) ? reach->small : xmalloc(size + 1);
    memset(reach->marks, 0, size + 1);
    reach->marks[0] = 1;
    reach->size = size;
    reach->first = reach->last = 0;
}

static void reach_release(struct reach *reach)
{
    if (reach->marks != reach->small)
        free(reach->marks);
}
DEFINE_AUTO_STRUCT(struct reach, reach_release)

static bool in_class(const struct token *token, uint32_t rune)
{
    bool found = false;
    for (size_t i = 0; i < token->n_ranges && !found; i++)
        found = rune >= token->ranges[i].first && rune <= token->ranges[i].last;
    return found != token->negated;
}

/* Bytes of name that a literal, `?` or class takes at `at`; 0: it doesn't fit. */
static size_t taken_bytes(const struct token *token, const char *name, size_t size)
{
    uint32_t rune;
    if (token->kind == TOKEN_LITERAL)
        return token->size <= size && memcmp(name, token->text, token->size) == 0 ? token->size : 0;
    size_t n = rune_decode(name, size, &rune);
    if (!n || *name == '/')
        return 0;
    return token->kind == TOKEN_ANY || in_class(token, rune) ? n : 0;
}

/* A token of fixed size; false when nothing is reached any more. */
static bool advance(struct reach *reach, const struct token *token, const char *name)
{
    size_t first = SIZE_MAX, last = 0;
    for (size_t i = reach->last + 1; i-- > reach->first;) {
        if (!reach->marks[i])
            continue;
        reach->marks[i] = 0;
        size_t n = taken_bytes(token, name + i, reach->size - i);
        if (!n)
            continue;
        reach->marks[i + n] = 1;
        if (first == SIZE_MAX)
            last = i + n;
        first = i + n;
    }
    reach->first = first;
    reach->last = last;
    return first != SIZE_MAX;
}

/* `*`: whatever is reached reaches on to the next slash. */
static void spread_star(struct reach *reach, const char *name)
{
    bool on = false;
    for (size_t i = reach->first; i <= reach->size; i++) {
        if (i > reach->last && !on)
            break;
        on = on || reach->marks[i];
        if (!on)
            continue;
        reach->marks[i] = 1;
        if (i > reach->last)
            reach->last = i;
        if (i < reach->size && name[i] == '/')
            on = false;
    }
}

/* `**`: any directory that begins behind the first offset reached. */
static void spread_directories(struct reach *reach, const char *name)
{
    for (size_t i = reach->first; i < reach->size; i++) {
        if (name[i] != '/')
            continue;
        reach->marks[i + 1] = 1;
        if (i + 1 > reach->last)
            reach->last = i + 1;
    }
}

/* One token; false: nothing is reached. */
static bool take_token(struct reach *reach, const struct token *token, const char *name)
{
    switch (token->kind) {
    case TOKEN_LITERAL:
    case TOKEN_ANY:
    case TOKEN_CLASS:
        return advance(reach, token, name);
    case TOKEN_STAR:
        spread_star(reach, name);
        return true;
    case TOKEN_DIRECTORIES:
        spread_directories(reach, name);
        return true;
    case TOKEN_REST:
        reach->marks[reach->size] = 1;
        reach->last = reach->size;
        return true;
    }
    return false;
}

/* The literals at both ends fit. */
static bool ends_fit(const struct glob *glob, const char *name, size_t size)
{
    if (!glob->n_tokens)
        return true;
    const struct token *first = &glob->tokens[0], *last = &glob->tokens[glob->n_tokens - 1];
    if (first->kind == TOKEN_LITERAL &&
        (first->size > size || memcmp(first->text, name, first->size) != 0))
        return false;
    return last->kind != TOKEN_LITERAL ||
           (last->size <= size && memcmp(last->text, name + size - last->size, last->size) == 0);
}

bool glob_matches(const struct glob *glob, const char *name, size_t size)
{
    if (!ends_fit(glob, name, size))
        return false;
    AUTO(reach_release) struct reach reach;
    reach_init(&reach, size);
    for (size_t i = 0; i < glob->n_tokens; i++) {
        if (!take_token(&reach, &glob->tokens[i], name))
            return false;
    }
    return reach.marks[size];
}

/* Whether a literal, begun at an offset that is reached, runs over the end of name. */
static bool runs_over(const struct reach *reach, const struct token *token, const char *name)
{
    for (size_t i = reach->first; i <= reach->last; i++) {
        size_t rest = reach->size - i;
        if (reach->marks[i] && token->size > rest && memcmp(name + i, token->text, rest) == 0)
            return true;
    }
    return false;
}

bool glob_may_match_below(const struct glob *glob, const char *name, size_t size)
{
    /* with the slash behind it the directory's name must be used up before the pattern is */
    AUTO(strbuf_release) struct strbuf path = STRBUF_INIT;
    strbuf_add(&path, name, size);
    if (size)
        strbuf_addc(&path, '/');
    AUTO(reach_release) struct reach reach;
    reach_init(&reach, path.size);
    for (size_t i = 0; i < glob->n_tokens; i++) {
        const struct token *token = &glob->tokens[i];
        if (reach.marks[path.size] || token->kind == TOKEN_DIRECTORIES || token->kind == TOKEN_REST)
            return true;
        if (token->kind == TOKEN_LITERAL && runs_over(&reach, token, path.data))
            return true;
        if (!take_token(&reach, token, path.data))
            return false;
    }
    return false;
}
