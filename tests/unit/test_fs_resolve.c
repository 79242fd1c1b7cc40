/* SPDX-License-Identifier: Apache-2.0 */
/* Each case runs through openat2 and, in a second process, through the walk: same answers. */
#include "base/force.h"
#include "base/fs.h"
#include "tests/unit/temp_dir.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(int dir_fd, const char *path)
{
    struct error *err = NULL;
    assert_ok(fs_write_file(dir_fd, path, path, strlen(path), 0644, &err), err);
}

/* canary  root/{file, d/e/inner, links} */
static int make_tree(const struct temp_dir *dir)
{
    struct error *err = NULL;
    static const struct {
        const char *name, *target;
    } links[] = {
        { "root/to-file", "file" },
        { "root/to-dir", "d/e" },
        { "root/up", ".." },
        { "root/out", "../canary" },
        { "root/absolute", "/file" },
        { "root/host", "/etc/passwd" },
        { "root/loop", "loop" },
        { "root/d/back", "../file" },
        { "root/d/e/deep", "../../../../canary" },
        { "root/slash", "d/e/" },
        { "root/dangling", "new" },
    };
    assert_ok(fs_mkdirs(dir->fd, "root/d/e", 0755, &err), err);
    put(dir->fd, "canary");
    put(dir->fd, "root/file");
    put(dir->fd, "root/d/e/inner");
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        assert_int_equal(symlinkat(links[i].target, dir->fd, links[i].name), 0);
    return openat(dir->fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

enum { BENEATH, NO_LINKS, IN_ROOT, N_RULES };

/* content: what is read there; "DIR": a directory; else NULL and the errno */
static const struct {
    const char *path;
    struct {
        const char *content;
        int value;
    } expected[N_RULES];
} cases[] = {
    { "file", { { "root/file" }, { "root/file" }, { "root/file" } } },
    { "./d//e/inner", { { "root/d/e/inner" }, { "root/d/e/inner" }, { "root/d/e/inner" } } },
    { "d/../file", { { "root/file" }, { "root/file" }, { "root/file" } } },
    { "d/e/../../file", { { "root/file" }, { "root/file" }, { "root/file" } } },
    { "", { { "DIR" }, { "DIR" }, { "DIR" } } },
    { ".", { { "DIR" }, { "DIR" }, { "DIR" } } },
    { "d/", { { "DIR" }, { "DIR" }, { "DIR" } } },
    { "d/e/..", { { "DIR" }, { "DIR" }, { "DIR" } } },
    { "/", { { NULL, EXDEV }, { NULL, EXDEV }, { "DIR" } } },
    { "/file", { { NULL, EXDEV }, { NULL, EXDEV }, { "root/file" } } },
    { "..", { { NULL, EXDEV }, { NULL, EXDEV }, { "DIR" } } },
    { "../canary", { { NULL, EXDEV }, { NULL, EXDEV }, { NULL, ENOENT } } },
    { "../file", { { NULL, EXDEV }, { NULL, EXDEV }, { "root/file" } } },
    { "d/../../canary", { { NULL, EXDEV }, { NULL, EXDEV }, { NULL, ENOENT } } },
    { "to-file", { { "root/file" }, { NULL, ELOOP }, { "root/file" } } },
    { "to-dir/inner", { { "root/d/e/inner" }, { NULL, ELOOP }, { "root/d/e/inner" } } },
    { "slash/inner", { { "root/d/e/inner" }, { NULL, ELOOP }, { "root/d/e/inner" } } },
    { "to-dir/..", { { "DIR" }, { NULL, ELOOP }, { "DIR" } } },
    { "d/back", { { "root/file" }, { NULL, ELOOP }, { "root/file" } } },
    { "up", { { NULL, EXDEV }, { NULL, ELOOP }, { "DIR" } } },
    { "up/canary", { { NULL, EXDEV }, { NULL, ELOOP }, { NULL, ENOENT } } },
    { "out", { { NULL, EXDEV }, { NULL, ELOOP }, { NULL, ENOENT } } },
    { "d/e/deep", { { NULL, EXDEV }, { NULL, ELOOP }, { NULL, ENOENT } } },
    { "absolute", { { NULL, EXDEV }, { NULL, ELOOP }, { "root/file" } } },
    { "host", { { NULL, EXDEV }, { NULL, ELOOP }, { NULL, ENOENT } } },
    { "loop", { { NULL, ELOOP }, { NULL, ELOOP }, { NULL, ELOOP } } },
    { "loop/x", { { NULL, ELOOP }, { NULL, ELOOP }, { NULL, ELOOP } } },
    { "missing", { { NULL, ENOENT }, { NULL, ENOENT }, { NULL, ENOENT } } },
    { "missing/..", { { NULL, ENOENT }, { NULL, ENOENT }, { NULL, ENOENT } } },
    { "file/x", { { NULL, ENOTDIR }, { NULL, ENOTDIR }, { NULL, ENOTDIR } } },
    { "file/", { { NULL, ENOTDIR }, { NULL, ENOTDIR }, { NULL, ENOTDIR } } },
};

static int open_by(int rule, int fd, const char *path, int flags, struct error **err)
{
    if (rule == IN_ROOT)
        return fs_open_in_root(fd, path, flags, err);
    return fs_open_beneath(fd, path, flags | (rule == NO_LINKS ? O_NOFOLLOW : 0), err);
}

static void check_case(int root, size_t i, int rule)
{
    const char *path = cases[i].path, *content = cases[i].expected[rule].content;
    struct error *err = NULL;
    AUTO(close) int fd = open_by(rule, root, path, O_RDONLY, &err);
    AUTO(error_free) struct error *error = err;
    if (!content) {
        if (fd >= 0 || error_errno_value(error) != cases[i].expected[rule].value)
            fail_msg("\"%s\", rule %d: %s, expected %s", path, rule, error_message(error),
                     strerror(cases[i].expected[rule].value));
        return;
    }
    if (fd < 0)
        fail_msg("\"%s\", rule %d: %s, expected %s", path, rule, error_message(error), content);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    if (S_ISDIR(st.st_mode)) {
        assert_string_equal("DIR", content);
        return;
    }
    char data[64];
    ssize_t n = read(fd, data, sizeof(data) - 1);
    assert_true(n >= 0);
    data[n] = '\0';
    assert_string_equal(data, content);
}

static void hostile_paths_stay_inside(void **state)
{
    AUTO(close) int root = make_tree(*state);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (int rule = 0; rule < N_RULES; rule++)
            check_case(root, i, rule);
}

static void creating_follows_links_only_inside(void **state)
{
    struct error *err = NULL;
    struct temp_dir *dir = *state;
    AUTO(close) int root = make_tree(dir);
    struct stat st;
    AUTO(close) int made = fs_open_beneath(root, "d/made", O_WRONLY | O_CREAT | O_EXCL, &err);
    assert_ok(made, err);
    assert_int_equal(fcntl(made, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    AUTO(close) int through = fs_open_beneath(root, "dangling", O_WRONLY | O_CREAT, &err);
    assert_ok(through, err);
    assert_int_equal(fs_stat(root, "new", &st, &err), 1);
    assert_fails(fs_open_beneath(root, "dangling", O_WRONLY | O_CREAT | O_EXCL, &err), err,
                 ERR_EXISTS, "opening dangling");
    assert_fails(fs_open_beneath(root, "out", O_WRONLY | O_CREAT, &err), err, ERR_IO,
                 "opening out");
    assert_fails(fs_open_beneath(root, "to-file", O_WRONLY | O_CREAT | O_NOFOLLOW, &err), err,
                 ERR_IO, "opening to-file");
}

static void a_link_itself_can_be_opened(void **state)
{
    struct error *err = NULL;
    AUTO(close) int root = make_tree(*state);
    AUTO(close) int link = fs_open_beneath(root, "host", O_PATH | O_NOFOLLOW, &err);
    assert_ok(link, err);
    AUTO(free) char *target = fs_read_link(link, "", &err);
    assert_ok_ptr(target, err);
    assert_string_equal(target, "/etc/passwd");
    AUTO(close) int inner = fs_open_in_root(root, "to-dir/deep", O_PATH | O_NOFOLLOW, &err);
    assert_ok(inner, err);
    assert_fails(fs_open_in_root(root, "to-file", O_RDONLY | O_NOFOLLOW, &err), err, ERR_IO,
                 "opening to-file");
}

static void deep_trees_need_no_descriptors(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf path = STRBUF_INIT;
    for (int i = 0; i < 1500; i++)
        strbuf_adds(&path, "d/");
    assert_ok(fs_mkdirs(dir->fd, path.data, 0755, &err), err);
    AUTO(close) int fd = fs_open_beneath(dir->fd, path.data, O_RDONLY | O_NOFOLLOW, &err);
    assert_ok(fd, err);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(hostile_paths_stay_inside),
        TEMP_DIR_TEST(creating_follows_links_only_inside),
        TEMP_DIR_TEST(a_link_itself_can_be_opened),
        TEMP_DIR_TEST(deep_trees_need_no_descriptors),
    };
    if (force_has("no-openat2") || argc > 1)
        return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
    int failed = cmocka_run_group_tests_name("openat2", tests, NULL, NULL);
    if (failed || setenv("CBUILD_FORCE", "no-openat2", 1) < 0)
        return failed ? failed : 1;
    execv(argv[0], (char *[]){ argv[0], (char[]){ "walk" }, NULL });
    return 1;
}
