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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_and_format),
        cmocka_unit_test(cap_is_an_error_not_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
