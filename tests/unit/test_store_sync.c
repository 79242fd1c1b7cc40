/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_internal.h"
#include "tests/unit/store_fixture.h"

#include <sys/syscall.h>

/* The names in this boot's file, in order, each as the index of its content in `contents`. */
static void assert_unsynced(const struct fixture *fixture, const char *const *contents, size_t n)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (fixture_count(fixture, "unsynced"))
        assert_ok(store_read_names(fixture->store->unsynced_fd, fixture->store->boot, &names, &err),
                  err);
    assert_int_equal(names.n, n);
    for (size_t i = 0; names.items && i < n; i++) {
        struct digest digest = digest_of(contents[i], strlen(contents[i]));
        char hex[DIGEST_HEX_SIZE];
        digest_format_hex(&digest, hex);
        assert_string_equal(names.items[i], hex);
    }
}

static void sync_empties_the_list(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const char *const contents[] = { "a", "b" };
    assert_ok(store_sync(fixture->store, &err), err);
    fixture_blob(fixture->store, "a");
    fixture_blob(fixture->store, "b");
    fixture_blob(fixture->store, "a");
    assert_unsynced(fixture, contents, 2);
    assert_ok(store_sync(fixture->store, &err), err);
    assert_int_equal(fixture_count(fixture, "unsynced"), 0);
    assert_ok(store_sync(fixture->store, &err), err);
}

static void names_of_others_are_synced_too(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(store_close) struct store *other = store_open(fixture->path, &err);
    assert_ok_ptr(other, err);
    fixture_blob(other, "a");
    assert_int_equal(fixture_count(fixture, "unsynced"), 1);
    assert_ok(store_sync(fixture->store, &err), err);
    assert_int_equal(fixture_count(fixture, "unsynced"), 0);
}

/* Stands in front of libc's: while it runs, another process renames blobs into place. */
static struct fixture *during_sync;

int syncfs(int fd)
{
    if (during_sync) {
        struct store *store = during_sync->store;
        during_sync = NULL;
        fixture_blob(store, "c");
        fixture_blob(store, "d");
    }
    return (int)syscall(SYS_syncfs, fd);
}

static void names_that_come_during_the_sync_stay(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const char *const contents[] = { "c", "d" };
    AUTO(store_close) struct store *other = store_open(fixture->path, &err);
    assert_ok_ptr(other, err);
    fixture_blob(other, "a");
    fixture_blob(other, "b");
    during_sync = fixture;
    assert_ok(store_sync(other, &err), err);
    assert_unsynced(fixture, contents, 2);
    assert_ok(store_sync(fixture->store, &err), err);
    assert_int_equal(fixture_count(fixture, "unsynced"), 0);
}

/* As if the machine had crashed: the list belongs to another boot. */
static void another_boot(struct fixture *fixture)
{
    int fd = fixture->store->unsynced_fd;
    assert_int_equal(renameat(fd, fixture->store->boot, fd, "earlier-boot"), 0);
}

static void blobs_of_a_crash_are_verified(void **state)
{
    struct fixture *fixture = *state;
    struct digest a = fixture_blob(fixture->store, "a");
    struct digest b = fixture_blob(fixture->store, "b");
    another_boot(fixture);
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
    another_boot(fixture);
    fixture_damage(fixture, &b);
    fixture_reopen(fixture);
    assert_true(store_has_blob(fixture->store, &a, NULL));
    assert_false(store_has_blob(fixture->store, &b, NULL));
}

static void caches_of_a_crash_are_removed(void **state)
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
    assert_ok(fs_write_file(store_dir_fd(fixture->store, STORE_ENTRIES), hex, "x", 1, 0600, &err),
              err);
    another_boot(fixture);
    fixture_reopen(fixture);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 0);
    assert_int_equal(fixture_count(fixture, "entries"), 0);
    assert_true(store_has_blob(fixture->store, &a, NULL));
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
        fixture_test(sync_empties_the_list),
        fixture_test(names_of_others_are_synced_too),
        fixture_test(names_that_come_during_the_sync_stay),
        fixture_test(blobs_of_a_crash_are_verified),
        fixture_test(lost_names_are_made_up_for_by_times),
        fixture_test(caches_of_a_crash_are_removed),
        fixture_test(without_a_list_nothing_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
