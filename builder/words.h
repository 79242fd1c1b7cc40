/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of the Dockerfile language: quoting and variable expansion.
 *
 * The parser splits (words_split) and keeps quotes; they disappear when the
 * executor expands a word against the environment that holds *before* the
 * instruction:
 *
 *     struct words_expander expander = { .escape = dockerfile->escape,
 *                                        .lookup = env_lookup, .context = &env };
 *     if (words_expand(&expander, word, &value, err) < 0)
 *         return source_text_locate(text, instruction->range, word, err);
 *
 * Forms: $name ${name} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w} ${v#p} ${v##p}
 * ${v%p} ${v%%p} ${v/p/r} ${v//p/r}. Single quotes are literal; in double quotes the
 * escape character escapes only `"`, `$` and itself; outside it escapes any character
 * and disappears. $1 $@ $* $# $? $- $$ $! $0 are names (unset as a rule). A `$` before
 * anything else stays. The replacement in ${v//p/r} is literal.
 *
 * Pure. Results are limited to WORDS_MAX_SIZE bytes, nesting to WORDS_MAX_DEPTH (ERR_LIMIT).
 */
#ifndef CBUILD_BUILDER_WORDS_H
#define CBUILD_BUILDER_WORDS_H

#include "base/auto.h"
#include "base/env.h"
#include "base/error.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stddef.h>

#define WORDS_MAX_SIZE ((size_t)1024 * 1024)
#define WORDS_MAX_DEPTH 64

enum words_flag {
    WORDS_RAW_QUOTES = 1 << 0,  /* quotes stay in the result: heredoc names */
    WORDS_RAW_ESCAPES = 1 << 1, /* escape characters stay too (they still escape) */
    WORDS_KEEP_UNSET = 1 << 2,  /* $unset and ${unset} stay as written */
    WORDS_NO_QUOTES = 1 << 3,   /* quotes are ordinary characters: bodies of COPY heredocs */
};

struct words_expander {
    char escape; /* backslash or backtick */
    unsigned flags;
    /* The value of a name, NULL when unset; the text must live until the call returns. */
    const char *(*lookup)(void *context, const char *name);
    /* Told of each name looked up and whether it was set (lint UndefinedVar); may be NULL. */
    void (*seen)(void *context, const char *name, bool is_set);
    void *context;
};

/*
 * One word (which may hold blanks) to its value.
 * ERR_SYNTAX: unbalanced quote, bad substitution. ERR_FAILED: ${v:?message}.
 */
int words_expand(const struct words_expander *expander, const char *word, char **ret,
                 struct error **err) WARN_UNUSED;

/* Appends the words that text becomes: split at blanks, also at those of values, unless quoted. */
int words_expand_list(const struct words_expander *expander, const char *text, struct strvec *ret,
                      struct error **err) WARN_UNUSED;

/*
 * Splits at unquoted blanks and keeps quotes and escapes, as ENV, LABEL and ARG need it:
 * `a="b c" d\ e` → `a="b c"`, `d\ e`. An open quote runs to the end.
 */
void words_split(const char *text, char escape, struct strvec *ret);

/* Splits at blanks alone: ADD, COPY, EXPOSE, VOLUME, FROM. */
void words_split_blanks(const char *text, struct strvec *ret);

/*
 * The strings of a JSON array that is all of text but blanks ("exec form").
 * Returns 1 and appends to ret; 0 when text is no JSON array (shell form, then); ERR_SYNTAX
 * when it is a JSON array that holds something else than strings.
 */
int words_parse_json(const char *text, struct strvec *ret, struct error **err) WARN_UNUSED;

/* A lookup in an environment (context: a struct env *). */
const char *words_lookup_env(void *env, const char *name);

#endif
