/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/base64.h"
#include "tests/unit/test.h"

static void both_ways(void **state UNUSED)
{
    static const struct {
        const char *plain, *text;
    } cases[] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "\xff\xfe", "//4=" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT, plain = STRBUF_INIT;
        base64_encode(&text, cases[i].plain, strlen(cases[i].plain));
        assert_string_equal(text.data, cases[i].text);
        assert_true(base64_decode(&plain, cases[i].text));
        assert_string_equal(plain.data, cases[i].plain);
    }
}

static void damaged_text_is_refused_and_missing_padding_is_not(void **state UNUSED)
{
    static const char *const bad[] = { "Z", "Zg==x", "Zm9v!", "Zm9v Zm9v" };
    AUTO(strbuf_release) struct strbuf plain = STRBUF_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (base64_decode(&plain, bad[i]))
            fail_msg("%s", bad[i]);
    assert_int_equal(plain.size, 0);
    assert_true(base64_decode(&plain, " Zg\n"));
    assert_string_equal(plain.data, "f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways),
        cmocka_unit_test(damaged_text_is_refused_and_missing_padding_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
