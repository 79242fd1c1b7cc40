/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

static int count_up(void *data, struct error **err UNUSED)
{
    atomic_fetch_add((atomic_int *)data, 1);
    return 0;
}

static void all_tasks_run_and_groups_are_reusable(void **state UNUSED)
{
    struct error *err = NULL;
    atomic_int n = 0;
    AUTO(pool_free) struct pool *pool = pool_new(3);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    assert_int_equal(pool_n_threads(pool), 3);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 100; i++)
            pool_submit(group, count_up, NULL, &n);
        assert_ok(pool_group_wait(group, &err), err);
        assert_int_equal(atomic_load(&n), 100 * round);
    }
    assert_ok(pool_group_wait(group, &err), err); /* of nothing */
}

static void nothing_submitted_starts_nothing(void **state UNUSED)
{
    AUTO(pool_free) struct pool *pool = pool_new(0);
    assert_int_equal(pool_n_threads(pool), pool_n_cpus());
    assert_true(pool_n_cpus() >= 1);
    pool_free(NULL);
    pool_group_free(NULL);
    assert_null(thread_join(NULL));
}

/* A gate that tasks wait at, so that no test sleeps. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool open;
    int waiting;
};

#define GATE_INIT                                                                                  \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0                              \
    }

static int gate_pass(void *data, struct error **err UNUSED)
{
    struct gate *gate = data;
    pthread_mutex_lock(&gate->mutex);
    gate->waiting++;
    pthread_cond_broadcast(&gate->cond);
    while (!gate->open)
        pthread_cond_wait(&gate->cond, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
    return 0;
}

static void gate_await(struct gate *gate, int n)
{
    pthread_mutex_lock(&gate->mutex);
    while (gate->waiting < n)
        pthread_cond_wait(&gate->cond, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->open = true;
    pthread_cond_broadcast(&gate->cond);
    pthread_mutex_unlock(&gate->mutex);
}

static void tasks_run_side_by_side(void **state UNUSED)
{
    struct error *err = NULL;
    struct gate gate = GATE_INIT;
    AUTO(pool_free) struct pool *pool = pool_new(3);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    for (int i = 0; i < 3; i++)
        pool_submit(group, gate_pass, NULL, &gate);
    gate_await(&gate, 3);
    gate_open(&gate);
    assert_ok(pool_group_wait(group, &err), err);
}

struct failing {
    struct gate *gate;
    atomic_int run, dropped;
};

static int fail_after_gate(void *data, struct error **err)
{
    struct failing *failing = data;
    if (gate_pass(failing->gate, err) < 0)
        return -1;
    return error_set(err, ERR_DIGEST, "first");
}

static int fail_later(void *data, struct error **err)
{
    atomic_fetch_add(&((struct failing *)data)->run, 1);
    return error_set(err, ERR_IO, "second");
}

static void drop(void *data)
{
    atomic_fetch_add(&((struct failing *)data)->dropped, 1);
}

static void first_error_wins_and_the_rest_is_dropped(void **state UNUSED)
{
    struct error *err = NULL;
    struct gate gate = GATE_INIT;
    struct failing failing = { &gate, 0, 0 };
    atomic_int n = 0;
    AUTO(pool_free) struct pool *pool = pool_new(1);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    AUTO(pool_group_free) struct pool_group *other = pool_group_new(pool);
    pool_submit(group, fail_after_gate, drop, &failing);
    pool_submit(group, fail_later, drop, &failing);
    pool_submit(group, fail_later, NULL, &failing);
    pool_submit(other, count_up, NULL, &n);
    assert_false(pool_group_failed(group));
    gate_open(&gate);
    assert_fails(pool_group_wait(group, &err), err, ERR_DIGEST, "first");
    assert_int_equal(atomic_load(&failing.run), 0);
    assert_int_equal(atomic_load(&failing.dropped), 1);
    assert_ok(pool_group_wait(other, &err), err); /* groups fail apart */
    assert_int_equal(atomic_load(&n), 1);
    pool_submit(group, count_up, NULL, &n);
    assert_ok(pool_group_wait(group, &err), err);
    assert_int_equal(atomic_load(&n), 2);
}

static void freeing_a_group_drops_what_is_queued(void **state UNUSED)
{
    struct gate gate = GATE_INIT;
    struct failing failing = { &gate, 0, 0 };
    AUTO(pool_free) struct pool *pool = pool_new(1);
    struct pool_group *blocker = pool_group_new(pool);
    struct pool_group *group = pool_group_new(pool);
    pool_submit(blocker, gate_pass, NULL, &gate);
    gate_await(&gate, 1);
    pool_submit(group, fail_later, drop, &failing);
    gate_open(&gate);
    pool_group_free(group);
    pool_group_free(blocker);
    /* whether the worker was faster or not: one of the two, once */
    assert_int_equal(atomic_load(&failing.run) + atomic_load(&failing.dropped), 1);
}

struct nested {
    struct pool_group *group;
    atomic_int n;
};

static int submit_many(void *data, struct error **err UNUSED)
{
    struct nested *nested = data;
    for (int i = 0; i < 200; i++)
        pool_submit(nested->group, count_up, NULL, &nested->n);
    return 0;
}

static void tasks_may_submit_beyond_the_bound(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(pool_free) struct pool *pool = pool_new(2);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    struct nested nested = { group, 0 };
    for (int i = 0; i < 5; i++)
        pool_submit(group, submit_many, NULL, &nested);
    assert_ok(pool_group_wait(group, &err), err);
    assert_int_equal(atomic_load(&nested.n), 1000);
}

static void *signal_mask_is_full(void *data)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM) ? data : NULL;
}

static void threads_take_no_signals(void **state UNUSED)
{
    struct error *err = NULL;
    int x;
    struct thread *thread = thread_start(signal_mask_is_full, &x, &err);
    assert_ok_ptr(thread, err);
    assert_ptr_equal(thread_join(thread), &x);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGINT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_tasks_run_and_groups_are_reusable),
        cmocka_unit_test(nothing_submitted_starts_nothing),
        cmocka_unit_test(tasks_run_side_by_side),
        cmocka_unit_test(first_error_wins_and_the_rest_is_dropped),
        cmocka_unit_test(freeing_a_group_drops_what_is_queued),
        cmocka_unit_test(tasks_may_submit_beyond_the_bound),
        cmocka_unit_test(threads_take_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
