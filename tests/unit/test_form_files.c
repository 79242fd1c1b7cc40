/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/form_files.h"

#include "base/pool.h"
#include "base/strvec.h"
#include "tests/unit/temp_dir.h"
#include "tests/unit/threads.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
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
    size_t n_threads = count_threads_at_rest();
    AUTO(form_files_free) struct form_files *files = new_files();
    for (unsigned i = 0; i < 10; i++)
        write_one(*state, files, i);
    assert_int_equal(count_threads(), n_threads);
    for (unsigned i = 10; i < MANY; i++)
        write_one(*state, files, i);
    assert_int_equal(count_threads() > n_threads, pool_n_cpus() > 1);
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

enum { STUCK = 256 << 10, LARGE = 600000 };

/* `size` bytes; whether they are complete at once, that is not handed over. */
static bool is_complete(struct temp_dir *dir, struct form_files *files, const char *name,
                        size_t size)
{
    struct error *err = NULL;
    struct stat st;
    AUTO(free) char *path = xstrdup(name), *content = xmalloc(size);
    const struct entry entry = { .path = path, .mode = 0600, .size = size, .mtime = 1000 };
    memset(content, 'x', size);
    AUTO(close) int fd = make(dir, name, O_WRONLY);
    form_files_begin(files, &fd, &entry);
    assert_ok(form_files_data(files, content, size, &err), err);
    assert_ok(form_files_end(files, &err), err);
    assert_int_equal(fstatat(dir->fd, name, &st, 0), 0);
    return st.st_mtim.tv_sec == 1000;
}

