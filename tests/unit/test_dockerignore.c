/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerignore.h"

#include "tests/unit/language_data.h"

static void reading_agrees_with_conformance(void **state UNUSED)
{
    json_t *cases = conformance_load("dockerignore/read.json");
    assert_true(json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *item = json_array_get(cases, i);
        const json_t *expected = json_object_get(item, "patterns");
        const char *content = string_of(item, "content");
        AUTO(strvec_release) struct strvec patterns = STRVEC_INIT;
        dockerignore_read(content, strlen(content), &patterns, NULL);
        assert_int_equal(patterns.n, json_array_size(expected));
        for (size_t j = 0; j < patterns.n; j++)
            assert_string_equal(patterns.items[j], json_string_value(json_array_get(expected, j)));
    }
    json_decref(cases);
}

static void lines_are_cleaned_and_numbered(void **state UNUSED)
{
    static const char text[] = "\xef\xbb\xbf# comment\r\n"
                               " # no comment\n"
                               "\n"
                               "  /a//b/./c/  \n"
                               "!  /d\n"
                               "../e";
    AUTO(strvec_release) struct strvec patterns = STRVEC_INIT;
    AUTO(free) size_t *lines = NULL;
    dockerignore_read(text, sizeof(text) - 1, &patterns, &lines);
    static const struct {
        const char *pattern;
        size_t line;
    } expected[] = { { "# no comment", 2 }, { "a/b/c", 4 }, { "!d", 5 }, { "../e", 6 } };
    assert_int_equal(patterns.n, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_string_equal(patterns.items[i], expected[i].pattern);
        assert_int_equal(lines[i], expected[i].line);
    }
}

static void says_which_line_excluded_a_path(void **state UNUSED)
{
    static const char text[] = "# all\n*\n\n!src\nsrc/*.o\n";
    AUTO(dockerignore_free) struct dockerignore *ignore = NULL;
    struct error *err = NULL;
    assert_ok(dockerignore_parse(".dockerignore", text, sizeof(text) - 1, &ignore, &err), err);
    AUTO(free) char *why = dockerignore_explain(ignore, "src/a.o");
    assert_string_equal(why, "excluded by line 5 of .dockerignore (src/*.o)");
    AUTO(free) char *other = dockerignore_explain(ignore, "x/y");
    assert_string_equal(other, "excluded by line 2 of .dockerignore (*)");
    assert_null(dockerignore_explain(ignore, "src/a.c"));
}

static void errors_show_the_line(void **state UNUSED)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "ok\na[\n", "x.dockerignore:2: pattern \"a[\": malformed [...]" },
        { "!\n", "x.dockerignore:1: pattern \"!\": nothing follows the exclamation mark" },
        { "a\\\n", "x.dockerignore:1: pattern \"a\\\": nothing follows the last backslash" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct dockerignore *ignore = NULL;
        struct error *err = NULL;
        int result = dockerignore_parse("x.dockerignore", cases[i].text, strlen(cases[i].text),
                                        &ignore, &err);
        assert_fails(result, err, ERR_SYNTAX, cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_agrees_with_conformance),
        cmocka_unit_test(lines_are_cleaned_and_numbered),
        cmocka_unit_test(says_which_line_excluded_a_path),
        cmocka_unit_test(errors_show_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
