/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include "base/mem.h"
#include "base/pool.h"
#include "tests/unit/test.h"

#include <string.h>
#include <time.h>

struct reading {
    struct ring *ring;
    unsigned reader;
    size_t most, max; /* taken at once; in all, 0: everything */
    bool fails;
    size_t n;
    uint32_t sum;
    ssize_t last;
};

static unsigned char byte_at(size_t position)
{
    return (unsigned char)(position * 7 >> 3);
}

static void *read_it(void *data)
{
    struct reading *reading = data;
    const void *bytes;
    while ((reading->last = ring_peek(reading->ring, reading->reader, &bytes)) > 0) {
        size_t n = (size_t)reading->last < reading->most ? (size_t)reading->last : reading->most;
        for (size_t i = 0; i < n; i++)
            reading->sum = reading->sum * 31 + ((const unsigned char *)bytes)[i];
        reading->n += n;
        ring_took(reading->ring, reading->reader, n);
        if (reading->max && reading->n >= reading->max)
            break;
    }
    ring_leave(reading->ring, reading->reader, reading->fails);
    return NULL;
}

static size_t write_it(struct ring *ring, size_t size, size_t piece, uint32_t *sum)
{
    unsigned char bytes[1000];
    size_t done = 0;
    while (done < size) {
        size_t n = piece < size - done ? piece : size - done;
        for (size_t i = 0; i < n; i++)
            bytes[i] = byte_at(done + i);
        if (!ring_write(ring, bytes, n))
            break;
        for (size_t i = 0; i < n; i++)
            *sum = *sum * 31 + bytes[i];
        done += n;
    }
    return done;
}

static void all_readers_see_all_bytes(void **state UNUSED)
{
    static const struct {
        size_t ring, size, piece;
        size_t most[3]; /* of each reader, 0: there are no more */
    } cases[] = {
        { 1, 300, 7, { 10, 1 } },          { 16, 5000, 1, { 4096, 3, 5 } },
        { 16, 5000, 1000, { 3, 4096 } },   { 4096, 200000, 999, { 1, 4096, 100 } },
        { 5, 0, 1, { 10, 10 } },           { 0, 50, 3, { 10 } },
        { 65536, 10, 10, { 4096, 1, 1 } }, { 100, 20000, 100, { 33, 7, 100 } },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct reading readings[3] = { { NULL } };
        struct thread *threads[3] = { NULL };
        unsigned n = 0;
        uint32_t sum = 0;
        while (n < 3 && cases[i].most[n])
            n++;
        struct ring *ring = ring_new(cases[i].ring, n);
        for (unsigned k = 0; k < n; k++) {
            readings[k] = (struct reading){ .ring = ring, .reader = k, .most = cases[i].most[k] };
            threads[k] = thread_start(read_it, &readings[k], &err);
            assert_ok_ptr(threads[k], err);
        }
        assert_int_equal(write_it(ring, cases[i].size, cases[i].piece, &sum), cases[i].size);
        ring_end(ring);
        for (unsigned k = 0; k < n; k++) {
            (void)thread_join(threads[k]);
            assert_int_equal(readings[k].last, 0);
            assert_int_equal(readings[k].n, cases[i].size);
            assert_int_equal(readings[k].sum, sum);
        }
        ring_free(ring);
    }
}

