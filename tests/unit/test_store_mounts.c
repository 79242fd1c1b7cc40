/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_mounts.h"

#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/store_fixture.h"

#include <fcntl.h>

static const char *const names[] = {
    "0000000000000000000000000000000000000000000000000000000000000001",
    "0000000000000000000000000000000000000000000000000000000000000002.1",
    "0000000000000000000000000000000000000000000000000000000000000003",
};

/* names[i] is used in second 1000 * (i + 1). */
static void make_mounts(struct fixture *fixture)
{
    struct error *err = NULL;
    const int fd = store_dir_fd(fixture->store, STORE_CACHE_MOUNTS);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO(free) char *id = xasprintf("/id%zu", i);
        AUTO(free) char *file = xasprintf("%s.id", names[i]);
        AUTO(lockfile_release)
        struct lockfile *use = store_mount_use(
            fixture->store, &(struct store_mount_request){ .name = names[i], .id = id }, &err);
        const struct timespec times[2] = { { .tv_sec = 1000 * ((long)i + 1) },
                                           { .tv_sec = 1000 * ((long)i + 1) } };
        assert_ok_ptr(use, err);
        assert_int_equal(mkdirat(fd, names[i], 0700), 0);
        assert_int_equal(utimensat(fd, file, times, 0), 0);
    }
}

/* Ids in order, each with a blank. */
static char *list(struct fixture *fixture)
{
    struct error *err = NULL;
    AUTO(store_mounts_release) struct store_mounts mounts = { .items = NULL };
    struct strbuf text = STRBUF_INIT;
    assert_ok(store_mounts_list(fixture->store, &mounts, &err), err);
    for (size_t i = 0; i < mounts.n_items; i++)
        strbuf_addf(&text, "%s ", mounts.items[i].id);
    return strbuf_detach(&text);
}

static void those_used_since_a_moment_stay(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    uint64_t n = 0, size = 0;
    const struct store_mounts_limits limits = { .all = true, .used_before = 3000 };
    make_mounts(fixture);
    AUTO(free) char *before = list(fixture);
    assert_string_equal(before, "/id0 /id1 /id2 ");
    assert_ok(store_mounts_collect(fixture->store, &limits, &n, &size, NULL, &err), err);
    AUTO(free) char *after = list(fixture);
    assert_string_equal(after, "/id2 ");
    assert_int_equal(n, 2);
}

static void what_is_in_use_and_what_isnt_known_stays(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    uint64_t n = 0, size = 0;
    const struct store_mounts_limits limits = { .all = true };
    const int fd = store_dir_fd(fixture->store, STORE_CACHE_MOUNTS);
    make_mounts(fixture);
    assert_int_equal(mkdirat(fd, "future", 0700), 0);
    AUTO(lockfile_release)
    struct lockfile *use = store_mount_use(
        fixture->store, &(struct store_mount_request){ .name = names[1], .id = "/used" }, &err);
    assert_ok_ptr(use, err);
    assert_ok(store_mounts_collect(fixture->store, &limits, &n, &size, NULL, &err), err);
    AUTO(free) char *after = list(fixture);
    assert_string_equal(after, "/used ");
    struct stat st;
    assert_int_equal(fs_stat(fd, "future", &st, &err), 1);
}

static int give_up(void *data, struct error **err)
{
    ++*(unsigned *)data;
    return error_set(err, ERR_CANCELLED, "enough");
}

/* Who has one alone waits for all others, and they for him; who shares it for nobody else. */
static void one_that_is_used_alone_is_waited_for(void **state)
{
    static const struct {
        bool first_alone, second_alone;
    } cases[] = { { false, false }, { false, true }, { true, false }, { true, true } };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        unsigned n_checks = 0;
        struct store_mount_request request = { .name = names[0],
                                               .id = "/id",
                                               .alone = cases[i].first_alone,
                                               .check = give_up,
                                               .check_data = &n_checks };
        AUTO(lockfile_release)
        struct lockfile *first = store_mount_use(fixture->store, &request, &err);
        assert_ok_ptr(first, err);
        request.alone = cases[i].second_alone;
        AUTO(lockfile_release)
        struct lockfile *second = store_mount_use(fixture->store, &request, &err);
        bool waits = cases[i].first_alone || cases[i].second_alone;
        assert_int_equal(second == NULL, waits);
        assert_int_equal(n_checks, waits);
        assert_int_equal(error_is(err, ERR_CANCELLED), waits);
        error_clear(&err);
    }
}

static void what_a_killed_collector_left_is_removed(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    uint64_t n = 0, size = 0;
    const struct store_mounts_limits limits = { .all = true };
    const int fd = store_dir_fd(fixture->store, STORE_CACHE_MOUNTS);
    AUTO(free) char *gone = xasprintf("%s.gone", names[0]);
    struct stat st;
    assert_int_equal(mkdirat(fd, gone, 0700), 0);
    assert_ok(store_mounts_collect(fixture->store, &limits, &n, &size, NULL, &err), err);
    assert_int_equal(fs_stat(fd, gone, &st, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(those_used_since_a_moment_stay),
        fixture_test(what_is_in_use_and_what_isnt_known_stays),
        fixture_test(one_that_is_used_alone_is_waited_for),
        fixture_test(what_a_killed_collector_left_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
