/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "registry/headers.h"
#include "tests/unit/test.h"

static void add(struct headers *headers, const char *line)
{
    headers_add(headers, line, strlen(line));
}

static void fields_are_found_without_case_and_in_order(void **state UNUSED)
{
    AUTO(headers_release) struct headers headers = HEADERS_INIT;
    add(&headers, "Content-Length: 42\r\n");
    add(&headers, "X:one\r\n");
    add(&headers, "no field\r\n");
    add(&headers, "x :  two  \r\n");
    add(&headers, ": nothing\r\n");
    assert_string_equal(headers_get(&headers, "content-length", 0), "42");
    assert_string_equal(headers_get(&headers, "X", 0), "one");
    assert_string_equal(headers_get(&headers, "X", 1), "two");
    assert_null(headers_get(&headers, "X", 2));
    assert_null(headers_get(&headers, "Content", 0));
    uint64_t size = 0;
    assert_true(headers_get_uint64(&headers, "Content-Length", &size));
    assert_int_equal(size, 42);
    assert_false(headers_get_uint64(&headers, "X", &size));
}

static void content_ranges_are_checked(void **state UNUSED)
{
    static const struct {
        const char *value;
        bool valid;
        uint64_t first, last, total;
    } cases[] = {
        { "bytes 5-9/10", true, 5, 9, 10 },
        { "Bytes 0-0/1", true, 0, 0, 1 },
        { "bytes=5-9/10", true, 5, 9, 10 },
        { "bytes 5-9/*", true, 5, 9, UINT64_MAX },
        { "bytes 5-10/10", false, 0, 0, 0 },
        { "bytes 9-5/10", false, 0, 0, 0 },
        { "bytes */10", false, 0, 0, 0 },
        { "5-9/10", false, 0, 0, 0 },
        { "bytes 5-99999999999999999999/10", false, 0, 0, 0 },
        { "bytes 5-9/10x", false, 0, 0, 0 },
        { "", false, 0, 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(headers_release) struct headers headers = HEADERS_INIT;
        AUTO(free) char *line = xasprintf("Content-Range: %s", cases[i].value);
        add(&headers, line);
        uint64_t first = 0, last = 0, total = 0;
        bool valid = headers_content_range(&headers, &first, &last, &total);
        if (valid != cases[i].valid || first != cases[i].first || last != cases[i].last ||
            total != cases[i].total)
            fail_msg("%s", cases[i].value);
    }
}

static void upload_ranges_give_the_size(void **state UNUSED)
{
    static const struct {
        const char *value;
        bool valid;
        uint64_t size;
    } cases[] = {
        { "0-99", true, 100 }, { "bytes=0-99", true, 100 }, { "0-0", true, 0 },
        { "5-9", false, 0 },   { "0-x", false, 0 },         { "0-18446744073709551615", false, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(headers_release) struct headers headers = HEADERS_INIT;
        AUTO(free) char *line = xasprintf("Range: %s", cases[i].value);
        add(&headers, line);
        uint64_t size = 0;
        bool valid = headers_upload_range(&headers, &size);
        if (valid != cases[i].valid || size != cases[i].size)
            fail_msg("%s: %d, %llu", cases[i].value, valid, (unsigned long long)size);
    }
}

static void next_links_are_found(void **state UNUSED)
{
    static const struct {
        const char *value, *target;
    } cases[] = {
        { "</v2/a/tags/list?last=x&n=2>; rel=\"next\"", "/v2/a/tags/list?last=x&n=2" },
        { "<u>; rel=next", "u" },
        { "<u>;rel=\"prev next\"", "u" },
        { "<a>; rel=\"prev\", <b>; title=\"x; rel=next\"; rel=\"next\"", "b" },
        { "<a>; REL=\"NEXT\"", "a" },
        { "<a>; rel=\"nextish\"", NULL },
        { "<a>", NULL },
        { "<a; rel=next", NULL },
        { "", NULL },
        { "<u,v>; rel=next", "u,v" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(headers_release) struct headers headers = HEADERS_INIT;
        AUTO(free) char *line = xasprintf("Link: %s", cases[i].value);
        add(&headers, line);
        AUTO(free) char *target = headers_link_next(&headers);
        if ((target == NULL) != (cases[i].target == NULL))
            fail_msg("%s: %s", cases[i].value, target ? target : "(none)");
        if (target)
            assert_string_equal(target, cases[i].target);
    }
}

static void warnings_are_cleaned(void **state UNUSED)
{
    AUTO(headers_release) struct headers headers = HEADERS_INIT;
    add(&headers, "Warning: 199 - \"not ours\"");
    add(&headers, "Warning: 299 - \"old \\\"tag\\\"\x1b[31m\"");
    add(&headers, "Warning: 299 - \"second\"");
    AUTO(free) char *first = headers_warning(&headers, 0);
    AUTO(free) char *second = headers_warning(&headers, 1);
    assert_string_equal(first, "old \"tag\"[31m");
    assert_string_equal(second, "second");
    assert_null(headers_warning(&headers, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_without_case_and_in_order),
        cmocka_unit_test(content_ranges_are_checked),
        cmocka_unit_test(upload_ranges_give_the_size),
        cmocka_unit_test(next_links_are_found),
        cmocka_unit_test(warnings_are_cleaned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
