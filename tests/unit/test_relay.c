/* SPDX-License-Identifier: Apache-2.0 */
#include "base/relay.h"

#include "base/mem.h"
#include "tests/unit/test.h"

struct reading {
    size_t n_read, max; /* max: reads no more than that; 0: all */
    size_t buffer_size;
    uint32_t sum;
    bool fails;
};

static int read_all(void *data, struct source *source, struct error **err)
{
    struct reading *reading = data;
    unsigned char buffer[4096];
    ssize_t n;
    while ((n = source_read(source, buffer, reading->buffer_size, err)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            reading->sum = reading->sum * 31 + buffer[i];
        reading->n_read += (size_t)n;
        if (reading->max && reading->n_read >= reading->max)
            break;
    }
    source_free(source);
    if (n >= 0 && reading->fails)
        return error_set(err, ERR_INVALID, "not to its taste");
    return n < 0 ? -1 : 0;
}

static struct relay *start(size_t ring, struct reading *reading, struct error **err)
{
    const struct relay_run run = { read_all, reading };
    return relay_start(ring, &run, 1, err);
}

static void write_numbers(struct relay *relay, size_t size, size_t piece, uint32_t *sum)
{
    unsigned char bytes[1000];
    for (size_t done = 0; done < size;) {
        size_t n = piece < size - done ? piece : size - done;
        for (size_t i = 0; i < n; i++) {
            bytes[i] = (unsigned char)((done + i) * 7 >> 3);
            *sum = *sum * 31 + bytes[i];
        }
        relay_write(relay, bytes, n);
        done += n;
    }
}

static void bytes_arrive_whole_and_in_order(void **state UNUSED)
{
    static const struct {
        size_t ring, size, piece, buffer;
    } cases[] = {
        { 1, 100, 7, 10 },         { 16, 5000, 1, 4096 },   { 16, 5000, 1000, 3 },
        { 4096, 100000, 1000, 1 }, { 5, 0, 1, 10 },         { 1000, 1000, 1000, 4096 },
        { 0, 50, 3, 10 },          { 65536, 10, 10, 4096 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        uint32_t sum = 0;
        struct reading reading = { .buffer_size = cases[i].buffer };
        struct relay *relay = start(cases[i].ring, &reading, &err);
        assert_ok_ptr(relay, err);
        write_numbers(relay, cases[i].size, cases[i].piece, &sum);
        assert_ok(relay_finish(relay, &err), err);
        assert_int_equal(reading.n_read, cases[i].size);
        assert_int_equal(reading.sum, sum);
    }
}

static void a_reader_that_ends_early_stops_nobody(void **state UNUSED)
{
    struct error *err = NULL;
    uint32_t sum = 0;
    struct reading reading = { .buffer_size = 10, .max = 100, .fails = true };
    struct relay *relay = start(64, &reading, &err);
    assert_ok_ptr(relay, err);
    write_numbers(relay, 100000, 1000, &sum);
    assert_fails(relay_finish(relay, &err), err, ERR_INVALID, "not to its taste");
}

static void what_is_given_up_is_no_end(void **state UNUSED)
{
    struct error *err = NULL;
    uint32_t sum = 0;
    struct reading reading = { .buffer_size = 10 };
    struct relay *relay = start(64, &reading, &err);
    assert_ok_ptr(relay, err);
    write_numbers(relay, 1000, 10, &sum);
    relay_free(relay);
    assert_true(reading.n_read <= 1000);
    relay_free(NULL);
}

static void sources_are_pumped_until_the_reader_has_enough(void **state UNUSED)
{
    static const struct {
        size_t size, max, least, most; /* of what is read */
    } cases[] = { { 100000, 0, 100000, 100000 }, { 0, 0, 0, 0 }, { 100000, 10, 10, 4096 } };
    unsigned char *bytes = xcalloc(100000, 1);
    for (size_t i = 0; i < 100000; i++)
        bytes[i] = (unsigned char)(i * 7 >> 3);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        uint32_t sum = 0;
        struct reading reading = { .buffer_size = 4096, .max = cases[i].max };
        AUTO(source_free) struct source *source = source_memory_new(bytes, cases[i].size);
        struct relay *relay = start(1000, &reading, &err);
        assert_ok_ptr(relay, err);
        assert_ok(relay_pump(relay, source, &err), err);
        assert_ok(relay_finish(relay, &err), err);
        assert_in_range(reading.n_read, cases[i].least, cases[i].most);
        for (size_t k = 0; k < reading.n_read; k++)
            sum = sum * 31 + bytes[k];
        assert_int_equal(reading.sum, sum);
    }
    free(bytes);
}

/* The bytes in the ring itself, whatever the buffer. */
static int borrow_all(void *data, struct source *source, struct error **err)
{
    struct reading *reading = data;
    ssize_t n;
    const void *bytes;
    while ((n = source_borrow(source, NULL, reading->buffer_size, &bytes, err)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            reading->sum = reading->sum * 31 + ((const unsigned char *)bytes)[i];
        reading->n_read += (size_t)n;
        if (reading->max && reading->n_read >= reading->max)
            break;
    }
    if (n >= 0 && reading->fails)
        return error_set(err, ERR_INVALID, "not to the other's taste");
    return n < 0 ? -1 : 0;
}

static void several_readers_each_get_everything(void **state UNUSED)
{
    static const struct {
        bool fails[2]; /* after 100 bytes */
        const char *error;
    } cases[] = {
        { { false, false }, NULL },
        { { true, false }, "not to its taste" },
        { { false, true }, "not to the other's taste" },
        { { true, true }, "not to its taste" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        uint32_t sum = 0;
        struct reading readings[2];
        for (size_t k = 0; k < 2; k++)
            readings[k] = (struct reading){ .buffer_size = 10 + 7 * k,
                                            .fails = cases[i].fails[k],
                                            .max = cases[i].fails[k] ? 100 : 0 };
        const struct relay_run runs[] = { { read_all, &readings[0] },
                                          { borrow_all, &readings[1] } };
        struct relay *relay = relay_start(256, runs, 2, &err);
        assert_ok_ptr(relay, err);
        write_numbers(relay, 50000, 1000, &sum);
        int result = relay_finish(relay, &err);
        if (cases[i].error) {
            assert_fails(result, err, ERR_INVALID, cases[i].error);
            continue;
        }
        assert_ok(result, err);
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(readings[k].n_read, 50000);
            assert_int_equal(readings[k].sum, sum);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_whole_and_in_order),
        cmocka_unit_test(a_reader_that_ends_early_stops_nobody),
        cmocka_unit_test(what_is_given_up_is_no_end),
        cmocka_unit_test(several_readers_each_get_everything),
        cmocka_unit_test(sources_are_pumped_until_the_reader_has_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
