/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/places.h"

#include "base/fs.h"
#include "tests/unit/temp_dir.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct yard {
    struct temp_dir *dir;
    int root_fd, scratch_fd;
    struct places *places;
};

static const struct place_owner owner = { 0, 0, 0640 };

static int setup(void **state)
{
    void *dir = NULL;
    struct error *err = NULL;
    if (temp_dir_setup(&dir) < 0)
        return -1;
    struct yard *yard = NEW(struct yard);
    yard->dir = dir;
    *state = yard;
    if (fs_mkdirs(yard->dir->fd, "root/etc", 0755, &err) < 0 ||
        fs_mkdirs(yard->dir->fd, "scratch", 0755, &err) < 0)
        return -1;
    yard->root_fd = openat(yard->dir->fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    yard->scratch_fd = openat(yard->dir->fd, "scratch", O_PATH | O_DIRECTORY | O_CLOEXEC);
    yard->places = places_new(yard->root_fd, yard->scratch_fd, &err);
    return yard->places ? 0 : -1;
}

static int teardown(void **state)
{
    struct yard *yard = *state;
    void *dir = yard->dir;
    places_free(yard->places);
    close_auto(&yard->root_fd);
    close_auto(&yard->scratch_fd);
    free(yard);
    return temp_dir_teardown(&dir);
}

static void write_file(int dir_fd, const char *path, const char *text)
{
    struct error *err = NULL;
    assert_ok(fs_write_file(dir_fd, path, text, strlen(text), 0644, &err), err);
}

static void assert_text(int dir_fd, const char *path, const char *expected)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    assert_ok(fs_read_file(dir_fd, path, &text, 1000, &err), err);
    assert_string_equal(text.data, expected);
}

