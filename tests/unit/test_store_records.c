/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_records.h"

#include "tests/unit/store_fixture.h"

/* A record `key` that keeps a blob of this content; used at that time. */
static void put_record(const struct fixture *fixture, const char *key, const char *content,
                       time_t used)
{
    struct error *err = NULL;
    struct digest name = digest_of(key, strlen(key)), blob = digest_of(content, strlen(content));
    char hex[DIGEST_HEX_SIZE], text[DIGEST_TEXT_SIZE];
    digest_format_hex(&name, hex);
    digest_format(&blob, text);
    AUTO(free) char *record = xasprintf("{\"diff_id\":\"%s\"}", text);
    int fd = store_dir_fd(fixture->store, STORE_CACHE_RECORDS);
    assert_ok(fs_write_file(fd, hex, record, strlen(record), 0600, &err), err);
    const struct timespec times[2] = { { used, 0 }, { used, 0 } };
    assert_int_equal(utimensat(fd, hex, times, 0), 0);
}

static bool is_marked(const struct hashmap *names, const char *content)
{
    struct digest digest = digest_of(content, strlen(content));
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&digest, hex);
    return hashmap_has(names, hex);
}

static void add_size(struct hashmap *sizes, const char *content, uint64_t size)
{
    struct digest digest = digest_of(content, strlen(content));
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&digest, hex);
    hashmap_put(sizes, hex, xmemdup(&size, sizeof(size)));
}

static void least_recently_used_goes_first(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(hashmap_release) struct hashmap sizes = HASHMAP_INIT(free);
    AUTO(hashmap_release) struct hashmap names = HASHMAP_INIT(NULL);
    uint64_t n_removed = 0;
    put_record(fixture, "k1", "blob 1", 1000);
    put_record(fixture, "k2", "blob 2", 3000);
    put_record(fixture, "k3", "blob 3", 2000);
    put_record(fixture, "k4", "blob 2", 2500); /* costs nothing more */
    add_size(&sizes, "blob 1", 100);
    add_size(&sizes, "blob 2", 100);
    add_size(&sizes, "blob 3", 100);
    assert_ok(store_records_mark(fixture->store,
                                 &(struct store_records_limits){ .all = false, .cap = 250 }, &sizes,
                                 &names, &n_removed, &err),
              err);
    assert_int_equal(n_removed, 1);
    assert_int_equal(fixture_count(fixture, "cache/records"), 3);
    assert_true(is_marked(&names, "blob 2"));
    assert_true(is_marked(&names, "blob 3"));
    assert_false(is_marked(&names, "blob 1"));
}

static void leased_record_stays(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(hashmap_release) struct hashmap sizes = HASHMAP_INIT(free);
    AUTO(hashmap_release) struct hashmap names = HASHMAP_INIT(NULL);
    uint64_t n_removed = 0;
    put_record(fixture, "k1", "blob 1", 1000);
    put_record(fixture, "k2", "blob 2", 2000);
    struct digest key = digest_of("k1", 2);
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&key, hex);
    hashmap_put(&names, hex, fixture);
    assert_ok(store_records_mark(fixture->store,
                                 &(struct store_records_limits){ .all = true, .cap = 0 }, &sizes,
                                 &names, &n_removed, &err),
              err);
    assert_int_equal(n_removed, 1);
    assert_true(is_marked(&names, "blob 1"));
    assert_false(is_marked(&names, "blob 2"));
}

static void sizes_are_of_blobs_and_forms(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(hashmap_release) struct hashmap sizes = HASHMAP_INIT(free);
    struct digest blob = fixture_blob(fixture->store, "content");
    struct digest form = digest_of("form", 4);
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&form, hex);
    AUTO(free) char *path = xasprintf("layers/u-root/d-%s", hex);
    AUTO(free) char *file = xasprintf("%s/file", path);
    int root = store_dir_fd(fixture->store, STORE_ROOT);
    assert_ok(fs_mkdirs(root, path, 0755, &err), err);
    AUTO(free) char *data = xcalloc(1, 1 << 20);
    memset(data, 'x', 1 << 20);
    assert_ok(fs_write_file(root, file, data, 1 << 20, 0600, &err), err);
    assert_int_equal(syncfs(root), 0); /* blocks are counted once they are allocated */
    assert_ok(store_sizes(fixture->store, &sizes, &err), err);
    const uint64_t *size = hashmap_get(&sizes, hex);
    assert_non_null(size);
    assert_in_range(*size, 1 << 20, 2 << 20);
    digest_format_hex(&blob, hex);
    assert_non_null(hashmap_get(&sizes, hex));
}

static void unreadable_record_keeps_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(hashmap_release) struct hashmap sizes = HASHMAP_INIT(free);
    AUTO(hashmap_release) struct hashmap names = HASHMAP_INIT(NULL);
    uint64_t n_removed = 0;
    put_record(fixture, "k1", "blob", 1000);
    struct digest key = digest_of("k1", 2);
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&key, hex);
    assert_ok(
        fs_write_file(store_dir_fd(fixture->store, STORE_CACHE_RECORDS), hex, "{", 1, 0600, &err),
        err);
    assert_ok(store_records_mark(fixture->store,
                                 &(struct store_records_limits){ .all = false, .cap = 100 }, &sizes,
                                 &names, &n_removed, &err),
              err);
    assert_false(is_marked(&names, "blob"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(least_recently_used_goes_first),
        fixture_test(leased_record_stays),
        fixture_test(sizes_are_of_blobs_and_forms),
        fixture_test(unreadable_record_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
