/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/sha256.h"
#include "base/sink.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdatomic.h>

static void bytes_arrive_in_order_whatever_the_sizes(void **state UNUSED)
{
    static const size_t queues[] = { 1, 2, 3, 5, 64, 1000, 65536 };
    static const size_t chunks[] = { 1, 7, 512, 4096, 100000 };
    enum { TOTAL = 200000 };
    AUTO(free) unsigned char *data = xmalloc(TOTAL);
    for (size_t i = 0; i < TOTAL; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    uint8_t expected[SHA256_SIZE];
    for (size_t q = 0; q < ARRAY_SIZE(queues); q++)
        for (size_t c = 0; c < ARRAY_SIZE(chunks); c++) {
            struct error *err = NULL;
            uint8_t out[SHA256_SIZE];
            uint64_t size = 0;
            size_t total = queues[q] < 64 ? 3000 : TOTAL; /* tiny rings switch at each byte */
            sha256_of(data, total, expected);
            AUTO(sink_free)
            struct sink *sink = sink_thread_new(sink_sha256_new(NULL, out, &size), queues[q]);
            for (size_t at = 0; at < total; at += chunks[c]) {
                size_t n = total - at < chunks[c] ? total - at : chunks[c];
                assert_ok(sink_write(sink, data + at, n, &err), err);
            }
            assert_ok(sink_finish(sink, &err), err);
            assert_int_equal(size, total);
            assert_memory_equal(out, expected, SHA256_SIZE);
        }
}

static void empty_stream_finishes(void **state UNUSED)
{
    struct error *err = NULL;
    uint64_t size = 0;
    uint8_t out[SHA256_SIZE], expected[SHA256_SIZE];
    sha256_of(NULL, 0, expected);
    AUTO(sink_free) struct sink *sink = sink_thread_new(sink_sha256_new(NULL, out, &size), 4096);
    assert_ok(sink_finish(sink, &err), err);
    assert_memory_equal(out, expected, SHA256_SIZE);
    AUTO(sink_free) struct sink *unused = sink_thread_new(sink_null_new(NULL), 0);
}

static void failure_of_next_comes_back(void **state UNUSED)
{
    struct error *err = NULL;
    char block[100] = "";
    AUTO(sink_free)
    struct sink *late = sink_thread_new(sink_limit_new(sink_null_new(NULL), 50, "blob"), 1000);
    assert_ok(sink_write(late, block, sizeof(block), &err), err); /* fits into the queue */
    assert_fails(sink_finish(late, &err), err, ERR_LIMIT, "blob: more than 50 bytes");

    AUTO(sink_free)
    struct sink *early = sink_thread_new(sink_limit_new(sink_null_new(NULL), 50, "blob"), 10);
    int result = 0;
    for (int i = 0; i < 3 && result == 0; i++)
        result = sink_write(early, block, sizeof(block), &err);
    assert_fails(result, err, ERR_LIMIT, "blob: more than 50 bytes");
    assert_fails(sink_write(early, block, sizeof(block), &err), err, ERR_LIMIT, "blob");
}

/* A sink that holds its writer until told to go on, and notes how it was ended. */
struct slow {
    struct sink sink;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool open;
    atomic_int writes, finished, freed;
};

static int slow_write(struct sink *sink, const void *data UNUSED, size_t size UNUSED,
                      struct error **err UNUSED)
{
    struct slow *slow = (struct slow *)sink;
    atomic_fetch_add(&slow->writes, 1);
    pthread_mutex_lock(&slow->mutex);
    while (!slow->open)
        pthread_cond_wait(&slow->cond, &slow->mutex);
    pthread_mutex_unlock(&slow->mutex);
    return 0;
}

static int slow_finish(struct sink *sink, struct error **err UNUSED)
{
    atomic_fetch_add(&((struct slow *)sink)->finished, 1);
    return 0;
}

static void slow_free(struct sink *sink)
{
    atomic_fetch_add(&((struct slow *)sink)->freed, 1);
}

static void writer_runs_ahead_and_free_aborts(void **state UNUSED)
{
    static const struct sink_ops ops = { "slow", slow_write, slow_finish, slow_free };
    struct slow slow = { { &ops }, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, 0,
                         0 };
    struct error *err = NULL;
    char block[100] = "";
    struct sink *sink = sink_thread_new(&slow.sink, 100);
    assert_ok(sink_write(sink, block, sizeof(block), &err), err); /* returns though next is stuck */
    pthread_mutex_lock(&slow.mutex);
    slow.open = true;
    pthread_cond_broadcast(&slow.cond);
    pthread_mutex_unlock(&slow.mutex);
    sink_free(sink);
    assert_int_equal(atomic_load(&slow.finished), 0);
    assert_int_equal(atomic_load(&slow.freed), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_in_order_whatever_the_sizes),
        cmocka_unit_test(empty_stream_finishes),
        cmocka_unit_test(failure_of_next_comes_back),
        cmocka_unit_test(writer_runs_ahead_and_free_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
