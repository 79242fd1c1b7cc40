/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include "oci/store_internal.h"
#include "tests/unit/store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

static bool is_leased(struct store *store, const struct digest *digest)
{
    struct error *err = NULL;
    char hex[DIGEST_HEX_SIZE];
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    digest_format_hex(digest, hex);
    assert_ok(store_leased_names(store, &names, &err), err);
    return strvec_has(&names, hex);
}

static void lease_lasts_until_close(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest a = digest_of("a", 1);
    struct store *other = store_open(fixture->path, &err);
    assert_ok_ptr(other, err);
    assert_ok(store_lease(other, &a, &err), err);
    assert_ok(store_lease(other, &a, &err), err);
    assert_true(is_leased(fixture->store, &a));
    assert_true(is_leased(other, &a));
    assert_int_equal(fixture_count(fixture, "leases"), 2);
    assert_int_equal(fixture_count(fixture, "tmp"), 2);
    store_close(other);
    assert_false(is_leased(fixture->store, &a));
    assert_int_equal(fixture_count(fixture, "leases"), 1);
    assert_int_equal(fixture_count(fixture, "tmp"), 1);
}

/* Runs until it is killed; has a lease and a half-written blob by the time it writes to the pipe.
 */
static void child_that_holds(const char *path, const struct digest *digest, int ready)
{
    struct error *err = NULL;
    struct store *store = store_open(path, &err);
    struct store_ingest *ingest = store ? store_ingest_new(store, NULL, &err) : NULL;
    if (!ingest || store_lease(store, digest, &err) < 0 ||
        sink_write(store_ingest_sink(ingest), "half", 4, &err) < 0)
        _exit(1);
    if (write(ready, "x", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void death_ends_a_lease(void **state)
{
    struct fixture *fixture = *state;
    struct digest a = digest_of("a", 1);
    int fds[2];
    char c;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child_that_holds(fixture->path, &a, fds[1]);
    close(fds[1]);
    assert_int_equal(read(fds[0], &c, 1), 1);
    close(fds[0]);
    assert_true(is_leased(fixture->store, &a));
    assert_int_equal(fixture_count(fixture, "tmp"), 2);
    fixture_reopen(fixture); /* doesn't sweep who lives */
    assert_true(is_leased(fixture->store, &a));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(is_leased(fixture->store, &a));
    fixture_reopen(fixture);
    assert_int_equal(fixture_count(fixture, "leases"), 1);
    assert_int_equal(fixture_count(fixture, "tmp"), 1);
}

static void what_no_lease_owns_is_swept(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    int root = store_dir_fd(fixture->store, STORE_ROOT);
    static const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
    assert_ok(fs_mkdirs(root, "tmp/9-9/deep/er", 0755, &err), err);
    assert_ok(fs_write_file(root, "tmp/new", "x", 1, 0600, &err), err);
    assert_ok(fs_write_file(root, "tmp/old", "x", 1, 0600, &err), err);
    assert_int_equal(utimensat(root, "tmp/old", old, 0), 0);
    fixture_reopen(fixture);
    assert_int_equal(fixture_count(fixture, "tmp"), 2); /* ours, and new */
}

/* In a child, since a signal is for good. */
static void child_that_sweeps_when_stopped(const char *path)
{
    struct error *err = NULL;
    cancel_trigger(SIGTERM);
    _exit(!store_open(path, &err) && error_is(err, ERR_CANCELLED) ? 0 : 1);
}

static void a_signal_cuts_the_sweep_of_much_short(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    for (int leased = 0; leased < 2; leased++) {
        fixture_put_much(fixture, "tmp/9-9");
        if (leased)
            assert_ok(
                fs_write_file(store_dir_fd(fixture->store, STORE_LEASES), "9-9", "", 0, 0600, &err),
                err);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            child_that_sweeps_when_stopped(fixture->path);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        fixture_reopen(fixture);
        assert_int_equal(fixture_count(fixture, "leases"), 1);
        assert_int_equal(fixture_count(fixture, "tmp"), 1);
    }
}

static void tmp_is_the_process_own(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(store_close) struct store *other = store_open(fixture->path, &err);
    assert_ok_ptr(other, err);
    struct stat a, b;
    assert_int_equal(fstat(store_dir_fd(fixture->store, STORE_TMP), &a), 0);
    assert_int_equal(fstat(store_dir_fd(other, STORE_TMP), &b), 0);
    assert_int_not_equal(a.st_ino, b.st_ino);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(lease_lasts_until_close),
        fixture_test(death_ends_a_lease),
        fixture_test(what_no_lease_owns_is_swept),
        fixture_test(a_signal_cuts_the_sweep_of_much_short),
        fixture_test(tmp_is_the_process_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
