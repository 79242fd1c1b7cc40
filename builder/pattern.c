/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/pattern.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/glob.h"
#include "builder/rune.h"

#include <assert.h>
#include <string.h>

/* Most patterns are names, `**` and a name, or a name and `**`: no tokens for them. */
enum pattern_kind { PATTERN_EXACT, PATTERN_PREFIX, PATTERN_SUFFIX, PATTERN_GLOB };

struct pattern {
    enum pattern_kind kind;
    bool negated;
    char *text; /* exact, prefix, suffix: what to compare */
    size_t size;
    struct glob *glob;
    char *written; /* cleaned, with its "!" */
    size_t index;  /* in the caller's list */
    size_t line;
};

struct pattern_list {
    struct pattern *patterns;
    size_t n_patterns, patterns_capacity;
    size_t n_given;
};

int glob_match(const char *pattern, const char *name, bool *ret, struct error **err)
{
    AUTO(glob_free) struct glob *glob = NULL;
    if (glob_new(pattern, 0, &glob, err) < 0)
        return -1;
    *ret = glob_matches(glob, name, strlen(name));
    return 0;
}

int glob_check(const char *pattern, struct error **err)
{
    AUTO(glob_free) struct glob *glob = NULL;
    return glob_new(pattern, 0, &glob, err);
}

bool glob_has_meta(const char *pattern)
{
    for (; *pattern; pattern++) {
        if (strchr("*?[", *pattern))
            return true;
        if (*pattern == '\\' && pattern[1])
            pattern++;
    }
    return false;
}

char *glob_unescape(const char *pattern)
{
    char *name = xmalloc(strlen(pattern) + 1), *at = name;
    for (; *pattern; pattern++) {
        if (*pattern == '\\' && pattern[1])
            pattern++;
        *at++ = *pattern;
    }
    *at = '\0';
    return name;
}

void pattern_list_free(struct pattern_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->n_patterns; i++) {
        free(list->patterns[i].text);
        free(list->patterns[i].written);
        glob_free(list->patterns[i].glob);
    }
    free(list->patterns);
    free(list);
}

static void set_text(struct pattern *pattern, enum pattern_kind kind, const char *text, size_t size)
{
    pattern->kind = kind;
    pattern->text = xstrndup(text, size);
    pattern->size = size;
}

static int compile(struct pattern *pattern, const char *text, struct error **err)
{
    size_t size = strlen(text);
    bool is_plain = !strpbrk(text, "*?[\\");
    bool from_stars = strncmp(text, "**", 2) == 0;
    if (is_plain) {
        set_text(pattern, PATTERN_EXACT, text, size);
        return 0;
    }
    if (from_stars && !strpbrk(text + 2, "*?[\\")) {
        set_text(pattern, PATTERN_SUFFIX, text + 2, size - 2);
        return 0;
    }
    if (size > 2 && strcspn(text, "*?[\\") == size - 2 && strcmp(text + size - 2, "**") == 0) {
        set_text(pattern, PATTERN_PREFIX, text, size - 2);
        return 0;
    }
    pattern->kind = PATTERN_GLOB;
    return glob_new(text, GLOB_DIRECTORIES, &pattern->glob, err);
}

static int add_pattern(struct pattern_list *list, const char *written, size_t index,
                       struct error **err)
{
    AUTO(free) char *text = trim_space(written);
    if (!*text)
        return 0;
    struct pattern *pattern = ARRAY_PUSH(list, patterns);
    pattern->index = index;
    pattern->negated = *text == '!';
    AUTO(free) char *bare = trim_space(text + pattern->negated);
    if (!*bare)
        return error_set(err, ERR_SYNTAX, "pattern \"!\": nothing follows the exclamation mark");
    AUTO(free) char *clean = path_clean(bare);
    const char *relative = clean + (clean[0] == '/' && clean[1]);
    pattern->written = xasprintf("%s%s", pattern->negated ? "!" : "", relative);
    return compile(pattern, relative, err);
}

int pattern_list_new(const struct strvec *patterns, struct pattern_list **ret, struct error **err)
{
    AUTO(pattern_list_free) struct pattern_list *list = NEW(struct pattern_list);
    for (size_t i = 0; i < patterns->n; i++) {
        if (add_pattern(list, patterns->items[i], i, err) < 0)
            return -1;
    }
    list->n_given = patterns->n;
    *ret = TAKE(list);
    return 0;
}

size_t pattern_list_size(const struct pattern_list *list)
{
    return list->n_given;
}

static const struct pattern *at_index(const struct pattern_list *list, int index)
{
    for (size_t i = 0; i < list->n_patterns; i++) {
        if (list->patterns[i].index == (size_t)index)
            return &list->patterns[i];
    }
    return NULL;
}

const char *pattern_list_text(const struct pattern_list *list, int index)
{
    const struct pattern *pattern = at_index(list, index);
    return pattern ? pattern->written : "";
}

size_t pattern_list_line(const struct pattern_list *list, int index)
{
    const struct pattern *pattern = at_index(list, index);
    return pattern ? pattern->line : 0;
}

