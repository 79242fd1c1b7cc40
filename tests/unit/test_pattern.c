/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/pattern.h"

#include "base/path.h"
#include "tests/unit/language_data.h"

#include <time.h>

static void check_case(const json_t *item)
{
    AUTO(strvec_release) struct strvec patterns = STRVEC_INIT;
    const json_t *list = json_object_get(item, "patterns");
    for (size_t i = 0; i < json_array_size(list); i++)
        strvec_push(&patterns, json_string_value(json_array_get(list, i)));
    AUTO(pattern_list_free) struct pattern_list *compiled = NULL;
    AUTO(error_free) struct error *err = NULL;
    const char *first = patterns.n ? patterns.items[0] : "";
    int result = pattern_list_new(&patterns, &compiled, &err);
    if (json_is_true(json_object_get(item, "error"))) {
        if (result == 0)
            fail_msg("pattern \"%s\" is no error", first);
        return;
    }
    assert_ok(result, err);
    AUTO(free) char *path = path_clean(string_of(item, "path"));
    bool expected = json_is_true(json_object_get(item, "match"));
    if (pattern_list_match(compiled, path).matched != expected)
        fail_msg("\"%s\" (of %zu) against %s: %d expected", first, patterns.n, path, expected);
}

static void matching_agrees_with_conformance(void **state UNUSED)
{
    json_t *tables = conformance_load("dockerignore/match.json");
    static const char *const names[] = { "or_parent_matches", "matches" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const json_t *cases = json_object_get(tables, names[i]);
        assert_true(json_array_size(cases) > 0);
        for (size_t j = 0; j < json_array_size(cases); j++)
            check_case(json_array_get(cases, j));
    }
    json_decref(tables);
}

static struct pattern_list *list_of(const char *const *texts)
{
    AUTO(strvec_release) struct strvec patterns = STRVEC_INIT;
    for (; *texts; texts++)
        strvec_push(&patterns, *texts);
    struct pattern_list *list = NULL;
    struct error *err = NULL;
    assert_ok(pattern_list_new(&patterns, &list, &err), err);
    return list;
}

static void last_match_wins_and_names_its_pattern(void **state UNUSED)
{
    static const struct {
        const char *patterns[6], *path;
        bool matched;
        int index;
    } cases[] = {
        { { "a" }, "a/b/c", true, 0 },
        { { "a" }, "b/a", false, -1 },
        { { "/a" }, "a", true, 0 },
        { { "a", "!a/b", "a/b/c" }, "a/b/c", true, 2 },
        { { "a", "!a/b", "a/b/c" }, "a/b/d", false, 1 },
        { { "d*", "!d/f", "d" }, "d/f", true, 2 },
        { { "*", "!**/*.py" }, "x/y/z.py", false, 1 },
        { { "*", "!**/*.py" }, "x/y/z.pyc", true, 0 },
        { { "*", "", " !keep " }, "keep/x", false, 2 },
        { { "node_modules" }, "sub/node_modules", false, -1 },
        { { "**/node_modules" }, "sub/node_modules/x", true, 0 },
        { { "*.md", "!README*.md", "README-secret.md" }, "README-secret.md", true, 2 },
        { { "." }, "a", false, -1 },
        { { "**" }, ".", false, -1 },
        { { "a/../b" }, "b", true, 0 },
        { { "a/**/z" }, "a/z", true, 0 },
        { { "a/**/z" }, "a/b/c/z", true, 0 },
        { { "a/**/z" }, "ab/z", false, -1 },
        { { "\\!a" }, "!a", true, 0 },
        { { "[a-c]/x" }, "b/x", true, 0 },
        { { "a[^b]c" }, "a/c", false, -1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(pattern_list_free) struct pattern_list *list = list_of(cases[i].patterns);
        struct pattern_verdict verdict = pattern_list_match(list, cases[i].path);
        if (verdict.matched != cases[i].matched || verdict.index != cases[i].index)
            fail_msg("case %zu, %s: %d by %d, expected %d by %d", i, cases[i].path, verdict.matched,
                     verdict.index, cases[i].matched, cases[i].index);
    }
}

/* Walks down to path and compares with the direct answer. */
static void check_walk(const struct pattern_list *list, const char *path)
{
    struct pattern_state states[8] = { 0 };
    size_t depth = 0;
    bool reachable = true;
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        AUTO(free) char *dir = xstrndup(path, (size_t)(slash - path));
        struct pattern_verdict verdict =
            pattern_list_walk_dir(list, depth ? &states[depth - 1] : NULL, dir, &states[depth]);
        struct pattern_verdict direct = pattern_list_match(list, dir);
        assert_int_equal(verdict.matched, direct.matched);
        assert_int_equal(verdict.index, direct.index);
        if (verdict.matched)
            reachable = reachable && pattern_list_may_unmatch_below(list, &states[depth], dir);
        depth++;
    }
    struct pattern_verdict verdict =
        pattern_list_walk_file(list, depth ? &states[depth - 1] : NULL, path);
    struct pattern_verdict direct = pattern_list_match(list, path);
    if (verdict.matched != direct.matched || verdict.index != direct.index)
        fail_msg("%s: walk says %d by %d, direct %d by %d", path, verdict.matched, verdict.index,
                 direct.matched, direct.index);
    if (!verdict.matched && !reachable)
        fail_msg("%s is kept but the walk would not get there", path);
    for (size_t i = 0; i < depth; i++)
        pattern_state_release(&states[i]);
}

