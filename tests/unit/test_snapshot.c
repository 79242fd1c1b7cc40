/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/snapshot.h"

#include "base/cancel.h"
#include "tests/unit/layers_fixture.h"

#include <signal.h>
#include <sys/wait.h>

static const char *folder(void)
{
    return geteuid() ? "layers/u-plain" : "layers/u-root";
}

static size_t count(const struct fixture *fixture, const char *prefix)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list(store_dir_fd(fixture->store, STORE_ROOT), folder(), &names, &err), err);
    size_t n = 0;
    for (size_t i = 0; i < names.n; i++)
        n += strncmp(names.items[i], prefix, strlen(prefix)) == 0;
    return n;
}

static struct snapshot *make_snapshot(const struct fixture *fixture, const char *file)
{
    struct error *err = NULL;
    struct snapshot *snapshot = snapshot_new(fixture->store, &err);
    assert_ok_ptr(snapshot, err);
    assert_ok(fs_write_file(snapshot_upper_fd(snapshot), file, "x", 1, 0644, &err), err);
    return snapshot;
}

static void a_private_form_goes_with_its_owner(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct snapshot *snapshot = make_snapshot(fixture, "f");
    struct stat st;
    assert_int_equal(fstat(snapshot_upper_fd(snapshot), &st), 0);
    assert_int_equal(st.st_mode & 07777, geteuid() ? 0700 : 0755);
    assert_ok(fs_write_file(snapshot_work_fd(snapshot), "w", "x", 1, 0644, &err), err);
    assert_int_equal(count(fixture, "p-"), 1);
    snapshot_free(snapshot);
    assert_int_equal(count(fixture, ""), 0);
}

static void what_lies_beside_a_form_goes_when_it_gets_its_name(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(snapshot_free) struct snapshot *snapshot = make_snapshot(fixture, "f");
    AUTO(free) char *link = xasprintf("/proc/self/fd/%d", snapshot_work_fd(snapshot));
    AUTO(free) char *work = fs_read_link(AT_FDCWD, link, &err);
    assert_int_equal(access(work, F_OK), 0);
    assert_ok(fs_write_file(snapshot_work_fd(snapshot), "w", "x", 1, 0644, &err), err);
    snapshot_seal(snapshot);
    assert_int_equal(access(work, F_OK), 0);
    struct digest chain = digest_of("chain", 5);
    assert_ok(snapshot_name(snapshot, &chain, &err), err);
    assert_int_equal(access(work, F_OK), -1);
    assert_int_equal(count(fixture, "p-"), 0);
}

static void a_named_form_stays_and_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest chain = digest_of("chain", 5), other = digest_of("other", 5);
    struct snapshot *snapshot = make_snapshot(fixture, "f");
    AUTO(free) char *before = snapshot_upper_path(snapshot);
    snapshot_seal(snapshot);
    assert_ok(snapshot_name(snapshot, &chain, &err), err);
    AUTO(free) char *after = snapshot_upper_path(snapshot);
    assert_string_not_equal(before, after);
    struct stat by_path, by_fd;
    assert_int_equal(stat(after, &by_path), 0);
    assert_int_equal(fstat(snapshot_upper_fd(snapshot), &by_fd), 0);
    assert_int_equal(by_path.st_ino, by_fd.st_ino);
    snapshot_free(snapshot);
    assert_int_equal(count(fixture, "c-"), 1);
    assert_int_equal(count(fixture, "p-"), 0);
    AUTO(close) int fd = snapshot_find(fixture->store, &other, &chain, &err);
    assert_ok(fd, err);
    assert_int_equal(snapshot_find(fixture->store, &other, &other, &err), -1);
    assert_null(err);
    assert_int_equal(snapshot_find(fixture->store, &chain, NULL, &err), -1);
    assert_null(err);
}

static void the_first_of_a_name_wins(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest chain = digest_of("chain", 5);
    struct snapshot *first = make_snapshot(fixture, "first");
    struct snapshot *second = make_snapshot(fixture, "second");
    assert_ok(snapshot_name(first, &chain, &err), err);
    assert_ok(snapshot_name(second, &chain, &err), err);
    struct stat st;
    assert_int_equal(fstatat(snapshot_upper_fd(second), "second", &st, 0), 0);
    AUTO(close) int fd = snapshot_find(fixture->store, NULL, &chain, &err);
    assert_ok(fd, err);
    assert_int_equal(fstatat(fd, "first", &st, 0), 0);
    snapshot_free(second);
    snapshot_free(first);
    assert_int_equal(count(fixture, ""), 1);
}

static void collecting_spares_forms_in_use(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct store_gc_result result;
    AUTO(snapshot_free) struct snapshot *snapshot = make_snapshot(fixture, "f");
    assert_ok(store_gc(fixture->store, 0, &result, &err), err);
    struct stat st;
    AUTO(free) char *upper = snapshot_upper_path(snapshot);
    assert_int_equal(stat(upper, &st), 0);
    assert_int_equal(count(fixture, "p-"), 1);
}

