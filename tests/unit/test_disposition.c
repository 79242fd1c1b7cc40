/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/disposition.h"
#include "tests/unit/test.h"

static void names_are_plain_or_not_taken(void **state UNUSED)
{
    static const struct {
        const char *header, *name;
    } cases[] = {
        { "attachment; filename=\"a b.tar\"", "a b.tar" },
        { "attachment; filename=a.tar", "a.tar" },
        { "attachment;FileName = a.tar ;x=y", "a.tar" },
        { "attachment; filename=\"a\\\"b\"", "a\"b" },
        { "attachment; filename=\"a.tar\"; filename*=UTF-8''n%C3%A4me", "n\xc3\xa4me" },
        { "attachment; filename*=UTF-8'en'x%2Fy; filename=z", "y" },
        { "attachment; filename*=ISO-8859-1''x; filename=z", "z" },
        { "attachment; filename=\"../../etc/passwd\"", "passwd" },
        { "attachment; filename=\"C:\\\\dir\\\\x\"", "x" },
        { "attachment; filename=\"..\"", NULL },
        { "attachment; filename=\"dir/\"", NULL },
        { "attachment; filename=\"a\nb\"", NULL },
        { "attachment; filename=", NULL },
        { "attachment", NULL },
        { "", NULL },
        { ";;;", NULL },
        { "inline; name=filename", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *name = disposition_file_name(cases[i].header);
        if ((name == NULL) != (cases[i].name == NULL))
            fail_msg("%s: %s", cases[i].header, name ? name : "(none)");
        if (name)
            assert_string_equal(name, cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_plain_or_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
