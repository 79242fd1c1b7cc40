/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml.h"

#include "base/mem.h"
#include "tests/unit/test.h"

static void documents_become_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } cases[] = {
        { "", "{}" },
        { "# only a comment", "{}" },
        { "\xef\xbb\xbf"
          "a = 1\r\n\r\nb = 2\r\n",
          "{\"a\":1,\"b\":2}" },
        { "a = \"x\" # comment\n", "{\"a\":\"x\"}" },
        { "a = \"tab\\t quote\\\" back\\\\ \\u00e9 \\U0001F600\"",
          "{\"a\":\"tab\\t quote\\\" back\\\\ \xc3\xa9 \xf0\x9f\x98\x80\"}" },
        { "a = 'C:\\x'", "{\"a\":\"C:\\\\x\"}" },
        { "a = \"\"\"\none\ntwo\\\n   \n   three\"\"\"", "{\"a\":\"one\\ntwothree\"}" },
        { "a = '''\nx\\y''z''''", "{\"a\":\"x\\\\y''z'\"}" },
        { "a = 0\nb = -17\nc = +5\nd = 1_000\ne = 0xfF\nf = 0o17\ng = 0b11",
          "{\"a\":0,\"b\":-17,\"c\":5,\"d\":1000,\"e\":255,\"f\":15,\"g\":3}" },
        { "a = 1.5\nb = -2e2", "{\"a\":1.5,\"b\":-200.0}" },
        { "a = true\nb = false", "{\"a\":true,\"b\":false}" },
        { "a = 1979-05-27T07:32:00Z", "{\"a\":\"1979-05-27T07:32:00Z\"}" },
        { "a = [ 1, # one\n 2,\n]", "{\"a\":[1,2]}" },
        { "a = [[\"x\"], []]", "{\"a\":[[\"x\"],[]]}" },
        { "a = { x = 1, y.z = 2 }\nb = {}", "{\"a\":{\"x\":1,\"y\":{\"z\":2}},\"b\":{}}" },
        { "[t]\na = 1\n[u.v]\nb = 2\n[u]\nc = 3",
          "{\"t\":{\"a\":1},\"u\":{\"c\":3,\"v\":{\"b\":2}}}" },
        { "[registry.\"docker.io\"]\nhttp = true",
          "{\"registry\":{\"docker.io\":{\"http\":true}}}" },
        { "a.b.c = 1\na.b.d = 2", "{\"a\":{\"b\":{\"c\":1,\"d\":2}}}" },
        { "\"quoted key\" = 1\n'' = 2", "{\"\":2,\"quoted key\":1}" },
        { "[[r]]\na = 1\n[[r.m]]\nb = 2\n[[r.m]]\n[[r]]\nc = 3",
          "{\"r\":[{\"a\":1,\"m\":[{\"b\":2},{}]},{\"c\":3}]}" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(error_free) struct error *err = NULL;
        AUTO(json_decref) json_t *value = toml_parse(cases[i].text, strlen(cases[i].text), &err);
        assert_ok_ptr(value, err);
        AUTO(strbuf_release) struct strbuf json = STRBUF_INIT;
        json_format_canonical(value, &json);
        assert_string_equal(json.data, cases[i].json);
    }
}

static void what_is_not_toml_names_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "a = 1\nb", "line 2: expected = after a key" },
        { "= 1", "line 1: expected a key" },
        { "a = ", "line 1: expected a value" },
        { "a = yes", "line 1: expected a value" },
        { "a = 1__0", "line 1: expected a value" },
        { "a = 0x", "line 1: expected a value" },
        { "a = 99999999999999999999", "line 1: expected a value" },
        { "a = 1 b = 2", "line 1: expected the end of the line" },
        { "a = \"x", "line 1: string without its end" },
        { "a = \"x\ny\"", "line 1: string without its end" },
        { "a = '''\n\n", "line 3: string without its end" },
        { "a = \"\\q\"", "line 1: unknown escape" },
        { "a = \"\\ud800\"", "line 1: no character has this number" },
        { "a = \"\\u00zz\"", "line 1: expected a hexadecimal digit" },
        { "a = \"\xff\"", "line 1: string that isn't UTF-8" },
        { "a = [1 2]", "line 1: expected , or ] in an array" },
        { "a = [1,\n\n", "line 3: expected a value" },
        { "a = {x=1", "line 1: expected , or } in an inline table" },
        { "a = {\nx=1}", "line 1: expected a key" },
        { "a = 1\na = 2", "line 2: key was given a value before" },
        { "a = 1\na.b = 2", "line 2: key was given a value before" },
        { "[a]\n[a]", "line 2: table was defined before" },
        { "a = {}\n[a.b]", "line 2: key was given a value before" },
        { "a = []\n[[a]]", "line 2: defined before, as something else" },
        { "[[a]]\n[a]", "line 2: table was defined before" },
        { "[a.b]\nc = 1\n[a]\nb.d = 2", "line 4: key was given a value before" },
        { "[a", "line 1: expected ] after [name" },
        { "[[a]", "line 1: expected ]] after [[name" },
        { "\"\"\"a\"\"\" = 1", "line 1: key of several lines" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(error_free) struct error *err = NULL;
        const json_t *value = toml_parse(cases[i].text, strlen(cases[i].text), &err);
        assert_fails(value ? 0 : -1, err, ERR_SYNTAX, cases[i].message);
    }
}

static void nul_in_a_string_is_refused(void **state)
{
    (void)state;
    AUTO(error_free) struct error *err = NULL;
    static const char text[] = "a = \"x\0y\"";
    assert_fails(toml_parse(text, sizeof(text) - 1, &err) ? 0 : -1, err, ERR_SYNTAX, "NUL");
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    static const char *const nested[] = { "[", "{a=", "a." };
    for (size_t i = 0; i < ARRAY_SIZE(nested); i++) {
        AUTO(error_free) struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        strbuf_adds(&text, i == 2 ? "" : "a = ");
        for (int n = 0; n < 100000; n++)
            strbuf_adds(&text, nested[i]);
        assert_fails(toml_parse(text.data, text.size, &err) ? 0 : -1, err, ERR_LIMIT,
                     i == 2 ? "line 1: key of more than 64 parts"
                            : "line 1: nested deeper than 64");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_become_values),
        cmocka_unit_test(what_is_not_toml_names_its_line),
        cmocka_unit_test(nul_in_a_string_is_refused),
        cmocka_unit_test(depth_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
