/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sink.h"
#include "tests/unit/test.h"

#include <fcntl.h>

static void tee_feeds_both_and_null_counts(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    uint64_t size = 99;
    AUTO(sink_free) struct sink *sink = sink_tee_new(sink_strbuf_new(&buf), sink_null_new(&size));
    assert_ok(sink_write(sink, "abc", 3, &err), err);
    assert_ok(sink_write(sink, "", 0, &err), err);
    assert_ok(sink_write(sink, "de", 2, &err), err);
    assert_ok(sink_finish(sink, &err), err);
    assert_string_equal(buf.data, "abcde");
    assert_int_equal(size, 5);
}

static void limit_passes_max_and_no_more(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(sink_free) struct sink *sink = sink_limit_new(sink_strbuf_new(&buf), 4, "manifest");
    assert_ok(sink_write(sink, "abcd", 4, &err), err);
    assert_fails(sink_write(sink, "e", 1, &err), err, ERR_LIMIT, "manifest: more than 4 bytes");
    assert_string_equal(buf.data, "abcd");
}

static void capped_buffer_refuses(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT_CAPPED(2);
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(&buf);
    assert_fails(sink_write(sink, "abc", 3, &err), err, ERR_LIMIT, "more than 2 bytes");
}

static void fd_sink_reports_a_full_device(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(close) int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    AUTO(sink_free) struct sink *sink = sink_fd_new(fd, "out.tar");
    assert_fails(sink_write(sink, "abc", 3, &err), err, ERR_NO_SPACE, "writing out.tar");
}

static void borrowed_sink_outlives_its_view(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(&buf);
    struct sink *view = sink_borrow_new(sink);
    assert_ok(sink_write(view, "a", 1, &err), err);
    assert_ok(sink_finish(view, &err), err);
    sink_free(view);
    assert_ok(sink_write(sink, "b", 1, &err), err);
    assert_string_equal(buf.data, "ab");
    sink_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tee_feeds_both_and_null_counts),
        cmocka_unit_test(limit_passes_max_and_no_more),
        cmocka_unit_test(capped_buffer_refuses),
        cmocka_unit_test(fd_sink_reports_a_full_device),
        cmocka_unit_test(borrowed_sink_outlives_its_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
