/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path patterns: those of COPY sources (glob_*) and those of .dockerignore,
 * --exclude and --parents (pattern_list_*). Pure. (glob.h holds one compiled pattern.)
 *
 * Patterns of a list: `*`, `?`, `[...]` don't match a slash, `**` matches any number of
 * directories, `\` escapes, `!` in front negates. They are anchored at the root. The
 * last one that matches a path *or one of its parent directories* decides.
 *
 * A walk carries each directory's results to its children, so that a pattern
 * is tried once per name and never against all of its parents:
 *
 *     AUTO(pattern_state_release) struct pattern_state state = PATTERN_STATE_INIT;
 *     struct pattern_verdict verdict = pattern_list_walk_dir(list, parent, "a/b", &state);
 *     if (verdict.matched && !pattern_list_may_unmatch_below(list, &state, "a/b"))
 *         skip the directory;
 *     ... for each file: pattern_list_walk_file(list, &state, "a/b/c")
 */
#ifndef CBUILD_BUILDER_PATTERN_H
#define CBUILD_BUILDER_PATTERN_H

#include "base/auto.h"
#include "base/error.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Go's filepath.Match: no `**`. ERR_SYNTAX: malformed pattern, reported whatever the name. */
int glob_match(const char *pattern, const char *name, bool *ret, struct error **err) WARN_UNUSED;
int glob_check(const char *pattern, struct error **err) WARN_UNUSED;
/* Holds an unescaped `*`, `?` or `[`. */
bool glob_has_meta(const char *pattern);
/* The name that a pattern without meta characters stands for: `\x` → `x`. */
char *glob_unescape(const char *pattern) WARN_UNUSED;

struct pattern_list;

/*
 * Compiles patterns as dockerignore_parse() or the user gave them (they are path-cleaned).
 * ERR_SYNTAX: malformed, or a lone "!". Immutable: threads may share it.
 */
int pattern_list_new(const struct strvec *patterns, struct pattern_list **ret,
                     struct error **err) WARN_UNUSED;
void pattern_list_free(struct pattern_list *list);
DEFINE_AUTO(struct pattern_list, pattern_list_free)
size_t pattern_list_size(const struct pattern_list *list);

/* A pattern of the list, cleaned, with its "!"; and its line in the file it came from (0: unknown).
 */
const char *pattern_list_text(const struct pattern_list *list, int index);
size_t pattern_list_line(const struct pattern_list *list, int index);
/* lines[i] is where the i-th pattern of the list given stands; dockerignore_parse() does it. */
void pattern_list_set_lines(struct pattern_list *list, const size_t *lines);

struct pattern_verdict {
    bool matched; /* the last pattern that matches is no negation */
    int index;    /* that pattern's place in the list; -1: none matches */
};

/* One path (clean, relative, no trailing slash), its parents included. */
struct pattern_verdict pattern_list_match(const struct pattern_list *list, const char *path);

/* Which patterns match a directory or one of its parents. */
struct pattern_state {
    uint64_t *bits; /* NULL: none */
};
#define PATTERN_STATE_INIT                                                                         \
    {                                                                                              \
        NULL                                                                                       \
    }
void pattern_state_release(struct pattern_state *state);
DEFINE_AUTO_STRUCT(struct pattern_state, pattern_state_release)

/* `parent` NULL: the path is at the root. `path` is the whole path from the root. */
struct pattern_verdict pattern_list_walk_file(const struct pattern_list *list,
                                              const struct pattern_state *parent, const char *path);
/* The same, and sets *ret (empty before) for the directory's children. */
struct pattern_verdict pattern_list_walk_dir(const struct pattern_list *list,
                                             const struct pattern_state *parent, const char *path,
                                             struct pattern_state *ret);
/*
 * Of a directory that is matched: whether something below might not be (a negation
 * could reach it). False: the walk needn't enter.
 */
bool pattern_list_may_unmatch_below(const struct pattern_list *list,
                                    const struct pattern_state *state, const char *path);
/* Of a directory that isn't matched: whether something below might be. */
bool pattern_list_may_match_below(const struct pattern_list *list, const char *path);

#endif
