/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/http_body.h"

#include "tests/unit/test.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

#define BIG (3u << 20) /* more than the ring holds */

struct producer {
    uint64_t size;   /* that it writes */
    uint64_t offset; /* that it was asked for */
    size_t piece;
    unsigned n_runs;
    bool fails;
    bool was_stopped;
};

static char byte_at(uint64_t position)
{
    return (char)(position * 31 >> 3);
}

static int produce(void *data, uint64_t offset, uint64_t size UNUSED, struct sink *to,
                   struct error **err)
{
    struct producer *producer = data;
    char piece[4096];
    producer->n_runs++;
    producer->offset = offset;
    for (uint64_t done = 0; done < producer->size;) {
        size_t n = producer->piece < producer->size - done ? producer->piece
                                                           : (size_t)(producer->size - done);
        for (size_t i = 0; i < n; i++)
            piece[i] = byte_at(offset + done + i);
        if (sink_write(to, piece, n, err) < 0) {
            producer->was_stopped = true;
            return -1;
        }
        done += n;
    }
    return producer->fails ? error_set(err, ERR_NETWORK, "the source is gone") : 0;
}

/* What the loop does: it takes what there is, and waits to be woken when there is nothing. */
struct loop {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned n_wakes;
};

static void wake(void *data)
{
    struct loop *loop = data;
    pthread_mutex_lock(&loop->mutex);
    loop->n_wakes++;
    pthread_cond_signal(&loop->changed);
    pthread_mutex_unlock(&loop->mutex);
}

static ssize_t take_or_wait(struct http_body_reader *reader, struct loop *loop, char *buffer,
                            size_t size)
{
    for (;;) {
        pthread_mutex_lock(&loop->mutex);
        unsigned before = loop->n_wakes;
        pthread_mutex_unlock(&loop->mutex);
        ssize_t n = http_body_take(reader, buffer, size);
        if (n != 0)
            return n;
        pthread_mutex_lock(&loop->mutex);
        while (loop->n_wakes == before)
            pthread_cond_wait(&loop->changed, &loop->mutex);
        pthread_mutex_unlock(&loop->mutex);
    }
}

#define LOOP_INIT                                                                                  \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                     \
    }

static void all_bytes_of_a_producer_arrive_in_order(void **state UNUSED)
{
    static const size_t pieces[] = { 1000, 4096, 7 };
    static char buffer[70000];
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        struct producer producer = { .size = BIG, .piece = pieces[i] };
        const struct http_body body = {
            .offset = 5, .size = BIG, .produce = produce, .producer = &producer
        };
        struct loop loop = LOOP_INIT;
        AUTO(error_free) struct error *err = NULL;
        struct http_body_reader *reader = http_body_reader_new(&body, wake, &loop);
        uint64_t done = 0;
        while (done < BIG) {
            ssize_t n = take_or_wait(reader, &loop, buffer, sizeof(buffer));
            assert_true(n > 0);
            for (ssize_t k = 0; k < n; k++)
                assert_int_equal(buffer[k], byte_at(5 + done + (uint64_t)k));
            done += (uint64_t)n;
        }
        assert_int_equal(http_body_take(reader, buffer, sizeof(buffer)), 0);
        assert_int_equal(http_body_taken(reader), BIG);
        http_body_stop(reader);
        assert_ok(http_body_error(reader, &err), err);
        http_body_reader_free(reader);
        assert_int_equal(producer.n_runs, 1);
        assert_int_equal(producer.offset, 5);
    }
}

static void failure_of_a_producer(uint64_t size, bool fails, enum error_code code, const char *text)
{
    char buffer[1000];
    struct producer producer = { .size = size, .piece = 4096, .fails = fails };
    const struct http_body body = { .size = 10000, .produce = produce, .producer = &producer };
    struct loop loop = LOOP_INIT;
    AUTO(error_free) struct error *err = NULL;
    struct http_body_reader *reader = http_body_reader_new(&body, wake, &loop);
    while (take_or_wait(reader, &loop, buffer, sizeof(buffer)) > 0)
        assert_true(http_body_taken(reader) < 10000);
    http_body_stop(reader);
    assert_int_equal(http_body_error(reader, &err), -1);
    assert_true(error_is(err, code));
    assert_non_null(strstr(error_message(err), text));
    http_body_reader_free(reader);
}

static void a_producer_that_fails_or_ends_early_is_said(void **state UNUSED)
{
    failure_of_a_producer(5000, true, ERR_NETWORK, "the source is gone");
    failure_of_a_producer(5000, false, ERR_DIGEST, "5000 bytes to send where 10000");
    failure_of_a_producer(20000, false, ERR_DIGEST, "more than 10000");
}

static void a_request_that_ends_ends_its_producer(void **state UNUSED)
{
    char buffer[10];
    struct producer producer = { .size = BIG, .piece = 4096 };
    const struct http_body body = { .size = BIG, .produce = produce, .producer = &producer };
    struct loop loop = LOOP_INIT;
    AUTO(error_free) struct error *err = NULL;
    struct http_body_reader *reader = http_body_reader_new(&body, wake, &loop);
    assert_int_equal(take_or_wait(reader, &loop, buffer, sizeof(buffer)), sizeof(buffer));
    assert_false(http_body_seek(reader, 0)); /* gone */
    http_body_stop(reader);
    assert_true(producer.was_stopped);
    assert_ok(http_body_error(reader, &err), err);
    http_body_reader_free(reader);
}

static void memory_is_read_again_after_a_seek(void **state UNUSED)
{
    char buffer[4];
    const struct http_body body = { .data = "abcdef", .size = 6 };
    struct http_body_reader *reader = http_body_reader_new(&body, NULL, NULL);
    assert_int_equal(http_body_take(reader, buffer, 4), 4);
    assert_int_equal(http_body_take(reader, buffer, 4), 2);
    assert_int_equal(http_body_take(reader, buffer, 4), 0);
    assert_true(http_body_seek(reader, 1));
    assert_int_equal(http_body_take(reader, buffer, 4), 4);
    assert_memory_equal(buffer, "bcde", 4);
    assert_false(http_body_seek(reader, 7));
    http_body_stop(reader);
    http_body_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_bytes_of_a_producer_arrive_in_order),
        cmocka_unit_test(a_producer_that_fails_or_ends_early_is_said),
        cmocka_unit_test(a_request_that_ends_ends_its_producer),
        cmocka_unit_test(memory_is_read_again_after_a_seek),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
