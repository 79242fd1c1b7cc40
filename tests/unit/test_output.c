/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/output.h"

#include "base/mem.h"
#include "tests/unit/test.h"

/* What was delivered: "o[text]" or "e[text]" per call. */
static void record(void *data, const void *bytes, size_t size, bool error_stream)
{
    struct strbuf *calls = data;
    strbuf_addf(calls, "%c[%.*s]", error_stream ? 'e' : 'o', (int)size, (const char *)bytes);
}

static void add(struct output *output, bool error_stream, const char *text, uint64_t now_ms)
{
    output_add(output, error_stream, text, strlen(text), now_ms);
}

static void lines_are_delivered_whole(void **state)
{
    (void)state;
    AUTO(strbuf_release) struct strbuf calls = STRBUF_INIT;
    AUTO(output_release) struct output output;
    output_init(&output, record, &calls);
    add(&output, false, "one\ntwo\nth", 0);
    add(&output, true, "err", 1);
    add(&output, false, "ree\n", 2);
    add(&output, true, "or\nx", 3);
    assert_string_equal(calls.data, "o[one\ntwo\n]o[three\n]e[error\n]");
    output_finish(&output);
    assert_string_equal(calls.data, "o[one\ntwo\n]o[three\n]e[error\n]e[x]");
}

static void slow_lines_are_delivered_in_parts(void **state)
{
    (void)state;
    AUTO(strbuf_release) struct strbuf calls = STRBUF_INIT;
    AUTO(output_release) struct output output;
    output_init(&output, record, &calls);
    assert_int_equal(output_wait_ms(&output, 1000), -1);
    add(&output, false, "Password: ", 1000);
    assert_int_equal(output_wait_ms(&output, 1100), OUTPUT_SLOW_MS - 100);
    output_tick(&output, 1000 + OUTPUT_SLOW_MS - 1);
    assert_string_equal(calls.data, "");
    output_tick(&output, 1000 + OUTPUT_SLOW_MS);
    assert_string_equal(calls.data, "o[Password: ]");
    assert_int_equal(output_wait_ms(&output, 5000), -1);
}

static void long_lines_are_never_clipped(void **state)
{
    (void)state;
    AUTO(strbuf_release) struct strbuf calls = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf joined = STRBUF_INIT;
    AUTO(output_release) struct output output;
    output_init(&output, record, &calls);
    const size_t size = 3 * OUTPUT_MAX_LINE + 17;
    AUTO(free) char *line = xmalloc(size + 1);
    memset(line, 'x', size);
    line[size] = '\0';
    for (size_t at = 0; at < size; at += 1000)
        output_add(&output, false, line + at, size - at < 1000 ? size - at : 1000, 0);
    output_finish(&output);
    for (const char *at = calls.data; *at; at++)
        if (*at == 'x')
            strbuf_addc(&joined, 'x');
    assert_int_equal(joined.size, size);
    for (int i = 0; i < 2; i++)
        assert_true(output.streams[i].pending.capacity < 4 * OUTPUT_MAX_LINE);
}

static void tail_keeps_the_last_lines(void **state)
{
    (void)state;
    AUTO(output_release) struct output output;
    output_init(&output, NULL, NULL);
    for (int i = 0; i < 1000; i++) {
        AUTO(free) char *line = xasprintf("line %d\n", i);
        add(&output, i % 2, line, 0);
    }
    output_finish(&output);
    AUTO(free) char *tail = output_take_tail(&output);
    assert_true(!strncmp(tail, "line 936\n", 9));
    assert_true(strstr(tail, "line 999\n"));
}

static void tail_is_bounded_in_size(void **state)
{
    (void)state;
    AUTO(output_release) struct output output;
    output_init(&output, NULL, NULL);
    AUTO(free) char *line = xmalloc(1001);
    memset(line, 'y', 999);
    line[999] = '\n';
    line[1000] = '\0';
    for (int i = 0; i < 100; i++)
        add(&output, false, line, 0);
    AUTO(free) char *tail = output_take_tail(&output);
    assert_true(strlen(tail) <= OUTPUT_TAIL_SIZE);
    assert_int_equal(strlen(tail), 8000);
}

static void tail_of_silence_is_empty(void **state)
{
    (void)state;
    AUTO(output_release) struct output output;
    output_init(&output, NULL, NULL);
    AUTO(free) char *tail = output_take_tail(&output);
    assert_string_equal(tail, "");
    add(&output, false, "no newline", 0);
    output_finish(&output);
    AUTO(free) char *text = output_take_tail(&output);
    assert_string_equal(text, "no newline");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_delivered_whole),
        cmocka_unit_test(slow_lines_are_delivered_in_parts),
        cmocka_unit_test(long_lines_are_never_clipped),
        cmocka_unit_test(tail_keeps_the_last_lines),
        cmocka_unit_test(tail_is_bounded_in_size),
        cmocka_unit_test(tail_of_silence_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
