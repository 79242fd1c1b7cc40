/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/source.h"
#include "layers/member_sink.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

/* Entries of `size` bytes of text named f0, f1, ...; the same bytes on every machine. */
static void feed(struct sink *sink, size_t n, size_t size)
{
    struct error *err = NULL;
    AUTO(free) char *data = xmalloc(size);
    for (size_t i = 0; i < n; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "f%zu", i);
        for (size_t j = 0; j < size; j++)
            data[j] = "etaoin shrdlu"[(j * j + i) / 7 % 13];
        assert_ok(member_sink_entry(sink, path, &err), err);
        assert_ok(sink_write(sink, data, size, &err), err);
    }
    assert_ok(sink_finish(sink, &err), err);
}

struct run {
    struct strbuf packed;
    struct member_list list;
};

static void run_release(struct run *run)
{
    strbuf_release(&run->packed);
    free(run->list.members);
}
DEFINE_AUTO_STRUCT(struct run, run_release)

/* threads 0: no pool */
static void run_feed(struct run *run, enum compression_kind kind, unsigned threads, size_t n,
                     size_t size)
{
    AUTO(pool_free) struct pool *pool = threads ? pool_new(threads) : NULL;
    AUTO(pool_group_free) struct pool_group *group = pool ? pool_group_new(pool) : NULL;
    const struct member_options options = { { kind, 1 }, group, threads, NULL };
    strbuf_init(&run->packed);
    run->list = (struct member_list){ NULL, 0, 0 };
    AUTO(sink_free)
    struct sink *sink = member_sink_new(sink_strbuf_new(&run->packed), &options, &run->list);
    feed(sink, n, size);
}

static void bytes_do_not_depend_on_threads(void **state UNUSED)
{
    static const enum compression_kind kinds[] = { COMPRESSION_GZIP, COMPRESSION_ZSTD,
                                                   COMPRESSION_NONE };
    static const unsigned threads[] = { 1, 2, 8 };
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        AUTO(run_release) struct run alone = { STRBUF_INIT, { NULL, 0, 0 } };
        run_feed(&alone, kinds[k], 0, 700, 20 * KIB);
        assert_true(alone.list.n_members > 6);
        for (size_t t = 0; t < ARRAY_SIZE(threads); t++) {
            AUTO(run_release) struct run run = { STRBUF_INIT, { NULL, 0, 0 } };
            run_feed(&run, kinds[k], threads[t], 700, 20 * KIB);
            assert_int_equal(run.packed.size, alone.packed.size);
            assert_memory_equal(run.packed.data, alone.packed.data, alone.packed.size);
            assert_int_equal(run.list.n_members, alone.list.n_members);
            for (size_t i = 0; i < run.list.n_members; i++) {
                assert_int_equal(run.list.members[i].offset, alone.list.members[i].offset);
                assert_memory_equal(run.list.members[i].input, alone.list.members[i].input,
                                    SHA256_SIZE);
            }
        }
    }
}

static void members_are_cut_by_the_rule(void **state UNUSED)
{
    AUTO(run_release) struct run run = { STRBUF_INIT, { NULL, 0, 0 } };
    run_feed(&run, COMPRESSION_NONE, 0, 4000, 20 * KIB);
    uint64_t total = 0;
    size_t n_by_path = 0;
    for (size_t i = 0; i < run.list.n_members; i++) {
        const struct member *member = &run.list.members[i];
        uint8_t hash[SHA256_SIZE];
        assert_int_equal(member->offset, total);
        assert_true(member->input_size <= 4 * MIB);
        if (i + 1 < run.list.n_members) {
            assert_true(member->input_size >= 512 * KIB);
            n_by_path += member->input_size < 4 * MIB;
        }
        sha256_of(run.packed.data + total, member->size, hash);
        assert_memory_equal(hash, member->input, SHA256_SIZE);
        total += member->size;
    }
    assert_int_equal(total, (size_t)4000 * 20 * KIB);
    /* 26 entries fill the least, then 1 in 64 cuts: on average 90, where not cut at 4 MiB */
    assert_true(n_by_path > 25 && n_by_path < 70);
}

/* Version 1 of docs/FORMAT.md, "Members": the places where a known input is cut. */
static void cuts_are_golden(void **state UNUSED)
{
    AUTO(run_release) struct run run = { STRBUF_INIT, { NULL, 0, 0 } };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    run_feed(&run, COMPRESSION_NONE, 0, 700, 20 * KIB);
    for (size_t i = 0; i < run.list.n_members; i++)
        strbuf_addf(&text, "%llu ", (unsigned long long)run.list.members[i].input_size / KIB);
    assert_string_equal(text.data, "540 540 1260 760 2140 1280 3000 4096 384 ");
}