void pattern_list_set_lines(struct pattern_list *list, const size_t *lines)
{
    for (size_t i = 0; i < list->n_patterns; i++)
        list->patterns[i].line = lines[list->patterns[i].index];
}

static bool matches_suffix(const struct pattern *pattern, const char *path, size_t size)
{
    if (size >= pattern->size &&
        memcmp(path + size - pattern->size, pattern->text, pattern->size) == 0)
        return true;
    /* "**" + "/foo" is foo at the root as well */
    return *pattern->text == '/' && size == pattern->size - 1 &&
           memcmp(path, pattern->text + 1, size) == 0;
}

/* The path itself, not its parents. */
static bool matches(const struct pattern *pattern, const char *path, size_t size)
{
    switch (pattern->kind) {
    case PATTERN_EXACT:
        return size == pattern->size && memcmp(path, pattern->text, size) == 0;
    case PATTERN_PREFIX:
        return size >= pattern->size && memcmp(path, pattern->text, pattern->size) == 0;
    case PATTERN_SUFFIX:
        return matches_suffix(pattern, path, size);
    case PATTERN_GLOB:
        return glob_matches(pattern->glob, path, size);
    }
    return false;
}

static bool matches_with_parents(const struct pattern *pattern, const char *path, size_t size)
{
    if (matches(pattern, path, size))
        return true;
    for (size_t i = 1; i < size; i++) {
        if (path[i] == '/' && matches(pattern, path, i))
            return true;
    }
    return false;
}

static bool is_root(const char *path)
{
    return !*path || strcmp(path, ".") == 0;
}

static struct pattern_verdict verdict_of(const struct pattern *pattern)
{
    return (struct pattern_verdict){ .matched = !pattern->negated, .index = (int)pattern->index };
}

static const struct pattern_verdict no_verdict = { .matched = false, .index = -1 };

struct pattern_verdict pattern_list_match(const struct pattern_list *list, const char *path)
{
    size_t size = strlen(path);
    if (is_root(path))
        return no_verdict;
    for (size_t i = list->n_patterns; i-- > 0;) {
        if (matches_with_parents(&list->patterns[i], path, size))
            return verdict_of(&list->patterns[i]);
    }
    return no_verdict;
}

void pattern_state_release(struct pattern_state *state)
{
    free(state->bits);
    state->bits = NULL;
}

static bool has_bit(const struct pattern_state *state, size_t i)
{
    return state && state->bits && (state->bits[i / 64] >> (i % 64) & 1);
}

struct pattern_verdict pattern_list_walk_file(const struct pattern_list *list,
                                              const struct pattern_state *parent, const char *path)
{
    size_t size = strlen(path);
    for (size_t i = list->n_patterns; i-- > 0;) {
        if (has_bit(parent, i) || matches(&list->patterns[i], path, size))
            return verdict_of(&list->patterns[i]);
    }
    return no_verdict;
}

struct pattern_verdict pattern_list_walk_dir(const struct pattern_list *list,
                                             const struct pattern_state *parent, const char *path,
                                             struct pattern_state *ret)
{
    struct pattern_verdict verdict = no_verdict;
    size_t size = strlen(path);
    assert(!ret->bits);
    if (is_root(path))
        return no_verdict;
    for (size_t i = list->n_patterns; i-- > 0;) {
        if (!has_bit(parent, i) && !matches(&list->patterns[i], path, size))
            continue;
        if (!ret->bits)
            ret->bits = xcalloc(list->n_patterns / 64 + 1, sizeof(*ret->bits));
        ret->bits[i / 64] |= (uint64_t)1 << (i % 64);
        if (verdict.index < 0)
            verdict = verdict_of(&list->patterns[i]);
    }
    return verdict;
}

/* `path` is a directory: whether the pattern could match something in it. */
static bool may_match_below(const struct pattern *pattern, const char *path)
{
    size_t size = strlen(path);
    if (is_root(path))
        return true;
    switch (pattern->kind) {
    case PATTERN_EXACT:
        return pattern->size > size && pattern->text[size] == '/' &&
               memcmp(pattern->text, path, size) == 0;
    case PATTERN_PREFIX:
        if (pattern->size <= size)
            return memcmp(pattern->text, path, pattern->size) == 0;
        return memcmp(pattern->text, path, size) == 0 && pattern->text[size] == '/';
    case PATTERN_SUFFIX:
        return true;
    case PATTERN_GLOB:
        return glob_may_match_below(pattern->glob, path, size);
    }
    return true;
}

bool pattern_list_may_unmatch_below(const struct pattern_list *list,
                                    const struct pattern_state *state, const char *path)
{
    /* from the last pattern down to the one that decides for the directory */
    for (size_t i = list->n_patterns; i-- > 0 && !has_bit(state, i);) {
        if (list->patterns[i].negated && may_match_below(&list->patterns[i], path))
            return true;
    }
    return false;
}

bool pattern_list_may_match_below(const struct pattern_list *list, const char *path)
{
    for (size_t i = 0; i < list->n_patterns; i++) {
        if (!list->patterns[i].negated && may_match_below(&list->patterns[i], path))
            return true;
    }
    return false;
}
