/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/form_files.h"

#include "base/pool.h"
#include "base/strvec.h"
#include "tests/unit/temp_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANY = 130, PIECE = 100000 };

static struct form_files *new_files(void)
{
    const struct rights rights = rights_now();
    return form_files_new(&rights, 0);
}

/* Sizes on all sides of what is handed over, cut, and written by the caller itself. */
static uint64_t size_of(unsigned i)
{
    static const uint64_t sizes[] = { 0, 1, 5000, 70000, 3, 300000, 0, 4096, 20000, 1000000 };
    return sizes[i % ARRAY_SIZE(sizes)] + i % 7;
}

/* Every third file is zeros at first. */
static uint8_t byte_of(unsigned i, uint64_t at)
{
    return i % 3 == 0 && at < 65536 ? 0 : (uint8_t)(i + at % 251 + 1);
}

static int make(struct temp_dir *dir, const char *name, int flags)
{
    int fd = openat(dir->fd, name, flags | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static int give(struct form_files *files, unsigned i, struct error **err)
{
    static uint8_t piece[PIECE];
    uint64_t size = size_of(i);
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;
        for (size_t k = 0; k < n; k++)
            piece[k] = byte_of(i, at + k);
        if (form_files_data(files, piece, n, err) < 0)
            return -1;
        at += n;
    }
    return form_files_end(files, err);
}

static void write_one(struct temp_dir *dir, struct form_files *files, unsigned i)
{
    struct error *err = NULL;
    AUTO(free) char *name = xasprintf("%u", i);
    const struct entry entry = {
        .path = name, .mode = 0640, .size = size_of(i), .mtime = 1000 + i, .uid = i, .gid = 7
    };
    AUTO(close) int fd = make(dir, name, O_WRONLY);
    form_files_begin(files, &fd, &entry);
    assert_int_equal(fd, -1);
    assert_ok(give(files, i, &err), err);
}

static void check_one(struct temp_dir *dir, unsigned i)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf content = STRBUF_INIT;
    AUTO(free) char *name = xasprintf("%u", i);
    struct stat st;
    assert_int_equal(fstatat(dir->fd, name, &st, 0), 0);
    assert_int_equal(st.st_size, size_of(i));
    assert_int_equal(st.st_mtim.tv_sec, 1000 + i);
    if (geteuid() == 0 && !rights_now().single) {
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(st.st_uid, i);
        assert_int_equal(st.st_gid, 7);
    }
    assert_ok(fs_read_file(dir->fd, name, &content, 2000000, &err), err);
    for (uint64_t at = 0; at < content.size; at++)
        if ((uint8_t)content.data[at] != byte_of(i, at))
            fail_msg("file %u differs at %llu", i, (unsigned long long)at);
}

static size_t count(const char *folder)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list(AT_FDCWD, folder, &names, &err), err);
    return names.n;
}

static void files_are_complete_when_all_is_settled(void **state)
{
    struct error *err = NULL;
    size_t n_open = count("/proc/self/fd");
    AUTO(form_files_free) struct form_files *files = new_files();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MANY; i++)
            write_one(*state, files, round * MANY + i);
        assert_ok(form_files_settle(files, &err), err);
        assert_int_equal(count("/proc/self/fd"), n_open);
        for (unsigned i = 0; i < MANY; i++)
            check_one(*state, round * MANY + i);
    }
}

static void many_files_have_a_second_thread(void **state)
{
    struct error *err = NULL;
    size_t n_threads = count("/proc/self/task");
    AUTO(form_files_free) struct form_files *files = new_files();
    for (unsigned i = 0; i < 10; i++)
        write_one(*state, files, i);
    assert_int_equal(count("/proc/self/task"), n_threads);
    for (unsigned i = 10; i < MANY; i++)
        write_one(*state, files, i);
    assert_int_equal(count("/proc/self/task") > n_threads, pool_n_cpus() > 1);
    assert_ok(form_files_settle(files, &err), err);
}

/* Four of them fill the ring to its last byte, the next lies at its begin again. */
static void files_that_end_where_the_ring_ends_are_complete(void **state)
{
    enum { N_SMALL = 32, N = N_SMALL + 16, SIZE = 256 << 10 };
    static uint8_t content[SIZE];
    struct error *err = NULL;
    AUTO(form_files_free) struct form_files *files = new_files();
    for (unsigned i = 0; i < N; i++) {
        AUTO(free) char *name = xasprintf("%u", i);
        const struct entry entry = { .path = name, .size = i < N_SMALL ? 0 : SIZE };
        AUTO(close) int fd = make(*state, name, O_RDWR);
        form_files_begin(files, &fd, &entry);
        memset(content, (int)i, SIZE);
        assert_ok(form_files_data(files, content, entry.size, &err), err);
        assert_ok(form_files_end(files, &err), err);
    }
    assert_ok(form_files_settle(files, &err), err);
    for (unsigned i = N_SMALL; i < N; i++) {
        struct temp_dir *dir = *state;
        AUTO(strbuf_release) struct strbuf there = STRBUF_INIT;
        AUTO(free) char *name = xasprintf("%u", i);
        assert_ok(fs_read_file(dir->fd, name, &there, SIZE, &err), err);
        memset(content, (int)i, SIZE);
        assert_int_equal(there.size, SIZE);
        assert_memory_equal(there.data, content, SIZE);
    }
}