static void empty_input_is_one_member(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(run_release) struct run run = { STRBUF_INIT, { NULL, 0, 0 } };
    run_feed(&run, COMPRESSION_GZIP, 2, 0, 1);
    assert_int_equal(run.list.n_members, 1);
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    AUTO(source_free)
    struct source *source =
        decompress_source_new(source_memory_new(run.packed.data, run.packed.size), 0);
    assert_ok(source_read_all(source, &out, 10, &err), err);
    assert_int_equal(out.size, 0);
}

struct failing_sink {
    struct sink sink;
    size_t left;
};

static int failing_write(struct sink *sink, const void *data UNUSED, size_t size UNUSED,
                         struct error **err)
{
    struct failing_sink *self = (struct failing_sink *)sink;
    return self->left-- ? 0 : error_set(err, ERR_NO_SPACE, "disk full");
}

static int failing_finish(struct sink *sink UNUSED, struct error **err UNUSED)
{
    return 0;
}

static void failing_free(struct sink *sink UNUSED)
{
}

static void a_failure_below_reaches_the_writer_once(void **state UNUSED)
{
    static const struct sink_ops ops = { "failing", failing_write, failing_finish, failing_free };
    for (size_t left = 0; left < 5; left++) {
        struct failing_sink failing = { { &ops }, left };
        AUTO(pool_free) struct pool *pool = pool_new(2);
        AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
        const struct member_options options = { { COMPRESSION_GZIP, 1 }, group, 2, NULL };
        struct member_list list = { NULL, 0, 0 };
        struct sink *sink = member_sink_new(&failing.sink, &options, &list);
        AUTO(free) char *data = xcalloc(1, MIB);
        struct error *err = NULL;
        int result = 0;
        for (size_t i = 0; i < 40 && result == 0; i++)
            result = sink_write(sink, data, MIB, &err);
        if (result == 0)
            result = sink_finish(sink, &err);
        assert_fails(result, err, ERR_NO_SPACE, "disk full");
        sink_free(sink);
        assert_int_equal(list.n_members, left);
        free(list.members);
    }
}

static void freed_without_finish_it_stops(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(pool_free) struct pool *pool = pool_new(4);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    const struct member_options options = { { COMPRESSION_GZIP, 9 }, group, 4, NULL };
    struct member_list list = { NULL, 0, 0 };
    uint64_t size;
    struct sink *sink = member_sink_new(sink_null_new(&size), &options, &list);
    AUTO(free) char *data = xcalloc(1, 9 * MIB);
    assert_ok(sink_write(sink, data, 9 * MIB, &err), err);
    sink_free(sink);
    free(list.members);
}

/* More writers than workers, all of them tasks of one pool. */
struct writer {
    struct pool_group *group;
    struct run run;
};

static int write_as_task(void *data, struct error **err UNUSED)
{
    struct writer *writer = data;
    const struct member_options options = { { COMPRESSION_GZIP, 1 }, writer->group, 2, NULL };
    AUTO(sink_free)
    struct sink *sink =
        member_sink_new(sink_strbuf_new(&writer->run.packed), &options, &writer->run.list);
    feed(sink, 100, 128 * KIB);
    return 0;
}

static void a_pool_full_of_writers_makes_progress(void **state UNUSED)
{
    struct error *err = NULL;
    struct writer writers[6];
    AUTO(run_release) struct run alone = { STRBUF_INIT, { NULL, 0, 0 } };
    run_feed(&alone, COMPRESSION_GZIP, 0, 100, 128 * KIB);
    AUTO(pool_free) struct pool *pool = pool_new(2);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
        writers[i] = (struct writer){ group, { STRBUF_INIT, { NULL, 0, 0 } } };
        pool_submit(group, write_as_task, NULL, &writers[i]);
    }
    assert_ok(pool_group_wait(group, &err), err);
    for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
        assert_int_equal(writers[i].run.packed.size, alone.packed.size);
        assert_memory_equal(writers[i].run.packed.data, alone.packed.data, alone.packed.size);
        run_release(&writers[i].run);
    }
}

/* Says how far what is fed is ahead of what has arrived here, which takes its time. */
struct slow_sink {
    struct sink sink;
    atomic_size_t fed;
    size_t arrived, ahead;
};

