/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache.h"

#include "oci/store_gc.h"
#include "tests/unit/store_fixture.h"

#define EMPTY_DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct compression gzip = { .kind = COMPRESSION_GZIP };
static const struct compression zstd = { .kind = COMPRESSION_ZSTD };

static void make_record(struct store *store, const char *blob, struct cache_record *ret)
{
    struct digest digest = fixture_blob(store, blob);
    ret->step = xstrdup("RUN make");
    ret->created = xstrdup("2024-01-02T03:04:05Z");
    ret->has_layer = true;
    ret->diff_id = digest_of("diff", 4);
    ret->chain_id = digest_of("chain", 5);
    descriptor_set(&ret->blob, MEDIA_TYPE_OCI_LAYER_GZIP, &digest, strlen(blob));
}

static int find(struct store *store, const struct digest *key,
                const struct compression *compression, struct cache_record *ret)
{
    struct error *err = NULL;
    int found = cache_find(store, key, compression, ret, &err);
    assert_ok(found, err);
    return found;
}

static void put(struct store *store, const struct digest *recipe, const struct digest *result,
                const struct digest *rest, const struct cache_record *record)
{
    struct error *err = NULL;
    AUTO(inputs_release) struct inputs inputs = { 0 };
    inputs_add(&inputs, "argument", "", "make \"all\"");
    struct cache_keys keys = { recipe, result, rest };
    assert_ok(cache_put(store, &keys, &gzip, record, &inputs, &err), err);
}

static void keys_depend_on_kind_parent_and_rest(void **state UNUSED)
{
    struct digest a = digest_of("a", 1), b = digest_of("b", 1);
    struct digest keys[] = {
        cache_recipe_key(&a, &a),   cache_recipe_key(&a, &b),   cache_recipe_key(&b, &a),
        cache_result_key(&a, &a),   cache_result_key(&a, &b),   cache_history_key(&a, "a"),
        cache_history_key(&b, "a"), cache_history_key(&a, "b"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        for (size_t j = i + 1; j < ARRAY_SIZE(keys); j++)
            assert_false(digest_equal(&keys[i], &keys[j]));
    struct digest again = cache_recipe_key(&a, &b);
    assert_true(digest_equal(&keys[1], &again));
}

static void a_record_is_found_by_recipe_and_by_result(void **state)
{
    struct fixture *fixture = *state;
    AUTO(cache_record_release) struct cache_record record = { 0 };
    make_record(fixture->store, "layer", &record);
    struct digest recipe = digest_of("recipe", 6), result = digest_of("result", 6),
                  rest = digest_of("rest", 4);
    assert_false(cache_has_rest(fixture->store, &rest));
    put(fixture->store, &recipe, &result, &rest, &record);
    assert_true(cache_has_rest(fixture->store, &rest));
    const struct digest *keys[] = { &recipe, &result };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        AUTO(cache_record_release) struct cache_record found = { 0 };
        assert_int_equal(find(fixture->store, keys[i], &gzip, &found), 1);
        assert_string_equal(found.step, "RUN make");
        assert_string_equal(found.created, "2024-01-02T03:04:05Z");
        assert_true(digest_equal(&found.diff_id, &record.diff_id));
        assert_true(digest_equal(&found.chain_id, &record.chain_id));
        assert_true(digest_equal(&found.blob.digest, &record.blob.digest));
        assert_int_equal(found.blob.size, 5);
    }
    AUTO(cache_record_release) struct cache_record none = { 0 };
    assert_int_equal(find(fixture->store, &rest, &gzip, &none), 0);
}

static void another_compression_is_a_miss(void **state)
{
    struct fixture *fixture = *state;
    AUTO(cache_record_release) struct cache_record record = { 0 }, found = { 0 };
    make_record(fixture->store, "layer", &record);
    struct digest recipe = digest_of("recipe", 6);
    put(fixture->store, &recipe, NULL, NULL, &record);
    assert_int_equal(find(fixture->store, &recipe, &zstd, &found), 0);
    assert_int_equal(find(fixture->store, &recipe, &gzip, &found), 1);
}

static void a_record_without_a_layer_keeps_a_time(void **state)
{
    struct fixture *fixture = *state;
    AUTO(cache_record_release) struct cache_record record = { 0 }, found = { 0 };
    record.step = xstrdup("metadata");
    record.created = xstrdup("2024-01-02T03:04:05Z");
    struct digest key = digest_of("key", 3);
    put(fixture->store, &key, NULL, NULL, &record);
    assert_int_equal(find(fixture->store, &key, &zstd, &found), 1);
    assert_false(found.has_layer);
    assert_string_equal(found.created, "2024-01-02T03:04:05Z");
}

static void a_record_whose_blob_is_gone_or_cut_is_a_miss(void **state)
{
    struct fixture *fixture = *state;
    AUTO(cache_record_release) struct cache_record record = { 0 }, found = { 0 };
    make_record(fixture->store, "layer", &record);
    struct digest recipe = digest_of("recipe", 6);
    put(fixture->store, &recipe, NULL, NULL, &record);
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&record.blob.digest, hex);
    int blobs = store_dir_fd(fixture->store, STORE_BLOBS);
    AUTO(close) int fd = openat(blobs, hex, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 3), 0);
    assert_int_equal(find(fixture->store, &recipe, &gzip, &found), 0);
    assert_int_equal(unlinkat(blobs, hex, 0), 0);
    assert_int_equal(find(fixture->store, &recipe, &gzip, &found), 0);
}

