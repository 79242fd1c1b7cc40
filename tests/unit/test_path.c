/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "tests/unit/test.h"

/* The table of Go's path.Clean tests, with rows of ours. */
static const struct {
    const char *path, *clean, *rooted;
} cases[] = {
    { "", ".", "" },
    { "abc", "abc", "abc" },
    { "abc/def", "abc/def", "abc/def" },
    { "a/b/c", "a/b/c", "a/b/c" },
    { ".", ".", "" },
    { "..", "..", "" },
    { "../..", "../..", "" },
    { "../../abc", "../../abc", "abc" },
    { "/abc", "/abc", "abc" },
    { "/", "/", "" },
    { "abc/", "abc", "abc" },
    { "abc/def/", "abc/def", "abc/def" },
    { "./", ".", "" },
    { "../", "..", "" },
    { "../../", "../..", "" },
    { "/abc/", "/abc", "abc" },
    { "abc//def//ghi", "abc/def/ghi", "abc/def/ghi" },
    { "//abc", "/abc", "abc" },
    { "///abc", "/abc", "abc" },
    { "abc//", "abc", "abc" },
    { "abc/./def", "abc/def", "abc/def" },
    { "/./abc/def", "/abc/def", "abc/def" },
    { "abc/.", "abc", "abc" },
    { "abc/def/ghi/../jkl", "abc/def/jkl", "abc/def/jkl" },
    { "abc/def/../ghi/../jkl", "abc/jkl", "abc/jkl" },
    { "abc/def/..", "abc", "abc" },
    { "abc/def/../..", ".", "" },
    { "/abc/def/../..", "/", "" },
    { "abc/def/../../..", "..", "" },
    { "/abc/def/../../..", "/", "" },
    { "abc/def/../../../ghi/jkl/../../../mno", "../../mno", "mno" },
    { "/../abc", "/abc", "abc" },
    { "abc/./../def", "def", "def" },
    { "abc//./../def", "def", "def" },
    { "abc/../../././../def", "../../def", "def" },
    { "..a/...", "..a/...", "..a/..." },
    { "../a/..", "..", "" },
    { "../a/../../b", "../../b", "b" },
};

static void clean_agrees_with_go(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *clean = path_clean(cases[i].path);
        AUTO(free) char *rooted = path_clean_rooted(cases[i].path);
        assert_string_equal(clean, cases[i].clean);
        assert_string_equal(rooted, cases[i].rooted);
    }
}

static void join_base_and_dir(void **state UNUSED)
{
    static const struct {
        const char *a, *b, *joined;
    } joins[] = {
        { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "a", "/b", "/b" }, { "", "b", "b" },
        { "a", "", "a" },    { "/", "b", "/b" },   { "", "", "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(joins); i++) {
        AUTO(free) char *joined = path_join(joins[i].a, joins[i].b);
        assert_string_equal(joined, joins[i].joined);
    }
    static const struct {
        const char *path, *dir, *base;
    } splits[] = {
        { "a/b/c", "a/b", "c" }, { "a", "", "a" }, { "/a", "", "a" },
        { "a/", "a", "" },       { "", "", "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(splits); i++) {
        AUTO(free) char *dir = path_dir(splits[i].path);
        assert_string_equal(dir, splits[i].dir);
        assert_string_equal(path_base(splits[i].path), splits[i].base);
    }
}

static void within_respects_components(void **state UNUSED)
{
    assert_true(path_is_within("a/b", "a"));
    assert_true(path_is_within("a", "a"));
    assert_false(path_is_within("ab", "a"));
    assert_false(path_is_within("a", "a/b"));
    assert_true(path_is_within("anything", ""));
    assert_true(path_is_within("/a", "/"));
}

static void order_is_by_component(void **state UNUSED)
{
    static const char *const sorted[] = { "",    "a",     "a/b", "a/b/c", "a/\xff", "a\x01",
                                          "a-b", "a-b/c", "a.b", "a0",    "b",      "\xc3\xa9" };
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
        for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
            int order = path_compare(sorted[i], sorted[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
}

static void clean_relative_refuses_escapes(void **state UNUSED)
{
    static const char *const good[] = { "a", "a/b", "..a", "a..", ".a/b", "..." };
    static const char *const bad[] = { "",  "/",  "/a",   "a/",   "a//b",
                                       ".", "..", "a/..", "../a", "a/./b" };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_true(path_is_clean_relative(good[i]));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(path_is_clean_relative(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_agrees_with_go),           cmocka_unit_test(join_base_and_dir),
        cmocka_unit_test(within_respects_components),     cmocka_unit_test(order_is_by_component),
        cmocka_unit_test(clean_relative_refuses_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