static int slow_write(struct sink *sink, const void *data UNUSED, size_t size,
                      struct error **err UNUSED)
{
    struct slow_sink *self = (struct slow_sink *)sink;
    for (int i = 0; i < 10; i++) {
        (void)usleep(2000);
        size_t ahead = atomic_load(&self->fed) - self->arrived;
        self->ahead = ahead > self->ahead ? ahead : self->ahead;
    }
    self->arrived += size;
    return 0;
}

static void memory_does_not_grow_with_threads(void **state UNUSED)
{
    struct error *err = NULL;
    static const struct sink_ops ops = { "slow", slow_write, failing_finish, failing_free };
    struct slow_sink slow = { .sink.ops = &ops };
    AUTO(pool_free) struct pool *pool = pool_new(32);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    const struct member_options options = { { COMPRESSION_NONE, 1 }, group, 32, NULL };
    struct member_list list = { NULL, 0, 0 };
    AUTO(sink_free) struct sink *sink = member_sink_new(&slow.sink, &options, &list);
    AUTO(free) char *data = xcalloc(1, MIB);
    for (size_t i = 0; i < 128; i++) {
        assert_ok(sink_write(sink, data, MIB, &err), err);
        atomic_fetch_add(&slow.fed, MIB);
    }
    assert_ok(sink_finish(sink, &err), err);
    assert_int_equal(slow.arrived, 128 * MIB);
    assert_in_range(slow.ahead, 4 * MIB, 20 * MIB);
    free(list.members);
}

static int wait_at_gate(void *data, struct error **err UNUSED)
{
    pthread_mutex_lock(data);
    pthread_mutex_unlock(data);
    return 0;
}

/* So that helpers have work while the writer compresses; only where much waits it does that. */
static void writer_leaves_small_members_to_helpers(void **state UNUSED)
{
    struct error *err = NULL;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    AUTO(pool_free) struct pool *pool = pool_new(2);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    const struct member_options options = { { COMPRESSION_GZIP, 1 }, group, 2, NULL };
    AUTO(run_release) struct run run = { STRBUF_INIT, { NULL, 0, 0 } };
    AUTO(free) char *data = xcalloc(1, 20 * KIB);
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 2; i++)
        pool_submit(group, wait_at_gate, NULL, &gate);
    AUTO(sink_free)
    struct sink *sink = member_sink_new(sink_strbuf_new(&run.packed), &options, &run.list);
    for (size_t i = 0; i < 700; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "f%zu", i);
        assert_ok(member_sink_entry(sink, path, &err), err);
        assert_ok(sink_write(sink, data, 20 * KIB, &err), err);
        if (i == 300) /* five members, 5240 KiB: cuts_are_golden() */
            assert_int_equal(run.packed.size, 0);
    }
    assert_true(run.packed.size > 0);
    pthread_mutex_unlock(&gate);
    assert_ok(sink_finish(sink, &err), err);
    assert_int_equal(run.list.n_members, 9);
}

/* 4 MiB for each thread: with two of them the third member is too much, though it is the first of
 * which the writer compresses any. */
static void two_threads_have_eight_mebibytes_in_flight(void **state UNUSED)
{
    struct error *err = NULL;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    AUTO(pool_free) struct pool *pool = pool_new(2);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    const struct member_options options = { { COMPRESSION_NONE, 1 }, group, 2, NULL };
    AUTO(run_release) struct run run = { STRBUF_INIT, { NULL, 0, 0 } };
    AUTO(free) char *data = xcalloc(1, MIB);
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 2; i++)
        pool_submit(group, wait_at_gate, NULL, &gate);
    AUTO(sink_free)
    struct sink *sink = member_sink_new(sink_strbuf_new(&run.packed), &options, &run.list);
    for (size_t i = 0; i < 13; i++) {
        assert_ok(sink_write(sink, data, MIB, &err), err);
        if (i == 8)
            assert_int_equal(run.packed.size, 0);
    }
    assert_true(run.packed.size > 0);
    pthread_mutex_unlock(&gate);
    assert_ok(sink_finish(sink, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_do_not_depend_on_threads),
        cmocka_unit_test(members_are_cut_by_the_rule),
        cmocka_unit_test(cuts_are_golden),
        cmocka_unit_test(empty_input_is_one_member),
        cmocka_unit_test(a_failure_below_reaches_the_writer_once),
        cmocka_unit_test(freed_without_finish_it_stops),
        cmocka_unit_test(a_pool_full_of_writers_makes_progress),
        cmocka_unit_test(memory_does_not_grow_with_threads),
        cmocka_unit_test(writer_leaves_small_members_to_helpers),
        cmocka_unit_test(two_threads_have_eight_mebibytes_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
