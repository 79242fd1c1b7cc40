/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "tests/unit/test.h"

#include <time.h>

static void rfc3339_both_ways(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t seconds;
        uint32_t nanoseconds;
        const char *again; /* NULL: as text */
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0, 0, NULL },
        { "2024-01-02T03:04:05Z", 1704164645, 0, NULL },
        { "2024-02-29T23:59:59Z", 1709251199, 0, NULL },
        { "0001-01-01T00:00:00Z", -62135596800, 0, NULL }, /* Go's zero time */
        { "0000-01-01T00:00:00Z", -62167219200, 0, NULL },
        { "9999-12-31T23:59:59Z", 253402300799, 0, NULL },
        { "1969-12-31T23:59:59Z", -1, 0, NULL },
        { "1900-03-01T00:00:00Z", -2203891200, 0, NULL },
        { "2024-01-02T03:04:05.123456789Z", 1704164645, 123456789, NULL },
        { "2024-01-02T03:04:05.5Z", 1704164645, 500000000, NULL },
        { "2024-01-02T03:04:05.000000001Z", 1704164645, 1, NULL },
        { "2024-01-02T03:04:05.1234567899Z", 1704164645, 123456789,
          "2024-01-02T03:04:05.123456789Z" },
        { "2024-01-02T03:04:05.000Z", 1704164645, 0, "2024-01-02T03:04:05Z" },
        { "2024-01-02T03:04:05+02:00", 1704157445, 0, "2024-01-02T01:04:05Z" },
        { "2024-01-02T03:04:05.25-05:30", 1704184445, 250000000, "2024-01-02T08:34:05.25Z" },
        { "2024-01-02t03:04:05z", 1704164645, 0, "2024-01-02T03:04:05Z" },
        { "2016-12-31T23:59:60Z", 1483228800, 0, "2017-01-01T00:00:00Z" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        int64_t seconds = 0;
        uint32_t nanoseconds = 0;
        char text[CLOCK_TEXT_SIZE];
        assert_ok(clock_parse(cases[i].text, &seconds, &nanoseconds, &err), err);
        assert_int_equal(seconds, cases[i].seconds);
        assert_int_equal(nanoseconds, cases[i].nanoseconds);
        clock_format_ns(seconds, nanoseconds, text);
        assert_string_equal(text, cases[i].again ? cases[i].again : cases[i].text);
    }
}

static void bad_times_are_refused(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "2024",
        "2024-01-02",
        "2024-01-02T03:04:05",
        "2024-01-02 03:04:05Z",
        "2024-13-02T03:04:05Z",
        "2024-00-02T03:04:05Z",
        "2023-02-29T03:04:05Z",
        "1900-02-29T03:04:05Z",
        "2024-04-31T03:04:05Z",
        "2024-01-02T24:04:05Z",
        "2024-01-02T03:60:05Z",
        "2024-01-02T03:04:61Z",
        "2024-01-02T03:04:05.Z",
        "2024-01-02T03:04:05Zx",
        "2024-01-02T03:04:05+2:00",
        "2024-01-02T03:04:05+0200",
        "2024-01-02T03:04:05+24:00",
        "2024-01-02T03:04:05X",
        "-024-01-02T03:04:05Z",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error *err = NULL;
        int64_t seconds = 42;
        assert_fails(clock_parse(bad[i], &seconds, NULL, &err), err, ERR_INVALID, "RFC 3339");
        assert_int_equal(seconds, 42);
    }
}

static void calendar_agrees_with_libc(void **state UNUSED)
{
    for (int64_t seconds = -70000000000; seconds < 250000000000; seconds += 98765432109 / 997) {
        char text[CLOCK_TEXT_SIZE], expected[CLOCK_TEXT_SIZE];
        time_t t = (time_t)seconds;
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        if (tm.tm_year + 1900 < 0)
            continue;
        (void)snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02dZ",
                       (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                       tm.tm_min, tm.tm_sec);
        clock_format(seconds, text);
        assert_string_equal(text, expected);
    }
}

static void out_of_range_is_clamped(void **state UNUSED)
{
    char text[CLOCK_TEXT_SIZE];
    clock_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    clock_format(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00Z");
}

static void http_dates_in_three_forms(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
        { "Sun Nov  6 08:49:37 1994", 784111777 },
        { "Wed Nov 16 08:49:37 1994", 784975777 },
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
        { "Tuesday, 01-Jan-30 00:00:00 GMT", 1893456000 },
    };
    struct error *err = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t seconds = 0;
        assert_ok(clock_parse_http(cases[i].text, &seconds, &err), err);
        assert_int_equal(seconds, cases[i].seconds);
    }
    static const char *const bad[] = { "",
                                       "120",
                                       "Sun, 06 Nov 1994 08:49:37 CET",
                                       "Sun, 6 Nov 1994 08:49:37 GMT",
                                       "Xyz, 06 Nov 1994 08:49:37 GMT",
                                       "Sun, 31 Nov 1994 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994 " };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        int64_t seconds;
        assert_fails(clock_parse_http(bad[i], &seconds, &err), err, ERR_INVALID,
                     "not an HTTP date");
    }
}

static void epoch_is_digits(void **state UNUSED)
{
    struct error *err = NULL;
    int64_t seconds = -1;
    assert_ok(clock_parse_epoch("0", &seconds, &err), err);
    assert_int_equal(seconds, 0);
    assert_ok(clock_parse_epoch("1704164645", &seconds, &err), err);
    assert_int_equal(seconds, 1704164645);
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "1.5", "0x10", "now", "253402300800", "99999999999999999999999"
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_fails(clock_parse_epoch(bad[i], &seconds, &err), err, ERR_INVALID, "\"");
    assert_int_equal(seconds, 1704164645);
}

static void clocks_run(void **state UNUSED)
{
    uint64_t start = clock_monotonic_ms();
    assert_true(clock_now() > 1700000000);
    assert_true(clock_now_ns() / 1000000000 - clock_now() <= 1);
    assert_true(clock_monotonic_ms() >= start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3339_both_ways),
        cmocka_unit_test(bad_times_are_refused),
        cmocka_unit_test(calendar_agrees_with_libc),
        cmocka_unit_test(out_of_range_is_clamped),
        cmocka_unit_test(http_dates_in_three_forms),
        cmocka_unit_test(epoch_is_digits),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
