/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerignore.h"

#include "base/mem.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "builder/rune.h"

#include <string.h>

void dockerignore_free(struct dockerignore *ignore)
{
    if (!ignore)
        return;
    source_text_free(ignore->source);
    strvec_release(&ignore->texts);
    free(ignore->lines);
    pattern_list_free(ignore->patterns);
    free(ignore);
}

static char *trimmed(const char *text, size_t size)
{
    while (size && is_space_byte(*text)) {
        text++;
        size--;
    }
    while (size && is_space_byte(text[size - 1]))
        size--;
    return xstrndup(text, size);
}

/* The pattern that a line holds, cleaned; NULL: none. */
static char *read_line(const char *line, size_t size)
{
    if (!size || *line == '#')
        return NULL;
    AUTO(free) char *text = trimmed(line, size);
    if (!*text)
        return NULL;
    bool negated = *text == '!';
    AUTO(free) char *bare = trimmed(text + negated, strlen(text + negated));
    if (!*bare)
        return xstrdup("!");
    AUTO(free) char *clean = path_clean(bare);
    return xasprintf("%s%s", negated ? "!" : "", clean + (clean[0] == '/' && clean[1]));
}

static void read_patterns(const struct source_text *source, struct strvec *patterns, size_t *lines)
{
    for (size_t number = 1; number <= source->n_lines; number++) {
        size_t size;
        const char *line = source_text_line(source, number, &size);
        char *pattern = read_line(line, size);
        if (!pattern)
            continue;
        lines[patterns->n] = number;
        strvec_take(patterns, pattern);
    }
}

void dockerignore_read(const char *data, size_t size, struct strvec *patterns, size_t **lines)
{
    AUTO(source_text_free) struct source_text *source = source_text_new("", data, size);
    AUTO(free) size_t *numbers = xcalloc(source->n_lines + 1, sizeof(*numbers));
    AUTO(strvec_release) struct strvec found = STRVEC_INIT;
    read_patterns(source, &found, numbers);
    strvec_append(patterns, &found);
    if (lines)
        *lines = TAKE(numbers);
}

/* The list as a whole was refused: says which line it was. */
static int blame(const struct dockerignore *ignore, struct error **err)
{
    for (size_t i = 0; i < ignore->texts.n; i++) {
        AUTO(strvec_release) struct strvec one = STRVEC_INIT;
        AUTO(pattern_list_free) struct pattern_list *list = NULL;
        AUTO(error_free) struct error *again = NULL;
        strvec_push(&one, ignore->texts.items[i]);
        if (pattern_list_new(&one, &list, &again) < 0)
            return source_text_locate(ignore->source,
                                      ((struct source_range){ ignore->lines[i], ignore->lines[i] }),
                                      ignore->texts.items[i], err);
    }
    return -1;
}

int dockerignore_parse(const char *name, const char *data, size_t size, struct dockerignore **ret,
                       struct error **err)
{
    AUTO(dockerignore_free) struct dockerignore *ignore = NEW(struct dockerignore);
    ignore->source = source_text_new(name, data, size);
    ignore->lines = xcalloc(ignore->source->n_lines + 1, sizeof(*ignore->lines));
    if (memchr(ignore->source->data, '\0', ignore->source->size))
        return error_set(err, ERR_SYNTAX, "%s: a NUL byte: this is no text", name);
    read_patterns(ignore->source, &ignore->texts, ignore->lines);
    if (pattern_list_new(&ignore->texts, &ignore->patterns, err) < 0)
        return blame(ignore, err);
    pattern_list_set_lines(ignore->patterns, ignore->lines);
    *ret = TAKE(ignore);
    return 0;
}

char *dockerignore_explain(const struct dockerignore *ignore, const char *path)
{
    struct pattern_verdict verdict = pattern_list_match(ignore->patterns, path);
    if (!verdict.matched)
        return NULL;
    return xasprintf("excluded by line %zu of %s (%s)",
                     pattern_list_line(ignore->patterns, verdict.index), ignore->source->name,
                     pattern_list_text(ignore->patterns, verdict.index));
}
