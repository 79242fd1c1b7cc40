/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/api_error.h"
#include "tests/unit/test.h"

static void bodies_become_one_clean_line(void **state UNUSED)
{
    static const struct {
        int status;
        const char *body, *expected;
    } cases[] = {
        { 401, "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\"}]}",
          "unauthorized: authentication required" },
        { 404,
          "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest "
          "unknown\",\"detail\":{\"Tag\":\"x\"}}]}",
          "manifest unknown ({\"Tag\":\"x\"})" },
        { 403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\",\"detail\":\"quota\"}]}",
          "denied: no (quota)" },
        { 502,
          "{\"errors\":[{\"code\":\"UNKNOWN\",\"message\":\"no\",\"detail\":\"<html><title>502 Bad "
          "Gateway</title>\\n<body><h1>nginx</h1></body><br\"}]}",
          "unknown: no (502 Bad Gateway nginx)" },
        { 403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\",\"detail\":\"<p></p>\"}]}",
          "denied: no" },
        { 400, "{\"errors\":[{\"code\":\"A_B\"},{\"message\":\"c\"}]}", "a b; c" },
        { 401, "{\"details\":\"incorrect username or password\"}",
          "incorrect username or password" },
        { 401, "{\"error\":\"invalid_grant\",\"error_description\":\"token expired\"}",
          "token expired" },
        { 404, "<html><body>Not Found</body></html>", "not found" },
        { 404, "", "not found" },
        { 503, "upstream is away\n", "upstream is away" },
        { 404, "{\"errors\":", "not found" },
        { 404, "{\"errors\":[]}", "not found" },
        { 400, "{\"errors\":[{\"code\":\"X\",\"message\":\"a\\u001b[31mb\\u0000\\u009bc\"}]}",
          "bad request" },
        { 400, "{\"errors\":[{\"code\":\"X\",\"message\":\"a\\u001b[31mb\\u009bc\\nd\"}]}",
          "x: a[31mbc d" },
        { 599, "", "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        api_error_text(cases[i].status, cases[i].body, strlen(cases[i].body), &text);
        assert_string_equal(text.data, cases[i].expected);
    }
}

static void long_texts_are_cut_between_characters(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT, text = STRBUF_INIT;
    strbuf_adds(&body, "{\"message\":\"x");
    for (int i = 0; i < 50000; i++)
        strbuf_adds(&body, "\xc3\xa4");
    strbuf_adds(&body, "\"}");
    api_error_text(500, body.data, body.size, &text);
    assert_in_range(text.size, API_ERROR_TEXT_MAX - 3, API_ERROR_TEXT_MAX);
    assert_int_equal(text.size % 2, 1);
}

static void statuses_have_codes(void **state UNUSED)
{
    assert_int_equal(api_error_code(404), ERR_NOT_FOUND);
    assert_int_equal(api_error_code(401), ERR_UNAUTHORIZED);
    assert_int_equal(api_error_code(403), ERR_UNAUTHORIZED);
    assert_int_equal(api_error_code(429), ERR_NETWORK);
    assert_int_equal(api_error_code(502), ERR_NETWORK);
    assert_int_equal(api_error_code(400), ERR_REFUSED);
    static const char body[] = "{\"errors\":[{\"code\":\"A\"},{\"code\":\"NAME_UNKNOWN\"}]}";
    assert_true(api_error_has_code(body, strlen(body), "NAME_UNKNOWN"));
    assert_false(api_error_has_code(body, strlen(body), "B"));
    assert_false(api_error_has_code("", 0, "B"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_become_one_clean_line),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(statuses_have_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
