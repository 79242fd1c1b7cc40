/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ignore files: the last line is a path, what is before it the patterns. The walk agrees with the
 * direct match, and never skips a directory that holds something kept.
 */
#include "base/mem.h"
#include "base/path.h"
#include "builder/dockerignore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_equal(struct pattern_verdict a, struct pattern_verdict b)
{
    if (a.matched != b.matched || a.index != b.index)
        abort();
}

static void walk(const struct pattern_list *list, const char *path)
{
    AUTO(pattern_state_release) struct pattern_state parent = PATTERN_STATE_INIT;
    bool reachable = true;
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        AUTO(free) char *dir = xstrndup(path, (size_t)(slash - path));
        struct pattern_state state = PATTERN_STATE_INIT;
        struct pattern_verdict verdict = pattern_list_walk_dir(list, &parent, dir, &state);
        check_equal(verdict, pattern_list_match(list, dir));
        if (verdict.matched && !pattern_list_may_unmatch_below(list, &state, dir))
            reachable = false;
        if (!verdict.matched && !pattern_list_may_match_below(list, dir) &&
            pattern_list_match(list, path).matched)
            abort();
        pattern_state_release(&parent);
        parent = state;
    }
    struct pattern_verdict verdict = pattern_list_walk_file(list, &parent, path);
    check_equal(verdict, pattern_list_match(list, path));
    if (!verdict.matched && !reachable)
        abort();
}

/* A glob without meta characters matches the name it stands for. */
static void check_glob(const char *pattern, const char *path)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(error_free) struct error *again = NULL;
    AUTO(free) char *name = glob_unescape(pattern);
    bool matches = false;
    int checked = glob_check(pattern, &err);
    if (checked != glob_match(pattern, path, &matches, &again))
        abort();
    error_clear(&again);
    if (checked == 0 && !glob_has_meta(pattern) &&
        (glob_match(pattern, name, &matches, &again) < 0 || !matches))
        abort();
}

/* Patterns as --exclude gives them; who excludes a path is named with its line. */
static void check_texts(const struct dockerignore *ignore, const char *text, const char *path)
{
    AUTO(strvec_release) struct strvec patterns = STRVEC_INIT;
    AUTO(free) size_t *lines = NULL;
    AUTO(free) char *why = dockerignore_explain(ignore, path);
    dockerignore_read(text, strlen(text), &patterns, &lines);
    for (size_t i = 0; i < patterns.n; i++)
        check_glob(patterns.items[i], path);
    if (pattern_list_size(ignore->patterns) != patterns.n)
        abort();
    if ((why != NULL) != pattern_list_match(ignore->patterns, path).matched)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2048 || (size && memchr(data, '\0', size)))
        return 0;
    AUTO(free) char *text = xstrndup((const char *)data, size);
    char *newline = strrchr(text, '\n');
    if (!newline)
        return 0;
    *newline = '\0';
    AUTO(free) char *path = path_clean_rooted(newline + 1);
    AUTO(dockerignore_free) struct dockerignore *ignore = NULL;
    AUTO(error_free) struct error *err = NULL;
    if (dockerignore_parse(".dockerignore", text, strlen(text), &ignore, &err) == 0 && *path) {
        walk(ignore->patterns, path);
        check_texts(ignore, text, path);
    }
    return 0;
}