/* The second thread gets as far as a FIFO that nobody empties. Its other end. */
static int make_stuck(struct temp_dir *dir, struct form_files *files)
{
    static uint8_t content[STUCK];
    struct error *err = NULL;
    char path[] = "fifo";
    const struct entry entry = { .path = path, .mode = 0600, .size = STUCK, .mtime = 1000 };
    for (unsigned i = 0; i < 40; i++) {
        AUTO(free) char *name = xasprintf("first-%u", i);
        (void)is_complete(dir, files, name, 1); /* by whichever thread */
    }
    memset(content, 'x', sizeof(content));
    assert_int_equal(mkfifoat(dir->fd, path, 0600), 0);
    int reader = openat(dir->fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    AUTO(close) int fd = openat(dir->fd, path, O_WRONLY | O_CLOEXEC);
    assert_true(reader >= 0 && fd >= 0);
    form_files_begin(files, &fd, &entry);
    assert_ok(form_files_data(files, content, STUCK, &err), err);
    assert_ok(form_files_end(files, &err), err);
    return reader;
}

static void read_stuck(int reader)
{
    static uint8_t content[STUCK];
    assert_int_equal(fcntl(reader, F_SETFL, 0), 0);
    for (size_t n = 0; n < STUCK;) {
        ssize_t got = read(reader, content, STUCK - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
}

/* What is handed over is bounded, too: memory and open files. */
static void a_slow_second_thread_holds_up_nobody(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    if (pool_n_cpus() == 1)
        skip();
    size_t n_open = count("/proc/self/fd"), n_handed = 0;
    AUTO(form_files_free) struct form_files *files = new_files();
    AUTO(close) int reader = make_stuck(dir, files);
    assert_true(is_complete(dir, files, "large", LARGE)); /* though there is room for it */
    for (unsigned i = 0; i < 10; i++) {
        AUTO(free) char *name = xasprintf("some-%u", i);
        n_handed += !is_complete(dir, files, name, 200000);
    }
    assert_in_range(n_handed, 1, ((1 << 20) - STUCK) / 200000);
    for (unsigned i = 0; i < 200; i++) {
        AUTO(free) char *name = xasprintf("small-%u", i);
        n_handed += !is_complete(dir, files, name, 1);
    }
    assert_in_range(n_handed, 50, 64);
    assert_in_range(count("/proc/self/fd"), n_open, n_open + 66);
    read_stuck(reader);
    assert_ok(form_files_settle(files, &err), err);
    assert_int_equal(count("/proc/self/fd"), n_open + 1);
}

/* Lets the second thread go on once the caller sleeps, or has come through without. */
struct release {
    pid_t caller;
    int reader;
    atomic_bool came_through;
};

static bool sleeps(pid_t thread)
{
    char text[512] = "";
    AUTO(free) char *path = xasprintf("/proc/self/task/%d/stat", (int)thread);
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return false;
    const char *name_end = strrchr(text, ')');
    return name_end && name_end[1] == ' ' && name_end[2] == 'S';
}

static void *release_when_it_sleeps(void *data)
{
    struct release *release = data;
    while (!sleeps(release->caller) && !atomic_load(&release->came_through))
        (void)sched_yield();
    read_stuck(release->reader);
    return NULL;
}

/* Though the caller has to wait for it: else the pieces were in disorder. */
static void a_file_that_was_handed_over_in_part_is_so_whole(void **state)
{
    enum { PART = 100000 };
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    if (pool_n_cpus() == 1)
        skip();
    static char parts[3][PART];
    char path[] = "parts";
    const struct entry entry = { .path = path, .mode = 0600, .size = sizeof(parts) };
    AUTO(form_files_free) struct form_files *files = new_files();
    AUTO(close) int reader = make_stuck(dir, files);
    for (unsigned i = 0; i < 3; i++) {
        AUTO(free) char *name = xasprintf("some-%u", i);
        assert_false(is_complete(dir, files, name, 200000));
        memset(parts[i], 'a' + (int)i, PART);
    }
    struct release release = { .caller = gettid(), .reader = reader };
    pthread_t thread;
    AUTO(close) int fd = make(dir, path, O_WRONLY);
    form_files_begin(files, &fd, &entry);
    assert_ok(form_files_data(files, parts[0], PART, &err), err); /* there is room */
    assert_int_equal(pthread_create(&thread, NULL, release_when_it_sleeps, &release), 0);
    for (unsigned i = 1; i < 3; i++)
        assert_ok(form_files_data(files, parts[i], PART, &err), err); /* and now there is none */
    assert_ok(form_files_end(files, &err), err);
    atomic_store(&release.came_through, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(form_files_settle(files, &err), err);
    AUTO(strbuf_release) struct strbuf content = STRBUF_INIT;
    assert_ok(fs_read_file(dir->fd, path, &content, sizeof(parts) + 1, &err), err);
    assert_int_equal(content.size, sizeof(parts));
    assert_memory_equal(content.data, parts, sizeof(parts));
}

static void after_a_failure_nothing_more_is_written(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    struct stat st;
    if (pool_n_cpus() == 1)
        skip();
    (void)signal(SIGPIPE, SIG_IGN);
    AUTO(form_files_free) struct form_files *files = new_files();
    AUTO(close) int reader = make_stuck(dir, files);
    assert_false(is_complete(dir, files, "after", 1));
    close_auto(&reader);
    assert_fails(form_files_settle(files, &err), err, ERR_IO, "fifo");
    assert_int_equal(fstatat(dir->fd, "after", &st, 0), 0);
    assert_int_equal(st.st_size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(many_files_have_a_second_thread),
        TEMP_DIR_TEST(files_are_complete_when_all_is_settled),
        TEMP_DIR_TEST(files_that_end_where_the_ring_ends_are_complete),
        TEMP_DIR_TEST(sizes_are_held_to_by_either_thread),
        TEMP_DIR_TEST(failures_of_the_second_thread_are_told),
        TEMP_DIR_TEST(few_files_wait_where_few_may_be_open),
        TEMP_DIR_TEST(what_is_given_up_is_closed),
        TEMP_DIR_TEST(a_slow_second_thread_holds_up_nobody),
        TEMP_DIR_TEST(a_file_that_was_handed_over_in_part_is_so_whole),
        TEMP_DIR_TEST(after_a_failure_nothing_more_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