static void sizes_are_held_to_by_either_thread(void **state)
{
    char path[] = "file";
    for (unsigned n_before = 0; n_before <= MANY; n_before += MANY) {
        struct error *err = NULL;
        AUTO(form_files_free) struct form_files *files = new_files();
        for (unsigned i = 0; i < n_before; i++)
            write_one(*state, files, i);
        AUTO(close) int fd = make(*state, n_before ? "a" : "b", O_WRONLY);
        const struct entry entry = { .path = path, .mode = 0600, .size = 3 };
        form_files_begin(files, &fd, &entry);
        assert_fails(form_files_data(files, "1234", 4, &err), err, ERR_INVALID, "more than the 3");
        assert_ok(form_files_data(files, "12", 2, &err), err);
        assert_fails(form_files_end(files, &err), err, ERR_INVALID, "file: 2 bytes where 3");
    }
}

/* One that can't be written to, among many. */
static void failures_of_the_second_thread_are_told(void **state)
{
    struct error *err = NULL;
    char path[] = "read-only";
    size_t n_open = count("/proc/self/fd");
    struct form_files *files = new_files();
    for (unsigned i = 0; i < MANY; i++)
        write_one(*state, files, i);
    AUTO(close) int fd = make(*state, path, O_RDONLY);
    const struct entry entry = { .path = path, .mode = 0600, .size = 3 };
    form_files_begin(files, &fd, &entry);
    int result = form_files_data(files, "123", 3, &err);
    for (unsigned i = 0; result == 0 && i < 5; i++) {
        result = form_files_end(files, &err);
        AUTO(free) char *name = xasprintf("after-%u", i);
        AUTO(close) int next = make(*state, name, O_WRONLY);
        if (result == 0) {
            form_files_begin(files, &next, &entry);
            result = form_files_data(files, "123", 3, &err);
        }
    }
    if (result == 0)
        result = form_files_settle(files, &err);
    assert_fails(result, err, ERR_IO, "read-only");
    form_files_free(files);
    assert_int_equal(count("/proc/self/fd"), n_open + (fd >= 0));
}

/* Several layers may be made at once, each with files that wait for a thread: here one that hangs.
 */
static void few_files_wait_where_few_may_be_open(void **state)
{
    enum { LIMIT = 80 };
    static const uint8_t byte[1];
    struct error *err = NULL;
    struct rlimit before;
    int ends[2];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = { LIMIT, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (pool_n_cpus() > 1 && write(ends[1], byte, 1) == 1)
        ;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    struct form_files *files = new_files();
    size_t n_open = count("/proc/self/fd");
    for (unsigned i = 0; i < MANY; i++) {
        AUTO(free) char *name = xasprintf("%u", i);
        const struct entry entry = { .path = name, .mode = 0600, .size = 1 };
        AUTO(close) int fd = i == 32 ? ends[1] : make(*state, name, O_WRONLY);
        form_files_begin(files, &fd, &entry);
        assert_ok(form_files_data(files, byte, 1, &err), err);
        assert_ok(form_files_end(files, &err), err);
        assert_true(count("/proc/self/fd") <= n_open + LIMIT / 4);
    }
    while (read(ends[0], (uint8_t[4096]){ 0 }, 4096) > 0)
        ;
    assert_ok(form_files_settle(files, &err), err);
    form_files_free(files);
    (void)close(ends[0]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void what_is_given_up_is_closed(void **state)
{
    struct error *err = NULL;
    char path[] = "file";
    size_t n_open = count("/proc/self/fd");
    struct form_files *files = new_files();
    for (unsigned i = 0; i < MANY; i++)
        write_one(*state, files, i);
    AUTO(close) int fd = make(*state, path, O_WRONLY);
    const struct entry entry = { .path = path, .mode = 0600, .size = 3 };
    form_files_begin(files, &fd, &entry);
    assert_ok(form_files_data(files, "12", 2, &err), err);
    form_files_free(files);
    assert_int_equal(count("/proc/self/fd"), n_open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first, since a thread that was joined may be listed for a moment */
        TEMP_DIR_TEST(many_files_have_a_second_thread),
        TEMP_DIR_TEST(files_are_complete_when_all_is_settled),
        TEMP_DIR_TEST(files_that_end_where_the_ring_ends_are_complete),
        TEMP_DIR_TEST(sizes_are_held_to_by_either_thread),
        TEMP_DIR_TEST(failures_of_the_second_thread_are_told),
        TEMP_DIR_TEST(few_files_wait_where_few_may_be_open),
        TEMP_DIR_TEST(what_is_given_up_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
