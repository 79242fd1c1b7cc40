/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_internal.h"
#include "tests/unit/crash_fixture.h"

static void put_file(const struct fixture *fixture, enum store_dir dir, const char *prefix,
                     const char *text)
{
    struct error *err = NULL;
    struct digest digest = digest_of(text, strlen(text));
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&digest, hex);
    AUTO(free) char *name = xasprintf("%s%s", prefix, hex);
    assert_ok(
        fs_write_file(store_dir_fd(fixture->store, dir), name, text, strlen(text), 0600, &err),
        err);
}

static void blobs_of_a_crash_are_verified(void **state)
{
    struct fixture *fixture = *state;
    struct digest a = fixture_blob(fixture->store, "a");
    struct digest b = fixture_blob(fixture->store, "b");
    crash(fixture);
    fixture_damage(fixture, &b);
    fixture_reopen(fixture);
    assert_true(store_has_blob(fixture->store, &a, NULL));
    assert_false(store_has_blob(fixture->store, &b, NULL));
    assert_int_equal(fixture_count(fixture, "unsynced"), 0);
}

/* The file's own content isn't synced either: what changed after its birth is looked at. */
static void lost_names_are_made_up_for_by_times(void **state)
{
    struct fixture *fixture = *state;
    struct digest a = fixture_blob(fixture->store, "a");
    struct digest b = fixture_blob(fixture->store, "b");
    AUTO(close)
    int fd = openat(fixture->store->unsynced_fd, fixture->store->boot, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 0), 0);
    crash(fixture);
    fixture_damage(fixture, &b);
    fixture_reopen(fixture);
    assert_true(store_has_blob(fixture->store, &a, NULL));
    assert_false(store_has_blob(fixture->store, &b, NULL));
}

static void what_nobody_can_verify_is_removed(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest a = fixture_blob(fixture->store, "a");
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&a, hex);
    static const char *const places[] = { "layers/u-root/d-%s/etc", "layers/u-root/c-%s" };
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        AUTO(free)
        char *path =
            i ? xasprintf("layers/u-root/c-%s", hex) : xasprintf("layers/u-root/d-%s/etc", hex);
        assert_ok(fs_mkdirs(store_dir_fd(fixture->store, STORE_ROOT), path, 0755, &err), err);
    }
    put_file(fixture, STORE_CACHE_CONTEXTS, "from-", "{}");
    put_file(fixture, STORE_CACHE_CONTEXTS, "shape-", "");
    crash(fixture);
    fixture_reopen(fixture);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 0);
    assert_int_equal(fixture_count(fixture, "cache/contexts"), 1);
    assert_true(store_has_blob(fixture->store, &a, NULL));
}

/* A machine that was switched off runs no step again; one that lost data doesn't trust its records.
 */
static void records_stay_when_they_are_whole(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *prefix, *text;
        bool stays;
    } cases[] = {
        { "", "{\"version\":1}", true },
        { "", "{\"version\":1", false },
        { "", "", false },
        { "rest-", "[\"workdir\",\"\",\"/\"]\n", true },
        { "rest-", "", false },
    };
    fixture_blob(fixture->store, "a");
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        put_file(fixture, STORE_CACHE_RECORDS, cases[i].prefix, cases[i].text);
        n += cases[i].stays;
    }
    crash(fixture);
    fixture_reopen(fixture);
    assert_int_equal(fixture_count(fixture, "cache/records"), n);
}

static void entry_lists_are_left_to_their_checksums(void **state)
{
    struct fixture *fixture = *state;
    fixture_blob(fixture->store, "a");
    put_file(fixture, STORE_ENTRIES, "", "a");
    crash(fixture);
    fixture_reopen(fixture);
    assert_int_equal(fixture_count(fixture, "entries"), 1);
}

static void without_a_list_nothing_is_looked_at(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest a = fixture_blob(fixture->store, "a");
    assert_ok(store_sync(fixture->store, &err), err);
    fixture_damage(fixture, &a);
    fixture_reopen(fixture);
    assert_true(store_has_blob(fixture->store, &a, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(blobs_of_a_crash_are_verified),
        fixture_test(lost_names_are_made_up_for_by_times),
        fixture_test(what_nobody_can_verify_is_removed),
        fixture_test(records_stay_when_they_are_whole),
        fixture_test(entry_lists_are_left_to_their_checksums),
        fixture_test(without_a_list_nothing_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
