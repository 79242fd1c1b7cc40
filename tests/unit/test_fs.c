/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "tests/unit/temp_dir.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(int dir_fd, const char *path, const char *content)
{
    struct error *err = NULL;
    assert_ok(fs_write_file(dir_fd, path, content, strlen(content), 0644, &err), err);
}

static void write_then_read_back(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    struct stat st;
    put(dir->fd, "f", "old");
    assert_ok(fs_write_file_synced(dir->fd, "f", "new", 3, 0600, &err), err);
    assert_ok(fs_read_file(dir->fd, "f", &buf, 3, &err), err);
    assert_string_equal(buf.data, "new");
    assert_int_equal(fs_stat(dir->fd, "f", &st, &err), 1);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_fails(fs_read_file(dir->fd, "f", &buf, 2, &err), err, ERR_LIMIT,
                 "reading f: more than 2");
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list(dir->fd, ".", &names, &err), err);
    assert_int_equal(names.n, 1); /* no temp file stays */
}

static void missing_files_are_not_found(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    struct stat st;
    assert_fails(fs_read_file(dir->fd, "x", &buf, 9, &err), err, ERR_NOT_FOUND,
                 "opening x: No such");
    assert_fails(fs_open(dir->fd, "x", O_RDONLY, 0, &err), err, ERR_NOT_FOUND, "opening x");
    assert_fails(fs_list(dir->fd, "x", &names, &err), err, ERR_NOT_FOUND, "listing x");
    assert_fails(fs_write_file(dir->fd, "x/y", "", 0, 0644, &err), err, ERR_NOT_FOUND,
                 "writing x/y");
    assert_null(fs_read_link(dir->fd, "x", &err));
    assert_true(error_is(err, ERR_NOT_FOUND));
    error_clear(&err);
    assert_int_equal(fs_stat(dir->fd, "x", &st, &err), 0);
    put(dir->fd, "file", "");
    assert_int_equal(fs_stat(dir->fd, "file/x", &st, &err), 0);
    assert_ok(fs_unlink(dir->fd, "x", &err), err);
}

static void fifos_and_directories_are_not_read(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    assert_int_equal(mkfifoat(dir->fd, "fifo", 0600), 0);
    assert_fails(fs_read_file(dir->fd, "fifo", &buf, 9, &err), err, ERR_INVALID,
                 "reading fifo: not a regular file");
    assert_fails(fs_read_file(dir->fd, ".", &buf, 9, &err), err, ERR_INVALID, "not a regular file");
}

static void mkdirs_makes_parents_and_refuses_links(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    struct stat st;
    assert_ok(fs_mkdirs(dir->fd, "a//b/./c/", 0755, &err), err);
    assert_ok(fs_mkdirs(dir->fd, "a/b/c", 0755, &err), err);
    assert_int_equal(fs_stat(dir->fd, "a/b/c", &st, &err), 1);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(symlinkat("a", dir->fd, "link"), 0);
    assert_fails(fs_mkdirs(dir->fd, "link/x", 0755, &err), err, ERR_IO, "making directory link/x");
    assert_fails(fs_mkdirs(dir->fd, "../x", 0755, &err), err, ERR_IO, "making directory ../x");
    assert_fails(fs_mkdirs(dir->fd, "/x", 0755, &err), err, ERR_IO, "making directory /x");
    put(dir->fd, "file", "");
    assert_fails(fs_mkdirs(dir->fd, "file/x", 0755, &err), err, ERR_IO, "Not a directory");
    assert_ok(fs_mkdirs_following(dir->fd, "link/x", 0755, &err), err);
    AUTO(free) char *absolute = xasprintf("%s/link/y/z", dir->path);
    assert_ok(fs_mkdirs_following(AT_FDCWD, absolute, 0755, &err), err);
    assert_int_equal(fs_stat(dir->fd, "a/y/z", &st, &err), 1);
}

static void list_is_sorted_by_bytes(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    static const char *const sorted[] = { ".a", "B", "a", "a-b", "\xc3\xa9" };
    for (size_t i = ARRAY_SIZE(sorted); i-- > 0;)
        put(dir->fd, sorted[i], "");
    for (int again = 0; again < 2; again++) { /* the position of the fd doesn't matter */
        strvec_release(&names);
        assert_ok(fs_list_fd(dir->fd, &names, "dir", &err), err);
        assert_int_equal(names.n, ARRAY_SIZE(sorted));
        for (size_t i = 0; i < names.n; i++)
            assert_string_equal(names.items[i], sorted[i]);
    }
}

static void no_name(void *data, const char *name, unsigned char type UNUSED)
{
    (void)data;
    fail_msg("%s", name);
}

static void a_directory_that_was_removed_has_no_names(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    assert_int_equal(mkdirat(dir->fd, "d", 0700), 0);
    AUTO(close) int fd = openat(dir->fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(unlinkat(dir->fd, "d", AT_REMOVEDIR), 0);
    assert_ok(fs_each_name(fd, no_name, NULL, "d", &err), err);
}

static void links_are_read(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    assert_int_equal(symlinkat("../target", dir->fd, "link"), 0);
    AUTO(free) char *target = fs_read_link(dir->fd, "link", &err);
    assert_ok_ptr(target, err);
    assert_string_equal(target, "../target");
}

static void free_space_is_told(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    uint64_t size = 0;
    assert_ok(fs_free_space(dir->fd, &size, &err), err);
    assert_true(size > 0);
    assert_fails(fs_free_space(-1, &size, &err), err, ERR_IO, "free space");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(write_then_read_back),
        TEMP_DIR_TEST(missing_files_are_not_found),
        TEMP_DIR_TEST(fifos_and_directories_are_not_read),
        TEMP_DIR_TEST(mkdirs_makes_parents_and_refuses_links),
        TEMP_DIR_TEST(list_is_sorted_by_bytes),
        TEMP_DIR_TEST(a_directory_that_was_removed_has_no_names),
        TEMP_DIR_TEST(links_are_read),
        TEMP_DIR_TEST(free_space_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