static void a_kept_form_is_taken_up_once_by_its_name(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest chain = digest_of("chain", 5);
    struct snapshot *snapshot = make_snapshot(fixture, "f");
    AUTO(free) char *name = snapshot_private_name(snapshot, &err);
    assert_ok_ptr(name, err);
    assert_null(snapshot_lock_name("u-other/p-1-2-3"));
    assert_null(snapshot_lock_name("p-1-2-3"));
    const char *lock_name = snapshot_lock_name(name);
    assert_string_equal(lock_name, strchr(name, '/') + 1);
    struct lockfile *lock = NULL;
    assert_ok(store_try_lock(fixture->store, lock_name, &lock, &err), err);
    assert_null(lock);
    snapshot_keep(snapshot);
    snapshot_free(snapshot);
    assert_int_equal(count(fixture, "p-"), 1);
    assert_ok(store_try_lock(fixture->store, lock_name, &lock, &err), err);
    snapshot = snapshot_reopen(fixture->store, name, lock, &err);
    assert_ok_ptr(snapshot, err);
    struct stat st;
    assert_int_equal(fstatat(snapshot_upper_fd(snapshot), "f", &st, 0), 0);
    AUTO(free) char *again = snapshot_private_name(snapshot, &err);
    assert_string_equal(again, name);
    assert_ok(snapshot_name(snapshot, &chain, &err), err);
    assert_null(snapshot_private_name(snapshot, &err));
    assert_null(err);
    snapshot_free(snapshot);
    assert_int_equal(count(fixture, "c-"), 1);
    assert_int_equal(count(fixture, "p-"), 0);
    assert_ok(store_try_lock(fixture->store, lock_name, &lock, &err), err);
    assert_null(snapshot_reopen(fixture->store, name, lock, &err));
    assert_null(err);
}

static void collecting_takes_what_a_killed_process_left(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct store *store = store_open(fixture->path, &err);
        _exit(store && snapshot_new(store, &err) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(count(fixture, "p-"), 1);
    struct store_gc_result result;
    assert_ok(store_gc(fixture->store, 0, &result, &err), err);
    assert_int_equal(count(fixture, ""), 0);
}

/* Ends the process as a signal does, with a form of so many files. */
static void child_that_is_stopped(const char *path, size_t n_files)
{
    struct error *err = NULL;
    struct store *store = store_open(path, &err);
    struct snapshot *snapshot = store ? snapshot_new(store, &err) : NULL;
    for (size_t i = 0; snapshot && i < n_files; i++) {
        AUTO(free) char *name = xasprintf("%zu", i);
        if (mknodat(snapshot_upper_fd(snapshot), name, S_IFREG | 0600, 0) < 0)
            _exit(1);
    }
    cancel_trigger(SIGTERM);
    snapshot_free(snapshot);
    store_close(store);
    _exit(snapshot ? 0 : 2);
}

static void a_large_form_of_a_stopped_process_is_swept_by_the_next(void **state)
{
    static const struct {
        size_t n_files, n_left; /* folders in tmp/ and leases besides ours */
    } cases[] = {
        { FS_DISCARD_MOST / 2, 0 },
        { 2 * FS_DISCARD_MOST + 100, 1 },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            child_that_is_stopped(fixture->path, cases[i].n_files);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(count(fixture, ""), 0);
        assert_int_equal(fixture_count(fixture, "tmp"), 1 + cases[i].n_left);
        assert_int_equal(fixture_count(fixture, "leases"), 1 + cases[i].n_left);
        fixture_reopen(fixture);
        assert_int_equal(fixture_count(fixture, "tmp"), 1);
        assert_int_equal(fixture_count(fixture, "leases"), 1);
    }
}

static void the_root_looks_as_below(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, "d ./ 0555,3,4,99; f a=1");
    AUTO(snapshot_free) struct snapshot *snapshot = make_snapshot(fixture, "f");
    assert_ok(snapshot_adopt_root(snapshot, tree, &err), err);
    struct stat st;
    assert_int_equal(fstat(snapshot_upper_fd(snapshot), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0555);
    assert_int_equal(st.st_uid, 3);
    assert_int_equal(st.st_gid, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(a_private_form_goes_with_its_owner),
        fixture_test(what_lies_beside_a_form_goes_when_it_gets_its_name),
        fixture_test(a_named_form_stays_and_is_found),
        fixture_test(the_first_of_a_name_wins),
        fixture_test(collecting_spares_forms_in_use),
        fixture_test(collecting_takes_what_a_killed_process_left),
        fixture_test(a_kept_form_is_taken_up_once_by_its_name),
        fixture_test(a_large_form_of_a_stopped_process_is_swept_by_the_next),
        fixture_test(the_root_looks_as_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
