/* SPDX-License-Identifier: Apache-2.0 */
/* Things as overlay leaves them in an upper, made by hand: no mount is needed. */
#include "layers/upper_owner.h"

#include "base/array.h"
#include "tests/unit/temp_dir.h"
#include "tests/unit/test.h"

#include <sys/xattr.h>

#define BELOW_TIME 1000

enum thing { FILE_, DIRECTORY, SYMLINK };
enum mark { NO_MARK, ORIGIN, OPAQUE };
enum when { NOW, BELOWS, WHOLE };

static const struct {
    const char *name;
    enum thing thing;
    enum mark mark;
    enum when when;
    bool is_below, has_names, is_restored;
    unsigned parent_mode;
    uint32_t uid, gid; /* expected */
} cases[] = {
    { "a new file is the command's", FILE_, NO_MARK, NOW, false, false, false, 0755, 1, 2 },
    { "a copied file is whose it was", FILE_, ORIGIN, NOW, true, false, false, 0755, 33, 44 },
    { "a file that took another's place is new", FILE_, NO_MARK, NOW, true, false, false, 0755, 1,
      2 },
    { "a file moved here is new", FILE_, ORIGIN, NOW, false, false, false, 0755, 1, 2 },
    { "a file with several names isn't marked", FILE_, NO_MARK, NOW, true, true, false, 0755, 33,
      44 },
    { "an untouched time is the copy's", FILE_, NO_MARK, BELOWS, true, false, false, 0755, 33, 44 },
    { "written anew", FILE_, NO_MARK, NOW, true, false, true, 0755, 33, 44 },
    { "written anew, of an archive", FILE_, NO_MARK, WHOLE, true, false, true, 0755, 1, 2 },
    { "written for the first time", FILE_, NO_MARK, NOW, false, false, true, 0755, 1, 2 },
    { "new in a set-group-id directory", FILE_, NO_MARK, NOW, false, false, false, 02755, 1, 50 },
    { "copied in a set-group-id directory", FILE_, ORIGIN, NOW, true, false, false, 02755, 33, 44 },
    { "a merged directory", DIRECTORY, NO_MARK, NOW, true, false, false, 0755, 33, 44 },
    { "a directory made anew", DIRECTORY, OPAQUE, NOW, true, false, false, 0755, 1, 2 },
    { "a new directory", DIRECTORY, NO_MARK, NOW, false, false, false, 0755, 1, 2 },
    { "a link that was touched", SYMLINK, NO_MARK, BELOWS, true, false, false, 0755, 33, 44 },
    { "a link made anew", SYMLINK, NO_MARK, NOW, true, false, false, 0755, 1, 2 },
};

static const struct timespec times[] = {
    [NOW] = { BELOW_TIME, 1 },
    [BELOWS] = { BELOW_TIME, 0 },
    [WHOLE] = { BELOW_TIME + 1, 0 },
};

static int make(enum thing thing, int dir_fd)
{
    switch (thing) {
    case FILE_: {
        AUTO(close) int fd = openat(dir_fd, "x", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        return fd < 0 ? -1 : 0;
    }
    case DIRECTORY:
        return mkdirat(dir_fd, "x", 0755);
    case SYMLINK:
        return symlinkat("target", dir_fd, "x");
    }
    return -1;
}

static void owners_come_from_below_or_the_command(void **state)
{
    const struct temp_dir *dir = *state;
    AUTO(free) char *path = xasprintf("%s/x", dir->path);
    const int dir_fd = dir->fd;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        assert_ok(fs_remove_tree(dir_fd, "x", &err), err);
        assert_int_equal(make(cases[i].thing, dir_fd), 0);
        if (cases[i].mark == ORIGIN && setxattr(path, "user.overlay.origin", "", 0, 0) < 0)
            skip();
        if (cases[i].mark == OPAQUE && setxattr(path, "user.overlay.opaque", "y", 1, 0) < 0)
            skip();
        const struct timespec time = times[cases[i].when], both[2] = { time, time };
        assert_int_equal(utimensat(dir_fd, "x", both, AT_SYMLINK_NOFOLLOW), 0);
        struct stat st;
        assert_int_equal(fstatat(dir_fd, "x", &st, AT_SYMLINK_NOFOLLOW), 0);
        const struct entry below = { .uid = 33, .gid = 44, .mtime = BELOW_TIME };
        const struct entry parent = { .mode = cases[i].parent_mode, .uid = 5, .gid = 50 };
        const struct upper_place place = { .dir_fd = dir_fd,
                                           .name = "x",
                                           .st = &st,
                                           .below = cases[i].is_below ? &below : NULL,
                                           .replaced = cases[i].is_below ? &below : NULL,
                                           .has_names = cases[i].has_names,
                                           .is_restored = cases[i].is_restored,
                                           .parent = &parent };
        struct entry entry = { .mode = 0644 };
        assert_ok(upper_owner_set(&place, 1, 2, &entry, &err), err);
        if (entry.uid != cases[i].uid || entry.gid != cases[i].gid)
            fail_msg("%s: %u:%u", cases[i].name, entry.uid, entry.gid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(owners_come_from_below_or_the_command, temp_dir_setup,
                                        temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
