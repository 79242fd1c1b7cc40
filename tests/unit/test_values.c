/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/values.h"

#include "base/strbuf.h"
#include "tests/unit/test.h"

static void durations_are_gos(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t nanoseconds;
        const char *normal; /* NULL: refused */
    } cases[] = {
        { "0", 0, "0s" },
        { "5s", 5000000000, "5s" },
        { "30s", 30000000000, "30s" },
        { "1m30s", 90000000000, "1m30s" },
        { "5m", 300000000000, "5m0s" },
        { "1.5h", 5400000000000, "1h30m0s" },
        { "1h", 3600000000000, "1h0m0s" },
        { "500ms", 500000000, "500ms" },
        { ".5s", 500000000, "500ms" },
        { "1.s", 1000000000, "1s" },
        { "1.25s", 1250000000, "1.25s" },
        { "3us", 3000, "3\u00b5s" },
        { "1.5\u00b5s", 1500, "1.5\u00b5s" },
        { "7ns", 7, "7ns" },
        { "-2ms", -2000000, "-2ms" },
        { "+1s", 1000000000, "1s" },
        { "2562047h", 9223369200000000000, "2562047h0m0s" },
        { "", 0, NULL },
        { "5", 0, NULL },
        { "-", 0, NULL },
        { ".s", 0, NULL },
        { "5 s", 0, NULL },
        { "5x", 0, NULL },
        { "s", 0, NULL },
        { "2562048h", 0, NULL },
        { "99999999999999999999s", 0, NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t value = -1;
        struct error *err = NULL;
        int result = duration_parse(cases[i].text, &value, &err);
        if (!cases[i].normal) {
            assert_fails(result, err, ERR_SYNTAX, "is no duration");
            continue;
        }
        assert_ok(result, err);
        if (value != cases[i].nanoseconds)
            fail_msg("%s: %lld", cases[i].text, (long long)value);
        AUTO(free) char *normal = duration_format(value);
        assert_string_equal(normal, cases[i].normal);
    }
}

static void signals_have_names_and_numbers(void **state UNUSED)
{
    static const struct {
        const char *text;
        int number; /* 0: refused */
    } cases[] = {
        { "SIGTERM", 15 }, { "TERM", 15 },    { "sigquit", 3 },     { "9", 9 },
        { "64", 64 },      { "RTMIN", 34 },   { "SIGRTMIN+3", 37 }, { "RTMAX-2", 62 },
        { "0", 0 },        { "65", 0 },       { "SIGNOPE", 0 },     { "SIG", 0 },
        { "", 0 },         { "RTMIN+31", 0 }, { "RTMIN+", 0 },      { "15x", 0 },
        { "-1", 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int number = 0;
        struct error *err = NULL;
        int result = stop_signal_parse(cases[i].text, &number, &err);
        if (!cases[i].number) {
            assert_fails(result, err, ERR_SYNTAX, "is no signal");
            continue;
        }
        assert_ok(result, err);
        assert_int_equal(number, cases[i].number);
    }
}

static void ports_expand_to_single_ones(void **state UNUSED)
{
    static const struct {
        const char *word, *ports; /* NULL: refused */
    } cases[] = {
        { "80", "80/tcp" },
        { "443/TCP", "443/tcp" },
        { "53/udp", "53/udp" },
        { "7/sctp", "7/sctp" },
        { "8000-8002/Udp", "8000/udp 8001/udp 8002/udp" },
        { "8000-8000", "8000/tcp" },
        { "0", "0/tcp" },
        { "65535", "65535/tcp" },
        { "127.0.0.1:80:8080/tcp", "8080/tcp" },
        { "80:8080-8081", "8080/tcp 8081/tcp" },
        { "65536", NULL },
        { "port", NULL },
        { "", NULL },
        { "80/", NULL },
        { "80/icmp", NULL },
        { "81-80", NULL },
        { "80-", NULL },
        { "80x", NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strvec_release) struct strvec ports = STRVEC_INIT;
        AUTO(strbuf_release) struct strbuf joined = STRBUF_INIT;
        struct error *err = NULL;
        int result = expose_parse(cases[i].word, &ports, &err);
        if (!cases[i].ports) {
            assert_fails(result, err, ERR_SYNTAX, "is no port");
            assert_int_equal(ports.n, 0);
            continue;
        }
        assert_ok(result, err);
        for (size_t j = 0; j < ports.n; j++)
            strbuf_addf(&joined, "%s%s", j ? " " : "", ports.items[j]);
        assert_string_equal(joined.data, cases[i].ports);
    }
}

static void sizes_take_binary_units(void **state UNUSED)
{
    static const struct {
        const char *text;
        uint64_t size;
        bool is_good;
    } cases[] = {
        { "0", 0, true },
        { "4096", 4096, true },
        { "1k", 1024, true },
        { "64m", 67108864, true },
        { "1GiB", 1073741824, true },
        { "1.5 kb", 1536, true },
        { "12b", 12, true },
        { "2TB", 2199023255552, true },
        { "", 0, false },
        { "x", 0, false },
        { "1x", 0, false },
        { "-1", 0, false },
        { "9999999999999p", 0, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t size = 1;
        struct error *err = NULL;
        int result = size_parse(cases[i].text, &size, &err);
        if (!cases[i].is_good) {
            assert_fails(result, err, ERR_SYNTAX, "is no size");
            continue;
        }
        assert_ok(result, err);
        if (size != cases[i].size)
            fail_msg("%s: %llu", cases[i].text, (unsigned long long)size);
    }
}

static void booleans_are_gos(void **state UNUSED)
{
    bool value = false;
    struct error *err = NULL;
    assert_ok(bool_parse("T", &value, &err), err);
    assert_true(value);
    assert_ok(bool_parse("0", &value, &err), err);
    assert_false(value);
    assert_fails(bool_parse("yes", &value, &err), err, ERR_SYNTAX, "neither true nor false");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_gos),
        cmocka_unit_test(signals_have_names_and_numbers),
        cmocka_unit_test(ports_expand_to_single_ones),
        cmocka_unit_test(sizes_take_binary_units),
        cmocka_unit_test(booleans_are_gos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
