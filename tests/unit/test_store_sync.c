/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_internal.h"
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* The content of a blob that can't be written: the kernel says so once. */
static const char *lost_content;
static bool syncfs_fails;

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
    if (syncfs_fails) {
        errno = EIO;
        return -1;
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

int sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    char text[16] = "";
    if (lost_content && pread(fd, text, sizeof(text) - 1, 0) > 0 && !strcmp(text, lost_content)) {
        lost_content = NULL;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_sync_file_range, fd, offset, size, flags);
}

/* Whether this syncfs was told of it, or another before. */
static void blobs_that_were_lost_on_the_way_to_the_disk_go(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    for (int told = 0; told < 2; told++) {
        struct digest lost = fixture_blob(fixture->store, "lost");
        struct digest good = fixture_blob(fixture->store, "good");
        lost_content = "lost";
        syncfs_fails = told;
        assert_fails(store_sync(fixture->store, &err), err, ERR_IO,
                     told ? "syncing store" : "syncing blob sha256:");
        assert_false(store_has_blob(fixture->store, &lost, NULL));
        assert_true(store_has_blob(fixture->store, &good, NULL));
        assert_int_equal(fixture_count(fixture, "unsynced"), 1);
        syncfs_fails = false;
        assert_ok(store_sync(fixture->store, &err), err);
        assert_int_equal(fixture_count(fixture, "unsynced"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(sync_empties_the_list),
        fixture_test(names_of_others_are_synced_too),
        fixture_test(names_that_come_during_the_sync_stay),
        fixture_test(blobs_that_were_lost_on_the_way_to_the_disk_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
