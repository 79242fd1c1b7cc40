/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "builder/executor.h"
#include "tests/unit/layers_fixture.h"

static const struct compression gzip = { .kind = COMPRESSION_GZIP };

static struct digest digest_of_text(const char *text)
{
    return digest_of(text, strlen(text));
}

/* A layer being made on a pool, of one file whose content is there or can't be opened. */
struct making {
    struct pool *pool;
    struct pool_group *group;
};

static struct source *open_content(void *data, const struct entry *entry UNUSED, struct error **err)
{
    if (!data)
        return error_set_null(err, ERR_NO_SPACE, "no space in this test");
    return source_memory_new(data, strlen(data));
}

static struct layer *make_layer(struct store *store, struct making *making, const char *content)
{
    static const struct changeset_ops ops = { .open = open_content };
    struct changeset changeset = { .ops = &ops, .data = (void *)(uintptr_t)content };
    struct entry *entry = ARRAY_PUSH(&changeset.list, entries);
    entry->path = xstrdup("file");
    entry->mode = 0644;
    entry->size = content ? strlen(content) : 5;
    struct layer_options options = { .compression = gzip,
                                     .pool = making->pool,
                                     .group = making->group };
    return layer_make(store, &options, &changeset, NULL);
}

static void making_begin(struct making *making)
{
    making->pool = pool_new(2);
    making->group = pool_group_new(making->pool);
}

static void making_end(struct making *making)
{
    pool_group_free(making->group);
    pool_free(making->pool);
}

static void add(struct recorder *recorder, struct tree *parent, struct layer *layer,
                const char *name, struct lockfile *lock)
{
    struct record_job job = { .layer = layer_ref(layer),
                              .tree = tree_push(parent, layer),
                              .recipe = digest_of_text(name),
                              .rest = digest_of_text("rest"),
                              .lock = lock };
    job.record.step = xstrdup(name);
    job.record.created = xstrdup("2024-01-02T03:04:05Z");
    inputs_add(&job.inputs, "argument", "", name);
    recorder_add(recorder, &job);
}

static int find(struct store *store, const struct digest *key, struct cache_record *ret)
{
    struct error *err = NULL;
    int found = cache_find(store, key, &gzip, ret, &err);
    assert_ok(found, err);
    return found;
}

static void records_stand_under_recipe_and_result_when_finished(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct making making;
    making_begin(&making);
    AUTO(tree_unref) struct tree *parent = tree_of_words(fixture->store, "f a=1");
    AUTO(layer_unref) struct layer *layer = make_layer(fixture->store, &making, "content");
    AUTO(recorder_free) struct recorder *recorder = recorder_new(fixture->store, &gzip, NULL, NULL);
    struct lockfile *lock = store_lock(fixture->store, "step-x", &err);
    assert_ok_ptr(lock, err);
    add(recorder, parent, layer, "RUN one", lock);
    assert_ok(recorder_finish(recorder, &err), err);

    struct digest recipe = digest_of_text("RUN one"), rest = digest_of_text("rest"), result;
    assert_ok(recorder_result_key(parent, &rest, &result, &err), err);
    AUTO(cache_record_release) struct cache_record by_recipe = { 0 }, by_result = { 0 };
    assert_int_equal(find(fixture->store, &recipe, &by_recipe), 1);
    assert_int_equal(find(fixture->store, &result, &by_result), 1);
    assert_true(cache_has_rest(fixture->store, &rest));
    struct digest diff_id, chain, parent_chain;
    assert_ok(layer_wait(layer, NULL, &diff_id, &err), err);
    assert_true(digest_equal(&by_recipe.diff_id, &diff_id));
    assert_ok(tree_chain_id(parent, &parent_chain, &err), err);
    chain = digest_chain_id(&parent_chain, &diff_id);
    assert_true(digest_equal(&by_recipe.chain_id, &chain));
    /* the lock is free again, and its file gone */
    struct lockfile *again = NULL;
    assert_ok(store_try_lock(fixture->store, "step-x", &again, &err), err);
    assert_non_null(again);
    lockfile_remove(again);
    making_end(&making);
}

