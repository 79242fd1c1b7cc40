/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/tree_copy.h"

#include "tests/unit/layers_fixture.h"

static struct stat look(struct tree_copy *copy, const char *path)
{
    struct stat st;
    assert_int_equal(fstatat(tree_copy_root_fd(copy), path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

static void it_holds_what_the_chain_shows(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref)
    struct tree *tree =
        tree_of_words(fixture->store, "d a; f a/f=1; h h->a/f; l l->a; p fifo 0600");
    AUTO(tree_copy_free) struct tree_copy *copy = tree_copy_new(fixture->store, tree, &err);
    assert_ok_ptr(copy, err);
    AUTO(strbuf_release) struct strbuf there = STRBUF_INIT, said = STRBUF_INIT;
    describe_directory(tree_copy_root_fd(copy), "", &there);
    describe_tree(tree, "", &said);
    assert_string_equal(there.data, said.data);
    assert_true(tree_copy_had(copy, "a/f"));
    assert_false(tree_copy_had(copy, "a/g"));
    assert_ok(tree_copy_seal(copy, &err), err);
}

/* Same size, same time: only its change time tells. */
static void a_file_written_at_once_after_the_copy_is_not_untouched(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, "f a=1; f b=2; f c=3");
    AUTO(tree_copy_free) struct tree_copy *copy = tree_copy_new(fixture->store, tree, &err);
    assert_ok_ptr(copy, err);
    int root = tree_copy_root_fd(copy);
    struct stat before = look(copy, "a");
    AUTO(close) int fd = openat(root, "a", O_WRONLY | O_CLOEXEC);
    const struct timespec times[2] = { before.st_atim, before.st_mtim };
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    assert_int_equal(futimens(fd, times), 0);
    assert_int_equal(renameat2(root, "b", root, "c", RENAME_EXCHANGE), 0);
    struct stat a = look(copy, "a"), b = look(copy, "b");
    assert_false(tree_copy_is_untouched(copy, "a", &a));
    assert_true(tree_copy_is_untouched(copy, "a", &before));
    assert_false(tree_copy_is_untouched(copy, "b", &b));
    assert_false(tree_copy_is_untouched(copy, "new", &before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(it_holds_what_the_chain_shows),
        fixture_test(a_file_written_at_once_after_the_copy_is_not_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
