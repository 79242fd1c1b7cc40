/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/oci_layout.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static const struct {
    const char *text, *dir, *tag, *digest;
} cases[] = {
    { "/srv/layout", "/srv/layout", NULL, NULL },
    { "layout:v1", "layout", "v1", NULL },
    { "./a/layout:v1", "./a/layout", "v1", NULL },
    { "/srv/a:b/layout", "/srv/a:b/layout", NULL, NULL },
    { "/srv/a@b/layout:v1", "/srv/a@b/layout", "v1", NULL },
    { "layout@sha256:00", "layout", NULL, "sha256:00" },
    { "", NULL, NULL, NULL },
    { "layout:", NULL, NULL, NULL },
    { "layout@", NULL, NULL, NULL },
    { ":v1", NULL, NULL, NULL },
};

static void assert_text(const char *got, const char *expected)
{
    if (expected)
        assert_string_equal(got, expected);
    else
        assert_null(got);
}

static void places_of_layouts_are_parsed(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *dir = NULL;
        AUTO(free) char *tag = NULL;
        AUTO(free) char *digest = NULL;
        struct error *err = NULL;
        int result = oci_layout_parse(cases[i].text, &dir, &tag, &digest, &err);
        if (!cases[i].dir) {
            assert_fails(result, err, ERR_USAGE, "DIR[:TAG|@DIGEST]");
            continue;
        }
        assert_ok(result, err);
        assert_text(dir, cases[i].dir);
        assert_text(tag, cases[i].tag);
        assert_text(digest, cases[i].digest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_of_layouts_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