static void what_lies_below_doesnt_count_for_an_independent_step(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct making making;
    making_begin(&making);
    AUTO(tree_unref) struct tree *parent = tree_of_words(fixture->store, "f a=1");
    AUTO(layer_unref) struct layer *layer = make_layer(fixture->store, &making, "content");
    AUTO(recorder_free) struct recorder *recorder = recorder_new(fixture->store, &gzip, NULL, NULL);
    struct record_job job = { .layer = layer_ref(layer),
                              .tree = tree_push(parent, layer),
                              .recipe = digest_of_text("COPY --link"),
                              .rest = digest_of_text("rest"),
                              .is_independent = true };
    job.record.step = xstrdup("COPY --link");
    job.record.created = xstrdup("2024-01-02T03:04:05Z");
    recorder_add(recorder, &job);
    assert_ok(recorder_finish(recorder, &err), err);

    struct digest recipe = digest_of_text("COPY --link"), rest = digest_of_text("rest"), result;
    AUTO(cache_record_release) struct cache_record record = { 0 };
    assert_int_equal(find(fixture->store, &recipe, &record), 1);
    assert_true(digest_equal(&record.chain_id, &record.diff_id)); /* as if upon nothing */
    assert_ok(recorder_result_key(parent, &rest, &result, &err), err);
    assert_int_equal(find(fixture->store, &result, &record), 0);
    making_end(&making);
}

struct told {
    unsigned n;
    enum error_code code;
};

static void tell(void *data, struct error *error)
{
    struct told *told = data;
    told->n++;
    told->code = error_code(error);
    error_free(error);
}

static void a_failed_layer_is_told_and_fails_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct making making;
    struct told told = { 0 };
    making_begin(&making);
    AUTO(tree_unref) struct tree *empty = tree_new(fixture->store);
    AUTO(layer_unref) struct layer *good = make_layer(fixture->store, &making, "content");
    AUTO(layer_unref) struct layer *bad = make_layer(fixture->store, &making, NULL);
    AUTO(recorder_free)
    struct recorder *recorder = recorder_new(fixture->store, &gzip, tell, &told);
    struct error *failed = NULL;
    assert_fails(layer_wait(bad, NULL, NULL, &failed), failed, ERR_NO_SPACE,
                 "no space in this test");
    add(recorder, empty, bad, "RUN bad", NULL);
    add(recorder, empty, good, "RUN good", NULL);
    assert_fails(recorder_finish(recorder, &err), err, ERR_NO_SPACE, "no space in this test");
    assert_int_equal(told.n, 1);
    assert_int_equal(told.code, ERR_NO_SPACE);
    AUTO(cache_record_release) struct cache_record record = { 0 };
    struct digest bad_key = digest_of_text("RUN bad");
    assert_int_equal(find(fixture->store, &bad_key, &record), 0);
    making_end(&making);
}

static void freed_without_the_end_it_writes_what_it_has(void **state)
{
    struct fixture *fixture = *state;
    struct making making;
    making_begin(&making);
    AUTO(tree_unref) struct tree *empty = tree_new(fixture->store);
    AUTO(layer_unref) struct layer *layer = make_layer(fixture->store, &making, "content");
    struct recorder *recorder = recorder_new(fixture->store, &gzip, NULL, NULL);
    add(recorder, empty, layer, "RUN one", NULL);
    recorder_free(recorder);
    AUTO(cache_record_release) struct cache_record record = { 0 };
    struct digest key = digest_of_text("RUN one");
    assert_int_equal(find(fixture->store, &key, &record), 1);
    making_end(&making);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(records_stand_under_recipe_and_result_when_finished),
        fixture_test(what_lies_below_doesnt_count_for_an_independent_step),
        fixture_test(a_failed_layer_is_told_and_fails_the_end),
        fixture_test(freed_without_the_end_it_writes_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
