/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/lookup.h"

#include "tests/unit/temp_dir.h"

#include <errno.h>
#include <sys/stat.h>

/* A tree: files end in "f", links are "name>target", the rest are directories. */
static const char *const tree[] = {
    "a",
    "a/b",
    "a/b/f",
    "abs>/a/b",
    "rel>a/b",
    "up>../../../a",
    "a/back>..",
    "file>a/b/f",
    "dangling>/no/such",
    "deep>dangling/x",
    "loop>loop",
    "long",
    "a/out>../../../../etc/passwd",
    "chain1>chain2",
    "chain2>/chain3",
    "chain3>a",
    "self>.",
    "trail>a/b/",
};

static void make_tree(const struct temp_dir *dir)
{
    for (size_t i = 0; i < ARRAY_SIZE(tree); i++) {
        AUTO(free) char *name = xstrdup(tree[i]);
        char *target = strchr(name, '>');
        if (target) {
            *target++ = '\0';
            assert_int_equal(symlinkat(target, dir->fd, name), 0);
        } else if (name[strlen(name) - 1] == 'f') {
            int fd = openat(dir->fd, name, O_CREAT | O_WRONLY, 0644);
            assert_true(fd >= 0);
            (void)close(fd);
        } else {
            assert_int_equal(mkdirat(dir->fd, name, 0755), 0);
        }
    }
}

static const struct {
    const char *path;
    enum lookup_flags flags;
    const char *found;  /* NULL: see error */
    const char *exists; /* of a missing one: the part that is there; NULL: all of it */
    int error;
} cases[] = {
    { "/", 0, "", NULL, 0 },
    { "", 0, "", NULL, 0 },
    { "/..", 0, "", NULL, 0 },
    { "/a/b", 0, "a/b", NULL, 0 },
    { "a//b/./", 0, "a/b", NULL, 0 },
    { "/a/b/f", 0, "a/b/f", NULL, 0 },
    { "/a/../a/b/..", 0, "a", NULL, 0 },
    { "/abs/f", 0, "a/b/f", NULL, 0 },
    { "/rel", 0, "a/b", NULL, 0 },
    { "/up/b", 0, "a/b", NULL, 0 },
    { "/a/back/a", 0, "a", NULL, 0 },
    { "/file", 0, "a/b/f", NULL, 0 },
    { "/chain1/b", 0, "a/b", NULL, 0 },
    { "/self/self/a", 0, "a", NULL, 0 },
    { "/trail", 0, "a/b", NULL, 0 },
    { "/abs/..", 0, "a", NULL, 0 },
    { "/new", 0, "new", "", 0 },
    { "/a/new/deeper", 0, "a/new/deeper", "a", 0 },
    { "/a/new/../other", 0, "a/other", "a", 0 },
    { "/rel/new", 0, "a/b/new", "a/b", 0 },
    { "/dangling", 0, "no/such", "", 0 },
    { "/deep/y", 0, "no/such/x/y", "", 0 },
    { "/a/out", 0, "etc/passwd", "", 0 },
    { "/loop", 0, NULL, NULL, ELOOP },
    { "/a/b/f/x", 0, NULL, NULL, ENOTDIR },
    { "/a/b/f/..", 0, NULL, NULL, ENOTDIR },
    { "/abs", LOOKUP_NO_LINK, NULL, NULL, ELOOP },
    { "/abs/f", LOOKUP_NO_LINK, "a/b/f", NULL, 0 },
    { "/new/../../x", 0, NULL, NULL, ENOENT },
};

static void paths_stay_in_the_root(void **state)
{
    const struct temp_dir *dir = *state;
    make_tree(dir);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct lookup at = LOOKUP_INIT;
        struct report report = { 0 };
        int result = lookup_in_root(dir->fd, cases[i].path, cases[i].flags, &at, &report);
        if (!cases[i].found) {
            if (result != -1 || report.error != cases[i].error)
                fail_msg("%s: %d, errno %d", cases[i].path, result, report.error);
            continue;
        }
        if (result < 0)
            fail_msg("%s: %s: %s", cases[i].path, report.text, strerror(report.error));
        assert_string_equal(at.path, cases[i].found);
        assert_int_equal(at.fd >= 0, !cases[i].exists);
        assert_int_equal(at.existing, strlen(cases[i].exists ? cases[i].exists : cases[i].found));
        if (at.path[0]) {
            /* the parent is the one of what was found, or of its first missing part */
            struct stat expected, parent;
            AUTO(free) char *name = xstrdup(at.path);
            if (cases[i].exists)
                name[at.existing] = '\0';
            else
                *(strrchr(name, '/') ? strrchr(name, '/') : name) = '\0';
            assert_int_equal(fstatat(dir->fd, *name ? name : ".", &expected, 0), 0);
            assert_int_equal(fstat(at.parent_fd, &parent), 0);
            assert_int_equal(expected.st_ino, parent.st_ino);
        }
        lookup_close(&at);
    }
}

static void missing_parts_are_made(void **state)
{
    const struct temp_dir *dir = *state;
    struct report report = { 0 };
    struct lookup at = LOOKUP_INIT;
    struct stat st;
    make_tree(dir);
    assert_int_equal(lookup_in_root(dir->fd, "/abs/x/y/z", 0, &at, &report), 0);
    assert_int_equal(lookup_create(&at, true, &report), 0);
    assert_true(at.fd >= 0 && at.is_dir);
    assert_int_equal(fstatat(dir->fd, "a/b/x/y/z", &st, 0), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(lookup_in_root(dir->fd, "/abs/x/file", 0, &at, &report), 0);
    assert_int_equal(lookup_create(&at, false, &report), 0);
    assert_int_equal(fstatat(dir->fd, "a/b/x/file", &st, 0), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_string_equal(lookup_name(&at), "file");
    lookup_close(&at);
}

static void long_paths_are_errors(void **state)
{
    const struct temp_dir *dir = *state;
    struct report report = { 0 };
    struct lookup at = LOOKUP_INIT;
    char path[2 * PATH_MAX];
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(lookup_in_root(dir->fd, path, 0, &at, &report), -1);
    assert_int_equal(report.error, ENAMETOOLONG);
    path[300] = '\0';
    assert_int_equal(lookup_in_root(dir->fd, path, 0, &at, &report), -1);
    assert_int_equal(report.error, ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(paths_stay_in_the_root),
        TEMP_DIR_TEST(missing_parts_are_made),
        TEMP_DIR_TEST(long_paths_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