static void walk_agrees_with_direct_match(void **state UNUSED)
{
    static const char *const lists[][6] = {
        { "a", "!a/b/c" },         { "**/x", "!a/*/x" },
        { "*", "!a", "a/b" },      { "*", "!**/c" },
        { "a**", "!ab/c" },        { "*/b", "!a/b/?" },
        { "d*", "!d/f", "d" },     { "**", "!a/[a-c]/c", "!x/**" },
        { "a/b/**", "!a/b/c/d*" },
    };
    static const char *const paths[] = { "a",       "a/b",     "a/b/c", "a/b/c/d",
                                         "a/b/c/e", "ab/c",    "x/b",   "x/y/x",
                                         "d/f",     "d/f/g",   "d/g",   "c",
                                         "x/y/z/c", "a/q/x/y", "abc/b", "a/b/x" };
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        AUTO(pattern_list_free) struct pattern_list *list = list_of(lists[i]);
        for (size_t j = 0; j < ARRAY_SIZE(paths); j++)
            check_walk(list, paths[j]);
    }
}

static void excluded_directories_without_way_back_are_skipped(void **state UNUSED)
{
    static const struct {
        const char *patterns[4], *path;
        bool enter;
    } cases[] = {
        { { "a", NULL }, "a", false },         { { "!a/b", "a" }, "a", false },
        { { "a", "!a/b" }, "a", true },        { { "a", "!b" }, "a", false },
        { { "a", "!a/x/y" }, "a/x", true },    { { "a", "!a/x/y" }, "a/z", false },
        { { "a", "!*/x" }, "a", true },        { { "a", "!*/x" }, "a/b", false },
        { { "a", "!**/x" }, "a/b", true },     { { "a", "!a/x**" }, "a", true },
        { { "a", "!?/[xy]/z" }, "a/x", true }, { { "a", "!?/[xy]/z" }, "a/z", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(pattern_list_free) struct pattern_list *list = list_of(cases[i].patterns);
        AUTO(pattern_state_release) struct pattern_state top = PATTERN_STATE_INIT;
        AUTO(pattern_state_release) struct pattern_state below = PATTERN_STATE_INIT;
        struct pattern_verdict verdict = pattern_list_walk_dir(list, NULL, "a", &top);
        const struct pattern_state *at = &top;
        if (strcmp(cases[i].path, "a") != 0) {
            verdict = pattern_list_walk_dir(list, &top, cases[i].path, &below);
            at = &below;
        }
        assert_true(verdict.matched);
        if (pattern_list_may_unmatch_below(list, at, cases[i].path) != cases[i].enter)
            fail_msg("case %zu: enter %s: %d expected", i, cases[i].path, cases[i].enter);
    }
}

static void glob_is_gos_match(void **state UNUSED)
{
    static const struct {
        const char *pattern, *name;
        int matched; /* -1: malformed */
    } cases[] = {
        { "abc", "abc", 1 },    { "*", "a/b", 0 },
        { "a*", "a", 1 },       { "*.txt", "x.txt", 1 },
        { "d*/x*", "d1/x", 1 }, { "**", "a/b", 0 },
        { "?", "\u00e9", 1 },   { "arr[[]0", "arr[0", 1 },
        { "[^a]", "b", 1 },     { "[a", "a", -1 },
        { "x[]", "x", -1 },     { "\\*", "*", 1 },
        { "a\\", "a", -1 },     { "", "", 1 },
        { "", "a", 0 },         { "[z-a]", "b", 0 },
        { "]", "]", 1 },        { "[\\]]", "]", 1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        bool matched = false;
        AUTO(error_free) struct error *err = NULL;
        int result = glob_match(cases[i].pattern, cases[i].name, &matched, &err);
        if ((result < 0 ? -1 : matched) != cases[i].matched)
            fail_msg("%s against %s: %d, %d expected", cases[i].pattern, cases[i].name, matched,
                     cases[i].matched);
    }
    assert_true(glob_has_meta("a[b"));
    assert_false(glob_has_meta("a\\*b"));
    AUTO(free) char *name = glob_unescape("a\\*b\\\\");
    assert_string_equal(name, "a*b\\");
}

static void hostile_patterns_stay_fast(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf pattern = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf path = STRBUF_INIT;
    for (int i = 0; i < 200; i++) {
        strbuf_adds(&pattern, "**/a*");
        strbuf_adds(&path, "aaaaaaaaaa/");
    }
    strbuf_adds(&pattern, "b");
    strbuf_adds(&path, "ab");
    const char *const texts[] = { pattern.data, NULL };
    AUTO(pattern_list_free) struct pattern_list *list = list_of(texts);
    clock_t start = clock();
    (void)pattern_list_match(list, path.data);
    assert_true(clock() - start < 10 * CLOCKS_PER_SEC); /* seconds where backtracking takes ages */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matching_agrees_with_conformance),
        cmocka_unit_test(last_match_wins_and_names_its_pattern),
        cmocka_unit_test(walk_agrees_with_direct_match),
        cmocka_unit_test(excluded_directories_without_way_back_are_skipped),
        cmocka_unit_test(glob_is_gos_match),
        cmocka_unit_test(hostile_patterns_stay_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
