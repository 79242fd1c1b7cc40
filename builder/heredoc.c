/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/heredoc.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "builder/rune.h"
#include "builder/words.h"

#include <string.h>

#define MAX_FD 1000000u

void heredoc_release(struct heredoc *heredoc)
{
    free(heredoc->name);
    free(heredoc->content);
    *heredoc = (struct heredoc){ 0 };
}

void heredoc_list_release(struct heredoc_list *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        heredoc_release(&list->items[i]);
    free(list->items);
    *list = (struct heredoc_list){ 0 };
}

char *heredoc_body(const struct heredoc *heredoc)
{
    if (!heredoc->chomp)
        return xstrdup(heredoc->content);
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
    for (const char *line = heredoc->content; *line;) {
        line += strspn(line, "\t");
        const char *end = strchr(line, '\n');
        size_t size = end ? (size_t)(end - line) + 1 : strlen(line);
        strbuf_add(&body, line, size);
        line += size;
    }
    return strbuf_detach(&body);
}

/* The delimiter of `[n]<<[-]`, or NULL where word doesn't begin so. */
static const char *read_operator(const char *word, struct heredoc *ret)
{
    unsigned fd = 0;
    const char *at = word;
    for (; *at >= '0' && *at <= '9' && fd < MAX_FD; at++)
        fd = fd * 10 + (unsigned)(*at - '0');
    if (at[0] != '<' || at[1] != '<')
        return NULL;
    at += 2;
    ret->fd = fd;
    ret->chomp = *at == '-';
    return at + ret->chomp;
}

int heredoc_parse_word(const char *word, struct heredoc *ret, struct error **err)
{
    struct heredoc heredoc = { 0 };
    const char *delimiter = read_operator(word, &heredoc);
    if (!delimiter || !*delimiter || strchr(delimiter, '<'))
        return 0;

    /* The delimiter with and without its quotes: where they differ, it was quoted. */
    struct words_expander expander = { .escape = '\\', .flags = WORDS_KEEP_UNSET };
    AUTO(strvec_release) struct strvec plain = STRVEC_INIT;
    AUTO(strvec_release) struct strvec quoted = STRVEC_INIT;
    if (words_expand_list(&expander, delimiter, &plain, err) < 0)
        return error_wrap(err, "heredoc");
    expander.flags |= WORDS_RAW_QUOTES;
    if (words_expand_list(&expander, delimiter, &quoted, err) < 0)
        return error_wrap(err, "heredoc");
    if (plain.n != 1 || quoted.n != 1)
        return 0;
    heredoc.name = xstrdup(plain.items[0]);
    heredoc.expand = strcmp(plain.items[0], quoted.items[0]) == 0;
    *ret = heredoc;
    return 1;
}

/* `<<` or `<<-` alone: the delimiter is the next word. */
static bool is_bare_operator(const char *word)
{
    struct heredoc unused;
    const char *delimiter = read_operator(word, &unused);
    return delimiter && !*delimiter;
}

/* How many arithmetic `((` a word opens less those it closes: `<<` shifts in them. */
static int arithmetic_depth(const char *word)
{
    int depth = 0;
    for (; *word; word++) {
        if ((*word != '(' && *word != ')') || word[1] != *word)
            continue;
        depth += *word == '(' ? 1 : -1;
        word++;
    }
    return depth;
}

int heredoc_scan(const char *line, struct heredoc_list *ret, struct error **err)
{
    const struct words_expander expander = {
        .escape = '\\', .flags = WORDS_RAW_QUOTES | WORDS_RAW_ESCAPES | WORDS_KEEP_UNSET
    };
    AUTO(strvec_release) struct strvec words = STRVEC_INIT;
    /* A line that doesn't split (an open quote) announces nothing: the shell will complain. */
    AUTO(error_free) struct error *ignored = NULL;
    if (words_expand_list(&expander, line, &words, &ignored) < 0)
        return 0;
    int depth = 0;
    for (size_t i = 0; i < words.n; i++) {
        AUTO(free) char *word = xstrdup(words.items[i]);
        depth += arithmetic_depth(word);
        if (is_bare_operator(word) && i + 1 < words.n && depth <= 0) {
            free(word);
            word = xasprintf("%s%s", words.items[i], words.items[i + 1]);
            i++;
        }
        struct heredoc heredoc;
        int found = heredoc_parse_word(word, &heredoc, err);
        if (found < 0)
            return -1;
        if (found)
            *ARRAY_PUSH(ret, items) = heredoc;
    }
    return 0;
}
