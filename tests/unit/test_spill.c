/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spill.h"

#include "base/cancel.h"
#include "tests/unit/memory_growth.h"
#include "tests/unit/temp_dir.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In place of the C library's: the disk is full. */
static bool disk_is_full;
static unsigned n_interrupted; /* calls that a signal cuts short, before one that it doesn't */

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    if (n_interrupted && n_interrupted--) {
        errno = EINTR;
        return -1;
    }
    if (!disk_is_full)
        return (int)syscall(SYS_fallocate, fd, mode, offset, size);
    errno = ENOSPC;
    return -1;
}

/* So is this: what is left of the disk; 0: as it is. */
static uint64_t free_size;

int fstatfs(int fd, struct statfs *fs)
{
    int result = (int)syscall(SYS_fstatfs, fd, fs);
    if (result == 0 && free_size)
        fs->f_bavail = free_size / (uint64_t)fs->f_bsize;
    return result;
}

#define MIB ((size_t)1 << 20)

static void fill(unsigned char *p, size_t size, unsigned char salt)
{
    for (size_t i = 0; i < size; i += 509)
        p[i] = (unsigned char)(i / 509 + salt);
}

static void assert_filled(const unsigned char *p, size_t size, unsigned char salt)
{
    for (size_t i = 0; i < size; i += 509)
        assert_int_equal(p[i], (unsigned char)(i / 509 + salt));
}

/* The page in which it lies. */
static bool is_mapped(const unsigned char *p)
{
    unsigned char is_in_core;
    uintptr_t page = (uintptr_t)p & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    return mincore((void *)page, 1, &is_in_core) == 0;
}

static void what_is_above_the_most_lies_in_files(void **state)
{
    const struct temp_dir *dir = *state;
    struct spill spill = SPILL_INIT(dir->fd, 4 * MIB);
    unsigned char *parts[8];
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        parts[i] = spill_alloc(&spill, MIB);
        fill(parts[i], MIB, (unsigned char)i);
        if (i < 3)
            assert_int_equal(spill.in_files, 0);
    }
    bool has_files = memory_has_files(dir->fd, 64 * MIB);
    if (has_files) {
        assert_true(spill.in_memory <= 4 * MIB);
        assert_true(spill.in_files >= 4 * MIB);
        assert_true(spill_is_full(&spill, MIB));
    }
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        assert_filled(parts[i], MIB, (unsigned char)i);
        spill_free(&spill, parts[i]);
    }
    assert_int_equal(spill.in_memory, 0);
    assert_int_equal(spill.in_files, 0);
    if (has_files)
        assert_false(is_mapped(parts[ARRAY_SIZE(parts) - 1]));
}

static void small_things_never_lie_in_files(void **state)
{
    const struct temp_dir *dir = *state;
    struct spill spill = SPILL_INIT(dir->fd, 0);
    void *small = spill_alloc(&spill, 1000);
    assert_int_equal(spill.in_files, 0);
    spill_free(&spill, small);
}

static void growing_keeps_the_content_wherever_it_lies(void **state)
{
    const struct temp_dir *dir = *state;
    struct spill spills[] = { SPILL_INIT(dir->fd, 2 * MIB), SPILL_INIT(dir->fd, 64 * MIB),
                              SPILL_INIT(-1, 0) };
    for (size_t k = 0; k <= ARRAY_SIZE(spills); k++) {
        struct spill *spill = k < ARRAY_SIZE(spills) ? &spills[k] : NULL;
        unsigned char *p = NULL;
        size_t size = 0;
        for (size_t next = 100; next < 9 * MIB; next *= 3) {
            p = spill_resize(spill, p, next);
            assert_filled(p, size, 7);
            size = next;
            fill(p, size, 7);
        }
        p = spill_resize(spill, p, 5000); /* and becoming less */
        assert_filled(p, 5000, 7);
        spill_free(spill, p);
        if (spill)
            assert_int_equal(spill->in_memory + spill->in_files, 0);
    }
    spill_free(NULL, NULL);
}

