/* SPDX-License-Identifier: Apache-2.0 */
#include "base/force.h"
#include "tests/unit/test.h"

static void words_match_whole(void **state UNUSED)
{
    static const struct {
        const char *list, *word;
        bool has;
    } cases[] = {
        { NULL, "a", false },   { "", "a", false },
        { "a", "a", true },     { "a,b", "b", true },
        { "ab,c", "a", false }, { "x,no-openat2,y", "no-openat2", true },
        { ",,b", "b", true },   { "no-openat2x", "no-openat2", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(force_list_has(cases[i].list, cases[i].word), cases[i].has);
}

static void environment_is_read_once(void **state UNUSED)
{
    assert_int_equal(setenv("CBUILD_FORCE", "one,two", 1), 0);
    assert_true(force_has("two"));
    assert_int_equal(setenv("CBUILD_FORCE", "three", 1), 0);
    assert_true(force_has("one"));
    assert_false(force_has("three"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_match_whole),
        cmocka_unit_test(environment_is_read_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
