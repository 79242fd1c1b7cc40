/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/words.h"

#include "tests/unit/language_data.h"

static void assert_words(const char *what, const struct strvec *words, const json_t *expected)
{
    if (words->n != json_array_size(expected))
        fail_msg("%s: %zu words, expected %zu", what, words->n, json_array_size(expected));
    for (size_t i = 0; i < words->n; i++) {
        const char *item = json_string_value(json_array_get(expected, i));
        if (strcmp(words->items[i], item) != 0)
            fail_msg("%s: word %zu is \"%s\", expected \"%s\"", what, i, words->items[i], item);
    }
}

static void splitting_agrees_with_conformance(void **state UNUSED)
{
    json_t *cases = conformance_load("parser/words.json");
    assert_true(json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *item = json_array_get(cases, i);
        AUTO(strvec_release) struct strvec words = STRVEC_INIT;
        words_split(string_of(item, "input"), '\\', &words);
        assert_words(string_of(item, "input"), &words, json_object_get(item, "expect"));
    }
    json_decref(cases);
}

static void non_strings_in_json_are_errors(void **state UNUSED)
{
    json_t *tables = conformance_load("parser/json.json");
    const json_t *cases = json_object_get(tables, "invalid");
    assert_true(json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        AUTO(strvec_release) struct strvec words = STRVEC_INIT;
        struct error *err = NULL;
        const char *text = json_string_value(json_array_get(cases, i));
        assert_fails(words_parse_json(text, &words, &err), err, ERR_SYNTAX, "isn't a string");
        assert_int_equal(words.n, 0);
    }
    json_decref(tables);
}

static void arrays_with_other_than_strings_are_errors(void **state UNUSED)
{
    static const char *const texts[] = { "[1]",
                                         "[\"a\", 1]",
                                         "[null]",
                                         "[true]",
                                         "[[\"a\"]]",
                                         "[{}]",
                                         "[\"a\", {\"b\": 1}]",
                                         " [ -1.5 , \"a\" ] " };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        AUTO(strvec_release) struct strvec words = STRVEC_INIT;
        struct error *err = NULL;
        assert_fails(words_parse_json(texts[i], &words, &err), err, ERR_SYNTAX, "isn't a string");
        assert_int_equal(words.n, 0);
    }
}

static void splits_at_unquoted_blanks(void **state UNUSED)
{
    static const struct {
        const char *text, *joined;
        char escape;
    } cases[] = {
        { "", "", '\\' },
        { "  a\tb  ", "a|b", '\\' },
        { "a='b c' d", "a='b c'|d", '\\' },
        { "\"\" x", "\"\"|x", '\\' },
        { "a\\ b c\\", "a\\ b|c", '\\' },
        { "a` b c\\ d", "a` b|c\\|d", '`' },
        { "'a\\' b'", "'a\\'|b'", '\\' },
        { "\"a\\\" b\" c", "\"a\\\" b\"|c", '\\' },
        { "\"open to the end", "\"open to the end", '\\' },
        { "a\u3000b", "a|b", '\\' },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strvec_release) struct strvec words = STRVEC_INIT;
        AUTO(strbuf_release) struct strbuf joined = STRBUF_INIT;
        words_split(cases[i].text, cases[i].escape, &words);
        for (size_t j = 0; j < words.n; j++)
            strbuf_addf(&joined, "%s%s", j ? "|" : "", words.items[j]);
        assert_string_equal(joined.data, cases[i].joined);
    }
}

static void tells_json_from_shell_form(void **state UNUSED)
{
    static const struct {
        const char *text;
        int is_json;
        const char *joined;
    } cases[] = {
        { "[]", 1, "" },
        { "[\"\"]", 1, "" },
        { "[\"a\"]", 1, "a" },
        { "  [ \"a\" ,\t\"b c\" ] ", 1, "a|b c" },
        { "[\"\\u2665\\n\\/\"]", 1, "\u2665\n/" },
        { "[\"nul\\u0000\"]", 1, "nul\xc0\x80" },
        { "['a']", 0, "" },
        { "[\"a\",]", 0, "" },
        { "[\"a\"] x", 0, "" },
        { "[\"a\"", 0, "" },
        { "[\"\\x\"]", 0, "" },
        { "[", 0, "" },
        { "\"a\"", 0, "" },
        { "{\"a\":1}", 0, "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strvec_release) struct strvec words = STRVEC_INIT;
        AUTO(strbuf_release) struct strbuf joined = STRBUF_INIT;
        struct error *err = NULL;
        int is_json = words_parse_json(cases[i].text, &words, &err);
        assert_ok(is_json, err);
        if (is_json != cases[i].is_json)
            fail_msg("%s: %d, expected %d", cases[i].text, is_json, cases[i].is_json);
        for (size_t j = 0; j < words.n; j++)
            strbuf_addf(&joined, "%s%s", j ? "|" : "", words.items[j]);
        assert_string_equal(joined.data, cases[i].joined);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitting_agrees_with_conformance),
        cmocka_unit_test(non_strings_in_json_are_errors),
        cmocka_unit_test(arrays_with_other_than_strings_are_errors),
        cmocka_unit_test(splits_at_unquoted_blanks),
        cmocka_unit_test(tells_json_from_shell_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
