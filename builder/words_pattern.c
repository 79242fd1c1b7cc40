/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matching is a walk over sets: `alive` marks the offsets of the value that the
 * tokens so far can end at. No backtracking, so time is tokens times size; a
 * budget bounds the search at every offset that ${v//p/r} makes.
 */
#include "builder/words_pattern.h"

#include "base/mem.h"
#include "builder/rune.h"

#include <stdint.h>
#include <string.h>

#define MAX_STEPS ((size_t)64 * 1024 * 1024)

enum token_kind { TOKEN_LITERAL, TOKEN_ANY, TOKEN_STAR };

struct token {
    enum token_kind kind;
    const char *text; /* one character */
    size_t size;
};

struct matcher {
    struct token *tokens;
    size_t n_tokens;
    const char *value;
    size_t size;
    unsigned char *alive; /* of size + 1 offsets */
    size_t steps;
};

static void matcher_release(struct matcher *matcher)
{
    free(matcher->tokens);
    free(matcher->alive);
}
DEFINE_AUTO_STRUCT(struct matcher, matcher_release)

static int compile(struct matcher *matcher, const char *pattern, struct error **err)
{
    size_t size = strlen(pattern);
    matcher->tokens = xcalloc(size + 1, sizeof(*matcher->tokens));
    for (size_t i = 0; i < size;) {
        struct token *token = &matcher->tokens[matcher->n_tokens];
        token->kind = TOKEN_LITERAL;
        if (pattern[i] == '*')
            token->kind = TOKEN_STAR;
        else if (pattern[i] == '?')
            token->kind = TOKEN_ANY;
        else if (pattern[i] == '\\' && (!pattern[i + 1] || !strchr("*?\\}/", pattern[i + 1])))
            return error_set(err, ERR_SYNTAX,
                             "pattern \"%s\" in a substitution: invalid escape \"\\%.1s\"", pattern,
                             pattern + i + 1);
        else if (pattern[i] == '\\')
            i++;
        uint32_t rune;
        token->text = pattern + i;
        token->size = rune_decode(pattern + i, size - i, &rune);
        i += token->size;
        matcher->n_tokens++;
    }
    return 0;
}

static int matcher_init(struct matcher *matcher, const char *value, const char *pattern,
                        struct error **err)
{
    if (compile(matcher, pattern, err) < 0)
        return -1;
    matcher->value = value;
    matcher->size = strlen(value);
    matcher->alive = xmalloc(matcher->size + 2);
    return 0;
}

/* Moves the marks of [*first, *last] over one token; false when none is left. */
static bool step(struct matcher *matcher, const struct token *token, size_t *first, size_t *last)
{
    unsigned char *alive = matcher->alive;
    if (token->kind == TOKEN_STAR) {
        /* every offset from the first one on */
        matcher->steps += matcher->size - *first + 1;
        memset(alive + *first, 1, matcher->size - *first + 1);
        *last = matcher->size;
        return true;
    }
    size_t new_first = SIZE_MAX, new_last = 0;
    matcher->steps += *last - *first + 1;
    for (size_t i = *last + 1; i-- > *first;) {
        if (!alive[i])
            continue;
        alive[i] = 0;
        uint32_t rune;
        size_t n = rune_decode(matcher->value + i, matcher->size - i, &rune);
        bool fits = n && (token->kind == TOKEN_ANY ||
                          (n == token->size && memcmp(matcher->value + i, token->text, n) == 0));
        if (!fits)
            continue;
        alive[i + n] = 1;
        if (new_first == SIZE_MAX)
            new_last = i + n;
        new_first = i + n;
    }
    *first = new_first;
    *last = new_last;
    return new_first != SIZE_MAX;
}

/*
 * Matches from `start`; 1 and the shortest and longest end, 0, or -1 when the budget is
 * spent. Marks behind `start` and in front of it are left clear.
 */
static int match_at(struct matcher *matcher, size_t start, size_t *shortest, size_t *longest,
                    struct error **err)
{
    size_t first = start, last = start;
    /* Most starts fail at the first character: no need for sets then. */
    if (matcher->n_tokens && matcher->tokens[0].kind == TOKEN_LITERAL) {
        const struct token *token = &matcher->tokens[0];
        if (matcher->size - start < token->size ||
            memcmp(matcher->value + start, token->text, token->size) != 0)
            return 0;
    }
    matcher->alive[start] = 1;
    for (size_t i = 0; i < matcher->n_tokens; i++) {
        if (!step(matcher, &matcher->tokens[i], &first, &last))
            return 0;
        if (matcher->steps > MAX_STEPS)
            return error_set(err, ERR_LIMIT,
                             "substitution in a variable of %zu bytes: the pattern costs too much",
                             matcher->size);
    }
    *shortest = first;
    *longest = last;
    memset(matcher->alive + first, 0, last - first + 1);
    return 1;
}

int words_trim_prefix(const char *value, const char *pattern, bool greedy, struct strbuf *ret,
                      struct error **err)
{
    AUTO(matcher_release) struct matcher matcher = { 0 };
    if (matcher_init(&matcher, value, pattern, err) < 0)
        return -1;
    memset(matcher.alive, 0, matcher.size + 2);
    size_t shortest = 0, longest = 0;
    if (match_at(&matcher, 0, &shortest, &longest, err) < 0)
        return -1;
    return strbuf_add_capped(ret, value + (greedy ? longest : shortest),
                             matcher.size - (greedy ? longest : shortest), err);
}

/* Characters in reverse order; an escape of `pattern` stays in front of what it escapes. */
static char *reverse(const char *text, bool is_pattern)
{
    size_t size = strlen(text);
    char *out = xmalloc(size + 1);
    size_t at = size;
    out[size] = '\0';
    for (size_t i = 0; i < size;) {
        uint32_t rune;
        size_t n = rune_decode(text + i, size - i, &rune);
        if (is_pattern && text[i] == '\\' && i + 1 < size)
            n = 1 + rune_decode(text + i + 1, size - i - 1, &rune);
        at -= n;
        memcpy(out + at, text + i, n);
        i += n;
    }
    return out;
}

int words_trim_suffix(const char *value, const char *pattern, bool greedy, struct strbuf *ret,
                      struct error **err)
{
    AUTO(free) char *back_value = reverse(value, false);
    AUTO(free) char *back_pattern = reverse(pattern, true);
    AUTO(strbuf_release) struct strbuf trimmed = STRBUF_INIT;
    if (words_trim_prefix(back_value, back_pattern, greedy, &trimmed, err) < 0)
        return -1;
    AUTO(free) char *text = reverse(trimmed.data, false);
    return strbuf_add_capped(ret, text, trimmed.size, err);
}

int words_replace(const char *value, const char *pattern, const char *replacement, bool all,
                  struct strbuf *ret, struct error **err)
{
    AUTO(matcher_release) struct matcher matcher = { 0 };
    if (matcher_init(&matcher, value, pattern, err) < 0)
        return -1;
    memset(matcher.alive, 0, matcher.size + 2);
    size_t replacement_size = strlen(replacement);
    size_t at = 0, match_end = SIZE_MAX;
    bool done = false;
    while (!done && at <= matcher.size) {
        size_t shortest, longest = at;
        int matched = match_at(&matcher, at, &shortest, &longest, err);
        if (matched < 0)
            return -1;
        /* an empty match right behind another one doesn't count */
        if (matched && (longest > at || at != match_end)) {
            if (strbuf_add_capped(ret, replacement, replacement_size, err) < 0)
                return -1;
            match_end = longest;
            done = !all;
        }
        if (matched && longest > at) {
            at = longest;
            continue;
        }
        if (done || at == matcher.size)
            break;
        uint32_t rune;
        size_t n = rune_decode(value + at, matcher.size - at, &rune);
        if (strbuf_add_capped(ret, value + at, n, err) < 0)
            return -1;
        at += n;
    }
    return strbuf_add_capped(ret, value + at, matcher.size - at, err);
}