static void damaged_records_are_misses(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"version\":1}",
        "{\"version\":2,\"step\":\"x\",\"created\":\"y\"}",
        "{\"version\":1,\"step\":1,\"created\":\"y\"}",
        "{\"version\":1,\"step\":\"x\",\"created\":\"y\",\"diff_id\":\"sha256:12\",\"layers\":{}}",
        ("{\"version\":1,\"step\":\"x\",\"created\":\"y\",\"diff_id\":\"" EMPTY_DIGEST "\"}"),
    };
    struct digest key = digest_of("key", 3);
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&key, hex);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct error *err = NULL;
        AUTO(cache_record_release) struct cache_record found = { 0 };
        assert_ok(fs_write_file(store_dir_fd(fixture->store, STORE_CACHE_RECORDS), hex, texts[i],
                                strlen(texts[i]), 0600, &err),
                  err);
        if (find(fixture->store, &key, &gzip, &found) != 0)
            fail_msg("taken: %s", texts[i]);
    }
}

static void collecting_keeps_what_records_name_and_their_inputs(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(cache_record_release) struct cache_record record = { 0 }, found = { 0 };
    make_record(fixture->store, "layer", &record);
    struct digest recipe = digest_of("recipe", 6), rest = digest_of("rest", 4),
                  dead = digest_of("dead", 4);
    put(fixture->store, &recipe, NULL, &rest, &record);
    put(fixture->store, &dead, NULL, &dead, &record);
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&dead, hex);
    assert_int_equal(unlinkat(store_dir_fd(fixture->store, STORE_CACHE_RECORDS), hex, 0), 0);
    fixture_reopen(fixture); /* no lease keeps them */
    struct store_gc_result result = { 0 };
    assert_ok(store_gc(fixture->store, 0, &result, &err), err);
    assert_int_equal(find(fixture->store, &recipe, &gzip, &found), 1);
    assert_true(cache_has_rest(fixture->store, &rest));
    assert_false(cache_has_rest(fixture->store, &dead));
}

/* A collecting that comes between the look and the use of what was found. */
static void what_was_found_is_leased(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(cache_record_release) struct cache_record record = { 0 }, found = { 0 }, again = { 0 };
    make_record(fixture->store, "layer", &record);
    struct digest used = digest_of("used", 4), unused = digest_of("unused", 6);
    put(fixture->store, &used, NULL, NULL, &record);
    put(fixture->store, &unused, NULL, NULL, &record);
    fixture_reopen(fixture); /* the leases of who put them end */
    assert_int_equal(find(fixture->store, &used, &gzip, &found), 1);
    struct store_gc_result result = { 0 };
    assert_ok(store_gc(fixture->store, STORE_GC_RECORDS, &result, &err), err);
    uint64_t size;
    assert_true(store_has_blob(fixture->store, &found.blob.digest, &size));
    assert_int_equal(find(fixture->store, &used, &gzip, &again), 1);
    assert_int_equal(find(fixture->store, &unused, &gzip, &again), 0);
}

