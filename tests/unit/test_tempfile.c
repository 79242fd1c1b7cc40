/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tempfile.h"
#include "tests/unit/temp_dir.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t count(const struct temp_dir *dir)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list(dir->fd, ".", &names, &err), err);
    return names.n;
}

static void commit_replaces_and_free_removes(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(tempfile_free) struct tempfile *kept = tempfile_new(dir->fd, "x", &err);
    assert_ok_ptr(kept, err);
    assert_memory_equal(tempfile_name(kept), "x.", 2);
    assert_int_equal(write(tempfile_fd(kept), "new", 3), 3);
    assert_ok(fs_write_file(dir->fd, "final", "old", 3, 0644, &err), err);
    assert_ok(tempfile_commit(kept, dir->fd, "final", &err), err);
    assert_ok(fs_read_file(dir->fd, "final", &buf, 9, &err), err);
    assert_string_equal(buf.data, "new");
    struct tempfile *dropped = tempfile_new(dir->fd, "x", &err);
    assert_ok_ptr(dropped, err);
    assert_int_equal(count(dir), 2);
    tempfile_free(dropped);
    tempfile_free(NULL);
    assert_int_equal(count(dir), 1);
}

static void failed_commit_can_be_freed(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    struct tempfile *file = tempfile_new(dir->fd, "x", &err);
    assert_ok_ptr(file, err);
    assert_fails(tempfile_commit(file, dir->fd, "no/where", &err), err, ERR_NOT_FOUND,
                 "renaming a temporary file to no/where");
    tempfile_free(file);
    assert_int_equal(count(dir), 0);
}

static void remove_all_cancels_commits(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(tempfile_free) struct tempfile *file = tempfile_new(dir->fd, "x", &err);
    assert_ok_ptr(file, err);
    tempfile_remove_all();
    tempfile_remove_all();
    assert_int_equal(count(dir), 0);
    assert_fails(tempfile_commit(file, dir->fd, "final", &err), err, ERR_CANCELLED, "interrupted");
    AUTO(tempfile_free) struct tempfile *next = tempfile_new(dir->fd, "x", &err);
    assert_ok_ptr(next, err);
    assert_int_equal(count(dir), 1);
}

static void a_directory_that_is_gone_is_an_error(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    assert_null(tempfile_new(-1, "x", &err));
    assert_true(error_is(err, ERR_IO));
    error_clear(&err);
    assert_int_equal(mkdirat(dir->fd, "d", 0700), 0);
    AUTO(close) int fd = openat(dir->fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(unlinkat(dir->fd, "d", AT_REMOVEDIR), 0);
    assert_null(tempfile_new(fd, "x", &err));
    assert_true(error_is(err, ERR_NOT_FOUND));
    error_clear(&err);
    assert_null(tempdir_new(fd, "x", &err));
    assert_true(error_is(err, ERR_NOT_FOUND));
    error_clear(&err);
}

/* exit() in a child: its own go, its parent's stay. */
static void exit_removes_what_is_open(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(tempfile_free) struct tempfile *of_parent = tempfile_new(dir->fd, "parent", &err);
    assert_ok_ptr(of_parent, err);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct tempfile *file = tempfile_new(dir->fd, "child", &err);
        char *gone = tempdir_new(dir->fd, "gone", &err);
        char *kept = tempdir_new(dir->fd, "kept", &err);
        if (!file || !gone || !kept || symlinkat("x", dir->fd, "y") < 0)
            _exit(1);
        char *inside = xasprintf("%s/d/e", gone);
        if (fs_mkdirs(dir->fd, inside, 0700, &err) < 0)
            _exit(2);
        tempdir_forget(kept);
        free(inside); /* by hand: exit() unwinds no scope */
        free(kept);
        free(gone);
        tempfile_remove_all();
        free(file);
        exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list(dir->fd, ".", &names, &err), err);
    assert_int_equal(names.n, 3);
    assert_memory_equal(names.items[0], "kept.", 5);
    assert_memory_equal(names.items[1], "parent.", 7);
    assert_string_equal(names.items[2], "y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(commit_replaces_and_free_removes),
        TEMP_DIR_TEST(failed_commit_can_be_freed),
        TEMP_DIR_TEST(remove_all_cancels_commits),
        TEMP_DIR_TEST(a_directory_that_is_gone_is_an_error),
        TEMP_DIR_TEST(exit_removes_what_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
