/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/chmod_spec.h"

#include "tests/unit/test.h"

static void modes_are_applied_as_chmod_does(void **state UNUSED)
{
    static const struct {
        const char *spec;
        uint32_t before;
        bool is_directory;
        uint32_t after;
    } cases[] = {
        { "0640", 0755, false, 0640 },
        { "4711", 0644, false, 04711 },
        { "644", 0755, true, 0644 },
        { "0", 0777, false, 0 },
        { "+x", 0644, false, 0755 },
        { "a-w", 0777, false, 0555 },
        { "u=rwX,go=rX", 0600, false, 0644 },
        { "u=rwX,go=rX", 0700, false, 0755 },
        { "u=rwX,go=rX", 0600, true, 0755 },
        { "g=u", 0750, false, 0770 },
        { "o=g-w", 0670, false, 0675 },
        { "u+s", 0755, false, 04755 },
        { "g+s,+t", 0755, true, 03755 },
        { "ug-s", 06755, false, 0755 },
        { "=", 0755, false, 0 },
        { "=r", 0755, false, 0444 },
        { "u=x", 04755, false, 0155 },
        { "u=rwx", 04700, true, 04700 },
        { "go=", 0777, false, 0700 },
        { "+X", 0644, false, 0644 },
        { "+X", 0644, true, 0755 },
        { "a=rw", 01777, false, 0666 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(chmod_spec_release) struct chmod_spec spec = { 0 };
        struct error *err = NULL;
        assert_ok(chmod_spec_parse(cases[i].spec, &spec, &err), err);
        uint32_t after = chmod_spec_apply(&spec, cases[i].before, cases[i].is_directory);
        if (after != cases[i].after)
            fail_msg("%s on %o: %o, expected %o", cases[i].spec, cases[i].before, after,
                     cases[i].after);
    }
}

static void malformed_modes_are_refused(void **state UNUSED)
{
    static const char *const specs[] = { "", "8", "999", "u", "u+y", "x", "u+r,", ",u+r", "u~r" };
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        struct chmod_spec spec;
        struct error *err = NULL;
        assert_fails(chmod_spec_parse(specs[i], &spec, &err), err, ERR_SYNTAX,
                     "neither octal nor symbolic");
    }
    struct chmod_spec spec;
    struct error *err = NULL;
    assert_fails(chmod_spec_parse("10000", &spec, &err), err, ERR_SYNTAX, "more than 07777");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_are_applied_as_chmod_does),
        cmocka_unit_test(malformed_modes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