static void contents_stay_as_long_as_a_record_has_them(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(cache_record_release) struct cache_record record = { 0 };
    AUTO(inputs_release) struct inputs inputs = { 0 }, lost = { 0 }, used = { 0 }, read = { 0 };
    struct digest kept, gone;
    char text[DIGEST_TEXT_SIZE];
    inputs_add(&used, "file", "a", "f 0644");
    inputs_add(&lost, "file", "b", "f 0644");
    assert_ok(cache_put_content(fixture->store, &used, &kept, &err), err);
    assert_ok(cache_put_content(fixture->store, &lost, &gone, &err), err);
    digest_format(&kept, text);
    inputs_add(&inputs, "content", "", text);
    make_record(fixture->store, "layer", &record);
    struct digest recipe = digest_of("recipe", 6), rest = digest_of("rest", 4);
    struct cache_keys keys = { &recipe, NULL, &rest };
    assert_ok(cache_put(fixture->store, &keys, &gzip, &record, &inputs, &err), err);
    fixture_reopen(fixture);
    struct store_gc_result result = { 0 };
    assert_ok(store_gc(fixture->store, 0, &result, &err), err);
    assert_ok(cache_read_inputs(fixture->store, &kept, 1000, &read, &err), err);
    assert_int_equal(read.n_items, 1);
    assert_string_equal(read.items[0].name, "a");
    assert_fails(cache_read_inputs(fixture->store, &gone, 1000, &read, &err), err, ERR_NOT_FOUND,
                 "");
}

static void a_selection_is_found_until_it_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest selection = digest_of("choice", 6), content = digest_of("content", 7), found;
    assert_int_equal(cache_find_selection(fixture->store, &selection, &found), 0);
    assert_ok(cache_put_selection(fixture->store, &selection, &content, &err), err);
    assert_int_equal(cache_find_selection(fixture->store, &selection, &found), 1);
    assert_true(digest_equal(&found, &content));
    static const char other_version[] = "{\"content\":\"" EMPTY_DIGEST "\",\"version\":9}";
    static const char *const texts[] = { "", "{}", "{\"version\":1}",
                                         "{\"content\":\"x\",\"version\":1}", other_version };
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&selection, hex);
    AUTO(free) char *name = xasprintf("from-%s", hex);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_ok(fs_write_file(store_dir_fd(fixture->store, STORE_CACHE_CONTEXTS), name, texts[i],
                                strlen(texts[i]), 0600, &err),
                  err);
        if (cache_find_selection(fixture->store, &selection, &found))
            fail_msg("taken: %s", texts[i]);
    }
}

static void staged_inputs_stand_beside_their_record(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(cache_record_release) struct cache_record record = { 0 };
    AUTO(inputs_release) struct inputs inputs = { 0 };
    AUTO(inputs_release) struct inputs before = { 0 }, after = { 0 };
    AUTO(tempfile_free) struct tempfile *file = NULL;
    AUTO(free) char *large = xmalloc(300000); /* more than is written at a time */
    memset(large, 'x', 299999);
    large[299999] = '\0';
    inputs_add(&inputs, "file", "a", large);
    inputs_add(&inputs, "content", "", "sha256:1");
    inputs_add(&inputs, "file", "b", "f 0644");
    assert_ok(cache_stage_inputs(fixture->store, &inputs, &file, &err), err);
    assert_int_equal(inputs.n_items, 1); /* what a record names */
    assert_string_equal(inputs.items[0].kind, "content");
    struct digest recipe = digest_of("recipe", 6), rest = digest_of("rest", 4);
    assert_false(cache_has_rest(fixture->store, &rest));
    assert_fails(cache_read_inputs(fixture->store, &rest, 1000000, &before, &err), err,
                 ERR_NOT_FOUND, "rest-");

    make_record(fixture->store, "layer", &record);
    struct cache_keys keys = { &recipe, NULL, &rest, file };
    assert_ok(cache_put(fixture->store, &keys, &gzip, &record, &inputs, &err), err);
    assert_true(cache_has_rest(fixture->store, &rest));
    assert_ok(cache_read_inputs(fixture->store, &rest, 1000000, &after, &err), err);
    assert_int_equal(after.n_items, 3);
    assert_string_equal(after.items[0].value, large);
    assert_string_equal(after.items[2].name, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_depend_on_kind_parent_and_rest),
        fixture_test(contents_stay_as_long_as_a_record_has_them),
        fixture_test(a_selection_is_found_until_it_is_damaged),
        fixture_test(a_record_is_found_by_recipe_and_by_result),
        fixture_test(another_compression_is_a_miss),
        fixture_test(a_record_without_a_layer_keeps_a_time),
        fixture_test(a_record_whose_blob_is_gone_or_cut_is_a_miss),
        fixture_test(damaged_records_are_misses),
        fixture_test(collecting_keeps_what_records_name_and_their_inputs),
        fixture_test(what_was_found_is_leased),
        fixture_test(staged_inputs_stand_beside_their_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
