/* SPDX-License-Identifier: Apache-2.0 */
/* A tree of thousands of files through changeset, layer, form and plain copy, equal at the end. */
#include "layers/apply.h"

#include "base/path.h"
#include "layers/diff.h"
#include "tests/unit/layers_fixture.h"

enum { DIRECTORIES = 400, FILES = 25 };

/* Attributes that differ from file to file, by its number. */
static void vary(int dir_fd, const char *name, unsigned i)
{
    struct stat st;
    assert_int_equal(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    if (geteuid() == 0) {
        assert_int_equal(fchownat(dir_fd, name, i % 7 * 1000, i % 5 * 70000, AT_SYMLINK_NOFOLLOW),
                         0);
        static const unsigned modes[] = { 0644, 0755, 0600, 04755, 0444, 02711, 0 };
        if (!S_ISLNK(st.st_mode))
            assert_int_equal(fchmodat(dir_fd, name, modes[i % ARRAY_SIZE(modes)], 0), 0);
    }
    struct timespec times[2] = { { 0, 0 }, { 1000000 + i, 0 } };
    assert_int_equal(utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void make_one(int dir_fd, unsigned i)
{
    struct error *err = NULL;
    AUTO(free) char *name = xasprintf("file-%u%s", i, i % 11 ? "" : " \303\244\n\377");
    AUTO(free) char *before = xasprintf("file-%u", i - 1);
    if (i % FILES && i % 9 == 0 && (i - 1) % 11) {
        assert_int_equal(linkat(dir_fd, before, dir_fd, name, 0), 0);
        return;
    }
    if (i % 13 == 5) {
        assert_int_equal(symlinkat(before, dir_fd, name), 0);
    } else {
        AUTO(strbuf_release) struct strbuf content = STRBUF_INIT;
        for (unsigned k = 0; k < i % 50 * (i % 400 == 7 ? 5000 : 1); k++)
            strbuf_addf(&content, "line %u of %u\n", k, i);
        assert_ok(fs_write_file(dir_fd, name, content.data, content.size, 0644, &err), err);
    }
    vary(dir_fd, name, i);
}

/* Nested a few levels: 7 goes into 1/7. */
static void make_tree(int root_fd)
{
    struct error *err = NULL;
    for (unsigned d = 0; d < DIRECTORIES; d++) {
        AUTO(strbuf_release) struct strbuf path = STRBUF_INIT;
        for (unsigned n = d; n; n /= 6)
            strbuf_insert(&path, 0, (const char[]){ (char)('a' + n % 6), '/' }, 2);
        assert_ok(fs_mkdirs(root_fd, path.data, 0755, &err), err);
        AUTO(close) int fd = fs_open_beneath(root_fd, path.data, O_PATH | O_DIRECTORY, &err);
        assert_ok(fd, err);
        for (unsigned f = 0; f < FILES; f++)
            make_one(fd, d * FILES + f);
    }
}

static void compare_trees(int a_fd, int b_fd, const char *dir, size_t *n)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec a = STRVEC_INIT, b = STRVEC_INIT;
    assert_ok(fs_list(a_fd, *dir ? dir : ".", &a, &err), err);
    assert_ok(fs_list(b_fd, *dir ? dir : ".", &b, &err), err);
    assert_true(strvec_equal(&a, &b));
    for (size_t i = 0; i < a.n; i++) {
        AUTO(free) char *path = path_join(dir, a.items[i]);
        struct stat x, y;
        assert_int_equal(fstatat(a_fd, path, &x, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(fstatat(b_fd, path, &y, AT_SYMLINK_NOFOLLOW), 0);
        bool same = x.st_uid == y.st_uid && x.st_gid == y.st_gid &&
                    x.st_mtim.tv_sec == y.st_mtim.tv_sec && x.st_mtim.tv_nsec == y.st_mtim.tv_nsec;
        /* an ordinary user's forms hold no modes */
        same = same && (geteuid() == 0 ? x.st_mode : x.st_mode & S_IFMT) ==
                           (geteuid() == 0 ? y.st_mode : y.st_mode & S_IFMT);
        if (!same || (!S_ISDIR(x.st_mode) && (x.st_nlink != y.st_nlink || x.st_size != y.st_size)))
            fail_msg("%s differs", path);
        ++*n;
        if (S_ISDIR(x.st_mode)) {
            compare_trees(a_fd, b_fd, path, n);
            continue;
        }
        AUTO(strbuf_release) struct strbuf p = STRBUF_INIT, q = STRBUF_INIT;
        if (S_ISLNK(x.st_mode)) {
            AUTO(free) char *s = fs_read_link(a_fd, path, &err);
            AUTO(free) char *t = fs_read_link(b_fd, path, &err);
            assert_string_equal(s, t);
        } else {
            assert_ok(fs_read_file(a_fd, path, &p, 1 << 24, &err), err);
            assert_ok(fs_read_file(b_fd, path, &q, 1 << 24, &err), err);
            assert_int_equal(p.size, q.size);
            assert_memory_equal(p.data, q.data, p.size);
        }
    }
}

static void a_large_tree_survives(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const struct diff_options options = { { FILE_TIMES_KEEP, 0 } };
    AUTO(pool_free) struct pool *pool = pool_new(2);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    AUTO(tree_unref) struct tree *empty = tree_new(fixture->store);
    struct snapshot *snapshot = snapshot_new(fixture->store, &err);
    assert_ok_ptr(snapshot, err);
    AUTO(close) int upper = openat(snapshot_upper_fd(snapshot), ".", O_PATH | O_CLOEXEC);
    make_tree(upper);

    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    assert_ok(diff_upper(snapshot, empty, &options, &changeset, &err), err);
    struct layer_options layer_options = { .pool = pool, .group = group };
    AUTO(layer_unref)
    struct layer *made = layer_make(fixture->store, &layer_options, &changeset, snapshot);
    AUTO(descriptor_release) struct descriptor blob = { 0 };
    struct digest diff_id;
    assert_ok(layer_wait(made, &blob, &diff_id, &err), err);
    AUTO(layer_unref) struct layer *pulled = layer_from_blob(fixture->store, &blob, &diff_id, NULL);
    AUTO(tree_unref) struct tree *tree = tree_push(empty, pulled);

    AUTO(free) int *fds = NULL;
    size_t n_fds = 0, n = 0;
    assert_ok(tree_lowers(tree, NULL, &fds, &n_fds, &err), err);
    compare_trees(upper, fds[0], "", &n);
    assert_in_range(n, DIRECTORIES * (FILES + 1) - 1, DIRECTORIES * (FILES + 1));

    AUTO(free) char *plain = xasprintf("%s/plain", fixture->dir);
    assert_int_equal(mkdir(plain, 0755), 0);
    AUTO(close) int fd = open(plain, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_ok(apply_tree(tree, fd, &err), err);
    n = 0;
    compare_trees(upper, fd, "", &n);
    assert_ok(pool_group_wait(group, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(a_large_tree_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