static bool is_there(const struct yard *yard, const char *path)
{
    struct stat st;
    return fstatat(yard->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void set_time(const struct yard *yard, const char *path, long seconds)
{
    const struct timespec times[2] = { { seconds, 0 }, { seconds, 0 } };
    assert_int_equal(utimensat(yard->root_fd, path, times, 0), 0);
}

static long time_of(const struct yard *yard, const char *path)
{
    struct stat st;
    assert_int_equal(fstatat(yard->root_fd, path, &st, 0), 0);
    return st.st_mtim.tv_sec;
}

static void restore(struct yard *yard)
{
    struct error *err = NULL;
    assert_ok(places_restore(yard->places, &err), err);
}

static void mount_points_leave_no_trace(void **state)
{
    struct yard *yard = *state;
    struct error *err = NULL;
    if (geteuid() != 0)
        skip(); /* what is made has to be root's */
    set_time(yard, "etc", 1000);
    set_time(yard, ".", 2000);
    assert_ok(places_add_point(yard->places, "/etc/hosts", false, 0, &err), err);
    assert_ok(places_add_point(yard->places, "/a/b/c", true, 0, &err), err);
    assert_ok(places_add_point(yard->places, "/a/b/d", true, 0, &err), err);
    assert_ok(places_add_point(yard->places, "/etc", true, 0, &err), err);
    assert_true(is_there(yard, "a/b/c") && is_there(yard, "etc/hosts"));
    assert_int_equal(time_of(yard, "etc"), 1000);
    assert_int_equal(time_of(yard, "a"), 0);
    restore(yard);
    assert_false(is_there(yard, "a"));
    assert_false(is_there(yard, "etc/hosts"));
    assert_int_equal(time_of(yard, "etc"), 1000);
    assert_int_equal(time_of(yard, "."), 2000);
}

static void what_the_command_did_to_them_stays(void **state)
{
    struct yard *yard = *state;
    struct error *err = NULL;
    if (geteuid() != 0)
        skip();
    assert_ok(places_add_point(yard->places, "/a/b", true, 0, &err), err);
    assert_ok(places_add_point(yard->places, "/c/d", true, 0, &err), err);
    write_file(yard->root_fd, "a/mine", "");
    assert_int_equal(fchmodat(yard->root_fd, "c", 0700, 0), 0);
    set_time(yard, "a", 3000);
    restore(yard);
    assert_true(is_there(yard, "a/mine"));
    assert_false(is_there(yard, "a/b"));
    assert_int_equal(time_of(yard, "a"), 3000);
    assert_true(is_there(yard, "c"));
    assert_false(is_there(yard, "c/d"));
}

static void a_point_of_the_other_kind_is_an_error(void **state)
{
    struct yard *yard = *state;
    struct error *err = NULL;
    assert_fails(places_add_point(yard->places, "/etc", false, 0, &err), err, ERR_RUN,
                 "mount point is a directory in the image: /etc");
}

static void what_is_put_gives_way_to_what_was_there(void **state)
{
    struct yard *yard = *state;
    struct error *err = NULL;
    if (geteuid() != 0)
        skip();
    write_file(yard->root_fd, "etc/hosts", "image's");
    assert_int_equal(symlinkat("/etc/hosts", yard->root_fd, "link"), 0);
    set_time(yard, "etc", 1000);
    assert_ok(places_add_file(yard->places, "/link", "ours", 4, &owner, &err), err);
    assert_text(yard->root_fd, "etc/hosts", "ours");
    assert_ok(places_add_file(yard->places, "/new/file", "x", 1, &owner, &err), err);
    assert_int_equal(time_of(yard, "etc"), 1000);
    /* the command may write to it, and replace it */
    assert_int_equal(unlinkat(yard->root_fd, "etc/hosts", 0), 0);
    assert_int_equal(mkdirat(yard->root_fd, "etc/hosts", 0755), 0);
    set_time(yard, "etc", 4000);
    restore(yard);
    assert_text(yard->root_fd, "etc/hosts", "image's");
    assert_int_equal(time_of(yard, "etc"), 4000);
    assert_false(is_there(yard, "new"));
    assert_true(is_there(yard, "link"));
}

static void what_is_moved_goes_back_from_wherever_it_is(void **state)
{
    struct yard *yard = *state;
    struct error *err = NULL;
    if (geteuid() != 0)
        skip();
    assert_ok(fs_mkdirs(yard->dir->fd, "caches/one", 0755, &err), err);
    AUTO(close) int from = openat(yard->dir->fd, "caches", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_ok(places_add_moved(yard->places, "/deep/cache", from, "one", &err), err);
    write_file(yard->root_fd, "deep/cache/kept", "k");
    /* the directory that it is in has been moved by the command */
    assert_int_equal(renameat(yard->root_fd, "deep", yard->root_fd, "moved"), 0);
    restore(yard);
    assert_text(from, "one/kept", "k");
    assert_false(is_there(yard, "moved/cache"));
    assert_fails(places_add_moved(yard->places, "/x", from, "none", &err), err, ERR_NOT_FOUND,
                 "mount source none: there is no such file");
}

/* It would be mounted by the next one who wants what was moved. */
static void a_link_in_the_place_of_what_was_moved_doesnt_go_there(void **state)
{
    struct yard *yard = *state;
    struct error *err = NULL;
    assert_ok(fs_mkdirs(yard->dir->fd, "caches/one", 0755, &err), err);
    AUTO(close) int from = openat(yard->dir->fd, "caches", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_ok(places_add_moved(yard->places, "/cache", from, "one", &err), err);
    assert_ok(fs_remove_tree(yard->root_fd, "cache", &err), err);
    assert_int_equal(symlinkat("/etc", yard->root_fd, "cache"), 0);
    restore(yard);
    struct stat st;
    assert_int_equal(fstatat(from, "one", &st, AT_SYMLINK_NOFOLLOW), -1);
    assert_false(is_there(yard, "cache"));
}

static void a_directory_that_is_gone_takes_what_was_in_it_along(void **state)
{
    struct yard *yard = *state;
    struct error *err = NULL;
    write_file(yard->root_fd, "etc/hosts", "image's");
    const struct place_owner mine = { getuid(), getgid(), 0755 };
    assert_ok(places_add_file(yard->places, "/etc/hosts", "ours", 4, &mine, &err), err);
    assert_ok(places_add_directory(yard->places, "/tmp", &mine, &err), err);
    assert_ok(fs_remove_tree(yard->root_fd, "etc", &err), err);
    restore(yard);
    assert_false(is_there(yard, "etc"));
    assert_false(is_there(yard, "tmp"));
}

#define PLACES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACES_TEST(mount_points_leave_no_trace),
        PLACES_TEST(what_the_command_did_to_them_stays),
        PLACES_TEST(a_point_of_the_other_kind_is_an_error),
        PLACES_TEST(what_is_put_gives_way_to_what_was_there),
        PLACES_TEST(what_is_moved_goes_back_from_wherever_it_is),
        PLACES_TEST(a_link_in_the_place_of_what_was_moved_doesnt_go_there),
        PLACES_TEST(a_directory_that_is_gone_takes_what_was_in_it_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
