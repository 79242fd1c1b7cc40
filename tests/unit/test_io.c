/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

static int memory_file(const char *content)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    size_t size = strlen(content);
    assert_int_equal(write(fd, content, size), (ssize_t)size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void read_full_stops_only_at_the_end(void **state UNUSED)
{
    struct error *err = NULL;
    char data[8] = "";
    AUTO(close) int fd = memory_file("hello");
    assert_int_equal(io_read_full(fd, data, 3, "f", &err), 3);
    assert_int_equal(io_read_full(fd, data, 8, "f", &err), 2);
    assert_int_equal(io_read_full(fd, data, 8, "f", &err), 0);
    assert_int_equal(io_pread_full(fd, data, 2, 3, "f", &err), 2);
    assert_memory_equal(data, "lo", 2);
    assert_int_equal(io_pread_full(fd, data, 2, 99, "f", &err), 0);
    assert_null(err);
}

static void bad_descriptors_are_named(void **state UNUSED)
{
    struct error *err = NULL;
    char c;
    int bad = -1;
    assert_fails(io_read_full(-1, &c, 1, "the file", &err), err, ERR_IO,
                 "reading the file: Bad file descriptor");
    assert_fails(io_pread_full(-1, &c, 1, 0, "the file", &err), err, ERR_IO, "reading the file");
    assert_fails(io_pread_full(0, &c, 1, UINT64_MAX, "the file", &err), err, ERR_IO,
                 "reading the file: Value too large");
    assert_fails(io_write_full(-1, &c, 1, "the file", &err), err, ERR_IO, "writing the file");
    assert_fails(io_dup(-1, &err), err, ERR_IO, "duplicating a file descriptor");
    assert_ok(io_close(&bad, "none", &err), err);
}

static void full_device_is_no_space(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(close) int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_fails(io_write_full(fd, "x", 1, "/dev/full", &err), err, ERR_NO_SPACE,
                 "writing /dev/full: No space left on device");
}

static void read_all_holds_its_limit(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(close) int fd = memory_file("hello");
    strbuf_adds(&buf, ">");
    assert_ok(io_read_all(fd, &buf, 5, "f", &err), err);
    assert_string_equal(buf.data, ">hello");
    lseek(fd, 0, SEEK_SET);
    assert_fails(io_read_all(fd, &buf, 4, "f", &err), err, ERR_LIMIT,
                 "reading f: more than 4 bytes");
    assert_string_equal(buf.data, ">hello");
    lseek(fd, 0, SEEK_SET);
    assert_ok(io_read_all(fd, &buf, SIZE_MAX, "f", &err), err);
    assert_string_equal(buf.data, ">hellohello");
}

static void read_all_of_a_large_file(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(close) int fd = memory_file("start");
    assert_int_equal(ftruncate(fd, 5000000), 0);
    assert_ok(io_read_all(fd, &buf, 5000000, "f", &err), err);
    assert_int_equal(buf.size, 5000000);
    lseek(fd, 0, SEEK_SET);
    assert_fails(io_read_all(fd, &buf, 4999999, "f", &err), err, ERR_LIMIT, "more than 4999999");
}

static void copy_moves_exactly_size(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(close) int in = memory_file("hello world");
    AUTO(close) int out = memory_file("");
    assert_ok(io_copy(in, out, 5, "f", &err), err);
    assert_int_equal(lseek(in, 0, SEEK_CUR), 5);
    assert_int_equal(lseek(out, 0, SEEK_CUR), 5);
    assert_fails(io_copy(in, out, 9, "f", &err), err, ERR_IO, "reading f: ends 3 bytes early");
}

static void copy_from_a_pipe_falls_back(void **state UNUSED)
{
    struct error *err = NULL;
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    AUTO(close) int in = pipes[0];
    AUTO(close) int out = memory_file("");
    assert_int_equal(write(pipes[1], "abc", 3), 3);
    assert_ok(io_close(&pipes[1], "pipe", &err), err);
    assert_int_equal(pipes[1], -1);
    assert_ok(io_copy(in, out, 3, "pipe", &err), err);
    char data[4] = "";
    assert_int_equal(io_pread_full(out, data, 3, 0, "f", &err), 3);
    assert_string_equal(data, "abc");
}

static void dup_is_closed_on_exec(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(close) int fd = memory_file("x");
    AUTO(close) int copy = io_dup(fd, &err);
    assert_ok(copy, err);
    assert_true(copy > 2);
    assert_int_equal(fcntl(copy, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_full_stops_only_at_the_end),
        cmocka_unit_test(bad_descriptors_are_named),
        cmocka_unit_test(full_device_is_no_space),
        cmocka_unit_test(read_all_holds_its_limit),
        cmocka_unit_test(read_all_of_a_large_file),
        cmocka_unit_test(copy_moves_exactly_size),
        cmocka_unit_test(copy_from_a_pipe_falls_back),
        cmocka_unit_test(dup_is_closed_on_exec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
