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
    if (dockerignore_parse(".dockerignore", text, strlen(text), &ignore, &err) == 0 && *path)
        walk(ignore->patterns, path);
    return 0;
}
