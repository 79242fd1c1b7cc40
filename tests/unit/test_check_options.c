/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/check_options.h"

#include "tests/unit/test.h"

static void options_are_joined_with_semicolons(void **state UNUSED)
{
    AUTO(check_options_release) struct check_options options = { 0 };
    struct error *err = NULL;
    assert_ok(check_options_parse(" skip = A , B; error=true ;experimental=all,C;", &options, &err),
              err);
    assert_int_equal(options.skip.n, 2);
    assert_string_equal(options.skip.items[0], "A");
    assert_false(options.skip_all);
    assert_true(options.error);
    assert_true(options.experimental_all);
    assert_string_equal(options.experimental.items[0], "C");
    assert_ok(check_options_parse("skip=all", &options, &err), err);
    assert_true(options.skip_all);
}

static void mistakes_are_refused(void **state UNUSED)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "skpi=A", "unknown option \"skpi\"" },
        { "skip", "\"skip\" needs a value" },
        { "error=maybe", "error: \"maybe\" is neither true nor false" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(check_options_release) struct check_options options = { 0 };
        struct error *err = NULL;
        assert_fails(check_options_parse(cases[i].text, &options, &err), err, ERR_SYNTAX,
                     cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_joined_with_semicolons),
        cmocka_unit_test(mistakes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
