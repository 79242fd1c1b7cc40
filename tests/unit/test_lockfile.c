/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lockfile.h"

#include "base/cancel.h"
#include "base/pool.h"
#include "tests/unit/temp_dir.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct lockfile *try_lock(int dir_fd, enum lock_mode mode)
{
    struct error *err = NULL;
    struct lockfile *lock = NULL;
    assert_ok(lockfile_try(dir_fd, "lock", mode, &lock, &err), err);
    return lock;
}

static void shared_with_shared_exclusive_alone(void **state)
{
    struct temp_dir *dir = *state;
    struct lockfile *a = try_lock(dir->fd, LOCK_MODE_SHARED);
    struct lockfile *b = try_lock(dir->fd, LOCK_MODE_SHARED);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(try_lock(dir->fd, LOCK_MODE_EXCLUSIVE));
    lockfile_release(a);
    assert_null(try_lock(dir->fd, LOCK_MODE_EXCLUSIVE));
    lockfile_release(b);
    struct lockfile *c = try_lock(dir->fd, LOCK_MODE_EXCLUSIVE);
    assert_non_null(c);
    assert_null(try_lock(dir->fd, LOCK_MODE_SHARED));
    lockfile_release(c);
    lockfile_release(NULL);
    lockfile_remove(NULL);
}

static void removed_lock_is_not_taken_for_the_new_one(void **state)
{
    struct temp_dir *dir = *state;
    struct stat st;
    struct lockfile *a = try_lock(dir->fd, LOCK_MODE_EXCLUSIVE);
    lockfile_remove(a);
    assert_int_equal(fstatat(dir->fd, "lock", &st, 0), -1);
    struct lockfile *b = try_lock(dir->fd, LOCK_MODE_EXCLUSIVE);
    assert_non_null(b);
    assert_null(try_lock(dir->fd, LOCK_MODE_EXCLUSIVE));
    lockfile_release(b);
}

static void errors_name_the_lock(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    struct lockfile *lock = NULL;
    assert_fails(lockfile_try(dir->fd, "no/where", LOCK_MODE_SHARED, &lock, &err), err,
                 ERR_NOT_FOUND, "opening lock no/where");
    assert_int_equal(symlinkat("target", dir->fd, "link"), 0);
    assert_fails(lockfile_try(dir->fd, "link", LOCK_MODE_SHARED, &lock, &err), err, ERR_IO,
                 "opening lock link");
    assert_fails(lockfile_try(-1, "lock", LOCK_MODE_SHARED, &lock, &err), err, ERR_IO,
                 "duplicating");
}

/* Holds the lock in another process until it is killed; returns when that holds it. */
static pid_t hold_elsewhere(const struct temp_dir *dir)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct error *err = NULL;
        struct lockfile *lock = lockfile_acquire(dir->fd, "lock", LOCK_MODE_EXCLUSIVE, NULL, &err);
        if (!lock || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char c;
    assert_int_equal(read(ready[0], &c, 1), 1);
    close_auto(&ready[0]);
    close_auto(&ready[1]);
    return pid;
}

struct told {
    int times;
    char holder[64];
    pid_t to_kill;
};

static void remember(void *data, const char *name, const char *holder)
{
    struct told *told = data;
    assert_string_equal(name, "lock");
    (void)snprintf(told->holder, sizeof(told->holder), "%s", holder);
    told->times++;
    assert_int_equal(kill(told->to_kill, SIGKILL), 0);
}

static void long_wait_names_the_holder_and_ends_with_it(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    struct told told = { .to_kill = hold_elsewhere(dir) };
    const struct lock_wait wait = { remember, &told };
    AUTO(lockfile_release)
    struct lockfile *lock = lockfile_acquire(dir->fd, "lock", LOCK_MODE_EXCLUSIVE, &wait, &err);
    assert_ok_ptr(lock, err);
    assert_int_equal(told.times, 1);
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "pid %ld", (long)told.to_kill);
    assert_string_equal(told.holder, expected);
    assert_int_equal(waitpid(told.to_kill, NULL, 0), told.to_kill);
}

struct counter {
    const struct temp_dir *dir;
    atomic_int value; /* read and written apart: a lost addition shows */
};

static int add_under_lock(void *data, struct error **err)
{
    struct counter *counter = data;
    for (int i = 0; i < 200; i++) {
        struct lockfile *lock =
            lockfile_acquire(counter->dir->fd, "lock", LOCK_MODE_EXCLUSIVE, NULL, err);
        if (!lock)
            return -1;
        atomic_store(&counter->value, atomic_load(&counter->value) + 1);
        if (i % 2)
            lockfile_remove(lock);
        else
            lockfile_release(lock);
    }
    return 0;
}

static void threads_exclude_each_other(void **state)
{
    struct error *err = NULL;
    struct counter counter = { *state, 0 };
    AUTO(pool_free) struct pool *pool = pool_new(4);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    for (int i = 0; i < 4; i++)
        pool_submit(group, add_under_lock, NULL, &counter);
    assert_ok(pool_group_wait(group, &err), err);
    assert_int_equal(atomic_load(&counter.value), 800);
}

static void wait_is_cancelled(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(lockfile_release) struct lockfile *held = try_lock(dir->fd, LOCK_MODE_EXCLUSIVE);
    cancel_trigger(SIGTERM); /* for good: the last test */
    assert_null(lockfile_acquire(dir->fd, "lock", LOCK_MODE_SHARED, NULL, &err));
    assert_true(error_is(err, ERR_CANCELLED));
    assert_string_equal(error_message(err), "waiting for lock lock: interrupted");
    error_clear(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(shared_with_shared_exclusive_alone),
        TEMP_DIR_TEST(removed_lock_is_not_taken_for_the_new_one),
        TEMP_DIR_TEST(errors_name_the_lock),
        TEMP_DIR_TEST(long_wait_names_the_holder_and_ends_with_it),
        TEMP_DIR_TEST(threads_exclude_each_other),
        TEMP_DIR_TEST(wait_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
