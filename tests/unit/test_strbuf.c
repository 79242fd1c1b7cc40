/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "tests/unit/test.h"

static void add_and_format(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    assert_string_equal(buf.data, "");
    strbuf_adds(&buf, "a");
    strbuf_addf(&buf, "%d-%s", 12, "bc");
    assert_string_equal(buf.data, "a12-bc");
    strbuf_insert(&buf, 1, "XY", 2);
    strbuf_remove(&buf, 0, 1);
    assert_string_equal(buf.data, "XY12-bc");
    AUTO(free) char *text = strbuf_detach(&buf);
    assert_string_equal(text, "XY12-bc");
    assert_int_equal(buf.size, 0);
}

static void cap_is_an_error_not_growth(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT_CAPPED(4);
    struct error *err = NULL;
    assert_ok(strbuf_add_capped(&buf, "abcd", 4, &err), err);
    assert_fails(strbuf_add_capped(&buf, "e", 1, &err), err, ERR_LIMIT, "more than 4 bytes");
    assert_string_equal(buf.data, "abcd");
}

static void json_strings_are_escaped(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    strbuf_add_json_string(&buf, "a\"b\\c\n\t\x01/\xc3\xa9");
    assert_string_equal(buf.data, "\"a\\\"b\\\\c\\n\\t\\u0001/\xc3\xa9\"");
}

static void printable_text_moves_no_cursor(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    strbuf_add_printable(&buf, "a\n\tb\r\x1b[2J\x7f \xc2\x9b"
                               "31m \xc2\xa0\xc3\xa9\xc2");
    assert_string_equal(buf.data, "a\n\tb??[2J? ?31m \xc2\xa0\xc3\xa9\xc2");
}

static void trimming_and_reuse(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    strbuf_rtrim(&buf);
    strbuf_reset(&buf);
    strbuf_add(&buf, "", 0);
    strbuf_remove(&buf, 0, 0);
    strbuf_insert(&buf, 0, "", 0);
    assert_string_equal(buf.data, "");
    strbuf_adds(&buf, " a b \t\r\n ");
    strbuf_rtrim(&buf);
    assert_string_equal(buf.data, " a b");
    for (int i = 0; i < 10000; i++)
        strbuf_addc(&buf, 'x');
    assert_int_equal(buf.size, 10004);
    assert_int_equal(strlen(buf.data), 10004);
    strbuf_release(&buf);
    strbuf_adds(&buf, "again");
    assert_string_equal(buf.data, "again");
    strbuf_release(&buf);
    AUTO(free) char *empty = strbuf_detach(&buf);
    assert_string_equal(empty, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_and_format),
        cmocka_unit_test(cap_is_an_error_not_growth),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(printable_text_moves_no_cursor),
        cmocka_unit_test(trimming_and_reuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