/* None of them may be more than the limit. */
static void a_limit_of_file_sizes_means_memory(void **state)
{
    const struct temp_dir *dir = *state;
    struct spill spill = SPILL_INIT(dir->fd, 0);
    struct rlimit was, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    limit = was;
    limit.rlim_cur = MIB;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    unsigned char *p = spill_alloc(&spill, 2 * MIB);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    fill(p, 2 * MIB, 1);
    assert_int_equal(spill.in_files, 0);
    assert_true(spill.in_memory >= 2 * MIB);
    assert_true(spill.is_refused);
    spill_free(&spill, p);
}

static void a_full_disk_means_memory(void **state)
{
    const struct temp_dir *dir = *state;
    struct spill spill = SPILL_INIT(dir->fd, 3 * MIB);
    disk_is_full = true;
    unsigned char *p = NULL;
    for (size_t size = MIB; size <= 8 * MIB; size *= 2) {
        p = spill_resize(&spill, p, size);
        fill(p, size, 1);
    }
    disk_is_full = false;
    assert_int_equal(spill.in_files, 0);
    assert_true(spill.is_refused);
    assert_false(spill_is_full(&spill, MIB)); /* and is not asked for again */
    spill_free(&spill, p);
    assert_int_equal(spill.in_memory, 0);
}

static void a_signal_is_no_full_disk(void **state)
{
    const struct temp_dir *dir = *state;
    struct spill spill = SPILL_INIT(dir->fd, 0);
    const bool has_files = memory_has_files(dir->fd, 64 * MIB);
    n_interrupted = 2;
    void *p = spill_alloc(&spill, MIB);
    assert_int_equal(spill.in_files != 0, has_files);
    assert_int_equal(spill.is_refused, !has_files);
    n_interrupted = 0;
    spill_free(&spill, p);
}

/* Nobody is to wait for a file then. */
static void who_is_to_stop_tries_no_more(void **state)
{
    const struct temp_dir *dir = *state;
    struct spill spill = SPILL_INIT(dir->fd, 0);
    cancel_trigger(0); /* for good: the last test */
    n_interrupted = 2;
    void *p = spill_alloc(&spill, MIB);
    assert_int_equal(spill.in_files, 0);
    spill_free(&spill, p);
    n_interrupted = 0;
}

static void a_gibibyte_of_the_disk_is_left_to_others(void **state)
{
    const struct temp_dir *dir = *state;
    struct spill spill = SPILL_INIT(dir->fd, 0);
    bool has_files = memory_has_files(dir->fd, 64 * MIB);
    free_size = 1026 * MIB;
    void *first = spill_alloc(&spill, MIB);
    if (has_files)
        assert_in_range(spill.in_files, MIB, 2 * MIB);
    size_t in_files = spill.in_files;
    free_size = 1024 * MIB;
    void *second = spill_alloc(&spill, MIB);
    free_size = 0;
    assert_int_equal(spill.in_files, in_files);
    assert_true(spill.is_refused);
    spill_free(&spill, first);
    spill_free(&spill, second);
}

/* A file system that isn't one of those which keep room for good, or a folder that is gone. */
static void where_no_file_can_be_had_it_is_memory(void **state UNUSED)
{
    AUTO(close) int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(close) int shm = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int fds[] = { -1, 9999, proc, shm };
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        struct spill spill = SPILL_INIT(fds[i], 0);
        unsigned char *p = spill_resize(&spill, spill_alloc(&spill, MIB), 2 * MIB);
        fill(p, 2 * MIB, 1);
        assert_int_equal(spill.in_files, 0);
        spill_free(&spill, p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(what_is_above_the_most_lies_in_files),
        TEMP_DIR_TEST(small_things_never_lie_in_files),
        TEMP_DIR_TEST(growing_keeps_the_content_wherever_it_lies),
        TEMP_DIR_TEST(a_limit_of_file_sizes_means_memory),
        TEMP_DIR_TEST(a_full_disk_means_memory),
        TEMP_DIR_TEST(a_gibibyte_of_the_disk_is_left_to_others),
        TEMP_DIR_TEST(where_no_file_can_be_had_it_is_memory),
        TEMP_DIR_TEST(a_signal_is_no_full_disk),
        TEMP_DIR_TEST(who_is_to_stop_tries_no_more),
    };
    return cmocka_run_group_tests_name("spill", tests, NULL, NULL);
}