static void who_leaves_is_not_waited_for(void **state UNUSED)
{
    static const struct {
        size_t max[2];
        bool fails;
        bool all; /* everything could be written */
    } cases[] = {
        { { 10, 0 }, false, true },
        { { 10, 0 }, true, false },
        { { 10, 10 }, false, false },
        { { 0, 0 }, false, true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct reading readings[2];
        struct thread *threads[2];
        uint32_t sum = 0;
        struct ring *ring = ring_new(64, 2);
        for (unsigned k = 0; k < 2; k++) {
            readings[k] = (struct reading){ .ring = ring,
                                            .reader = k,
                                            .most = 5,
                                            .max = cases[i].max[k],
                                            .fails = k == 0 && cases[i].fails };
            threads[k] = thread_start(read_it, &readings[k], &err);
            assert_ok_ptr(threads[k], err);
        }
        size_t written = write_it(ring, 100000, 100, &sum);
        assert_int_equal(written == 100000, cases[i].all);
        ring_end(ring);
        for (unsigned k = 0; k < 2; k++)
            (void)thread_join(threads[k]);
        assert_int_equal(readings[1].n == 100000, cases[i].all);
        ring_free(ring);
    }
}

static void what_is_aborted_is_no_end(void **state UNUSED)
{
    struct error *err = NULL;
    uint32_t sum = 0;
    struct ring *ring = ring_new(64, 1);
    struct reading reading = { .ring = ring, .most = 1 };
    struct thread *thread = thread_start(read_it, &reading, &err);
    assert_ok_ptr(thread, err);
    assert_int_equal(write_it(ring, 1000, 10, &sum), 1000);
    ring_abort(ring);
    (void)thread_join(thread);
    assert_int_equal(reading.last, -1);
    void *to;
    assert_int_equal(ring_room(ring, &to), 0);
    ring_free(ring);
}

static void count(void *data)
{
    ++*(unsigned *)data;
}

static void who_found_nothing_is_woken_once(void **state UNUSED)
{
    unsigned n_wakes = 0;
    const void *bytes;
    struct ring *ring = ring_new(64, 1);
    assert_int_equal(ring_try_peek(ring, 0, &bytes, count, &n_wakes), 0);
    assert_int_equal(n_wakes, 0);
    assert_true(ring_write(ring, "ab", 2));
    assert_true(ring_write(ring, "cd", 2));
    assert_int_equal(n_wakes, 1);
    assert_int_equal(ring_try_peek(ring, 0, &bytes, count, &n_wakes), 4);
    assert_memory_equal(bytes, "abcd", 4);
    ring_took(ring, 0, 3);
    assert_int_equal(ring_try_peek(ring, 0, &bytes, count, &n_wakes), 1);
    assert_true(ring_write(ring, "ef", 2));
    assert_int_equal(n_wakes, 1); /* it wasn't out of bytes */
    ring_free(ring);
    ring_free(NULL);
}

/* One call of a side that waits, and what it gave. */
struct waiting {
    struct ring *ring;
    bool writes;
    size_t n;
};

static void *wait_once(void *data)
{
    struct waiting *waiting = data;
    const void *bytes;
    void *to;
    if (waiting->writes)
        waiting->n = ring_room(waiting->ring, &to);
    else
        waiting->n = (size_t)ring_peek(waiting->ring, 0, &bytes);
    return NULL;
}

/* Time for who is woken, and shouldn't be, to run. */
static void pause_briefly(void)
{
    const struct timespec moment = { .tv_nsec = 20L * 1000 * 1000 };
    (void)nanosleep(&moment, NULL);
}

static void neither_side_is_woken_for_less_than_a_quarter(void **state UNUSED)
{
    struct error *err = NULL;
    const void *bytes;
    struct ring *ring = ring_new(64, 1);
    struct waiting reads = { .ring = ring }, writes = { .ring = ring, .writes = true };
    struct thread *thread = thread_start(wait_once, &reads, &err);
    assert_ok_ptr(thread, err);
    assert_true(ring_write(ring, "123456789012345", 15));
    pause_briefly();
    assert_true(ring_write(ring, "6", 1));
    (void)thread_join(thread);
    assert_int_equal(reads.n, 16);
    for (int i = 0; i < 3; i++)
        assert_true(ring_write(ring, "1234567890123456", 16));
    thread = thread_start(wait_once, &writes, &err);
    assert_ok_ptr(thread, err);
    ring_took(ring, 0, 15);
    assert_true(ring_peek(ring, 0, &bytes) > 0);
    pause_briefly();
    ring_took(ring, 0, 1);
    (void)thread_join(thread);
    assert_int_equal(writes.n, 16);
    ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_readers_see_all_bytes),
        cmocka_unit_test(who_leaves_is_not_waited_for),
        cmocka_unit_test(what_is_aborted_is_no_end),
        cmocka_unit_test(who_found_nothing_is_woken_once),
        cmocka_unit_test(neither_side_is_woken_for_less_than_a_quarter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
