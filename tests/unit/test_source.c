/* SPDX-License-Identifier: Apache-2.0 */
#include "base/source.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <sys/mman.h>

static int memory_file(const char *content)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    size_t size = strlen(content);
    assert_int_equal(write(fd, content, size), (ssize_t)size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void memory_is_read_to_its_end(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(source_free) struct source *source = source_memory_new("abcdef", 6);
    char data[4];
    assert_int_equal(source_read(source, data, 4, &err), 4);
    assert_int_equal(source_read_full(source, data, 4, &err), 2);
    assert_memory_equal(data, "ef", 2);
    assert_int_equal(source_read(source, data, 4, &err), 0);
}

static void ranges_share_one_descriptor(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(close) int fd = memory_file("0123456789");
    AUTO(source_free) struct source *a = source_range_new(fd, 2, 3, "blob");
    AUTO(source_free) struct source *b = source_range_new(fd, 8, 5, "blob");
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    char data[8];
    assert_int_equal(source_read(b, data, 1, &err), 1);
    assert_ok(source_read_all(a, &buf, 10, &err), err);
    assert_string_equal(buf.data, "234");
    assert_int_equal(source_read(b, data, 8, &err), 1);
    assert_fails(source_read(b, data, 8, &err), err, ERR_IO, "reading blob: ends 3 bytes early");
}

static void limit_allows_exactly_max(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(source_free)
    struct source *fits = source_limit_new(source_memory_new("abcd", 4), 4, "config");
    assert_ok(source_read_all(fits, &buf, 100, &err), err);
    assert_string_equal(buf.data, "abcd");
    AUTO(source_free)
    struct source *over = source_limit_new(source_memory_new("abcde", 5), 4, "config");
    assert_fails(source_read_all(over, &buf, 100, &err), err, ERR_LIMIT,
                 "config: more than 4 bytes");
    assert_string_equal(buf.data, "abcd");
}

static void read_all_holds_its_limit(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(source_free) struct source *source = source_memory_new("abcde", 5);
    assert_fails(source_read_all(source, &buf, 4, &err), err, ERR_LIMIT, "more than 4 bytes");
    assert_int_equal(buf.size, 0);
}

static void pump_moves_everything(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(close) int fd = memory_file("");
    assert_int_equal(ftruncate(fd, 300000), 0);
    uint64_t counted, moved = 0;
    AUTO(source_free) struct source *source = source_fd_new(dup(fd), true, "f");
    AUTO(sink_free) struct sink *sink = sink_null_new(&counted);
    assert_ok(source_pump(source, sink, &moved, &err), err);
    assert_int_equal(moved, 300000);
    assert_int_equal(counted, 300000);
}

static void pump_passes_on_errors_of_both_sides(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(source_free) struct source *bad = source_fd_new(-1, false, "blob");
    AUTO(sink_free) struct sink *sink = sink_limit_new(sink_null_new(NULL), 1, "out");
    assert_fails(source_pump(bad, sink, NULL, &err), err, ERR_IO, "reading blob");
    AUTO(source_free) struct source *good = source_memory_new("ab", 2);
    assert_fails(source_pump(good, sink, NULL, &err), err, ERR_LIMIT, "out: more than 1 bytes");
    source_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_read_to_its_end),
        cmocka_unit_test(ranges_share_one_descriptor),
        cmocka_unit_test(limit_allows_exactly_max),
        cmocka_unit_test(read_all_holds_its_limit),
        cmocka_unit_test(pump_moves_everything),
        cmocka_unit_test(pump_passes_on_errors_of_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
