/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/report.h"

#include "tests/unit/test.h"

#include <errno.h>
#include <limits.h>

static void reports_hold_text_and_errno(void **state)
{
    (void)state;
    struct report report = { 0 };
    errno = ENOENT;
    assert_int_equal(report_errno(&report, "mounting on", "a/b"), -1);
    assert_string_equal(report.text, "mounting on a/b");
    assert_int_equal(report.error, ENOENT);
    assert_int_equal(report_text(&report, "just text", NULL), -1);
    assert_string_equal(report.text, "just text");
    assert_int_equal(report.error, 0);
}

static void long_names_are_cut(void **state)
{
    (void)state;
    struct report report = { 0 };
    char name[5000];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    (void)report_errno(&report, "opening", name);
    assert_int_equal(strlen(report.text), strlen("opening ") + REPORT_TEXT_SIZE / 2);
}

static void text_that_does_not_fit_is_left_out(void **state)
{
    (void)state;
    char buf[8] = "";
    size_t used = 0;
    assert_true(text_append(buf, sizeof(buf), &used, "1234"));
    assert_false(text_append(buf, sizeof(buf), &used, "5678"));
    assert_true(text_append(buf, sizeof(buf), &used, "567"));
    assert_string_equal(buf, "1234567");
}

static void numbers_are_decimal(void **state)
{
    (void)state;
    char buf[TEXT_NUMBER_SIZE];
    assert_string_equal(text_number(buf, 0), "0");
    assert_string_equal(text_number(buf, 4711), "4711");
    assert_string_equal(text_number(buf, ULLONG_MAX), "18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_hold_text_and_errno),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(text_that_does_not_fit_is_left_out),
        cmocka_unit_test(numbers_are_decimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
