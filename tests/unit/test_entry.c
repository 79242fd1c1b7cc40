/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "layers/entry.h"
#include "tests/unit/test.h"

static struct entry *add(struct entry_list *list, enum entry_type type, const char *path,
                         const char *link)
{
    struct entry *entry = ARRAY_PUSH(list, entries);
    entry->type = type;
    entry->path = xstrdup(path);
    entry->link = xstrdup(link);
    return entry;
}

static void order_is_that_of_a_walk_with_whiteouts_first(void **state UNUSED)
{
    static const struct {
        enum entry_type type;
        const char *path;
    } sorted[] = {
        { ENTRY_WHITEOUT, "gone" }, { ENTRY_WHITEOUT, "x" },    { ENTRY_DIRECTORY, "a" },
        { ENTRY_OPAQUE, "a" },      { ENTRY_WHITEOUT, "a/z" },  { ENTRY_FILE, "a/b" },
        { ENTRY_FILE, "a/b-c" },    { ENTRY_DIRECTORY, "a-b" }, { ENTRY_FILE, "a-b/c" },
        { ENTRY_FILE, "a.b" },      { ENTRY_FILE, "ab" },       { ENTRY_WHITEOUT, "h/b" },
        { ENTRY_FILE, "h/a" },      { ENTRY_FILE, "x" },        { ENTRY_FILE, "\303\244" },
    };
    AUTO(entry_list_release) struct entry_list list = ENTRY_LIST_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) { /* 7 and 15 have no common divisor */
        size_t from = (i * 7 + 3) % ARRAY_SIZE(sorted);
        add(&list, sorted[from].type, sorted[from].path, NULL);
    }
    entry_list_sort(&list);
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
        assert_string_equal(list.entries[i].path, sorted[i].path);
        assert_int_equal(list.entries[i].type, sorted[i].type);
    }
}

static void the_first_name_of_a_file_is_the_file(void **state UNUSED)
{
    AUTO(entry_list_release) struct entry_list list = ENTRY_LIST_INIT;
    struct entry *file = add(&list, ENTRY_FILE, "m", NULL);
    file->size = 5;
    file->content = 9;
    file->mode = 0644;
    entry_add_xattr(file, "user.k", "v", 1);
    add(&list, ENTRY_HARDLINK, "z", "m");
    add(&list, ENTRY_HARDLINK, "b", "z"); /* by way of another link */
    add(&list, ENTRY_HARDLINK, "c", "lower/file");
    add(&list, ENTRY_HARDLINK, "loop", "loop");
    entry_list_sort(&list);

    assert_string_equal(list.entries[0].path, "b");
    assert_int_equal(list.entries[0].type, ENTRY_FILE);
    assert_int_equal(list.entries[0].size, 5);
    assert_int_equal(list.entries[0].content, 9);
    assert_int_equal(list.entries[0].mode, 0644);
    assert_non_null(entry_find_xattr(&list.entries[0], "user.k"));
    assert_null(list.entries[0].link);
    assert_string_equal(list.entries[1].path, "c");
    assert_string_equal(list.entries[1].link, "lower/file");
    assert_string_equal(list.entries[3].path, "m");
    assert_int_equal(list.entries[3].type, ENTRY_HARDLINK);
    assert_string_equal(list.entries[3].link, "b");
    assert_int_equal(list.entries[3].size, 0);
    assert_string_equal(list.entries[4].path, "z");
    assert_string_equal(list.entries[4].link, "b");
}

static void links_in_a_circle_end(void **state UNUSED)
{
    AUTO(entry_list_release) struct entry_list list = ENTRY_LIST_INIT;
    add(&list, ENTRY_HARDLINK, "a", "b");
    add(&list, ENTRY_HARDLINK, "b", "c");
    add(&list, ENTRY_HARDLINK, "c", "b");
    entry_list_sort(&list);
    assert_int_equal(list.n_entries, 3);
}

static void attributes_are_compared_without_path_and_content(void **state UNUSED)
{
    AUTO(entry_release) struct entry a = { .path = xstrdup("a"), .link = xstrdup("l"), .mtime = 3 };
    AUTO(entry_release) struct entry b = { .type = ENTRY_FILE };
    entry_add_xattr(&a, "user.b", "2", 1);
    entry_add_xattr(&a, "user.a", "1", 1);
    entry_add_xattr(&a, "user.b", "33", 2);
    assert_string_equal(a.xattrs[0].name, "user.a");
    assert_int_equal(a.n_xattrs, 2);
    entry_copy(&b, &a);
    free(b.path);
    b.path = xstrdup("other");
    b.content = 7;
    assert_true(entry_same_attributes(&a, &b));
    entry_add_xattr(&b, "user.b", "34", 2);
    assert_false(entry_same_attributes(&a, &b));
    entry_add_xattr(&b, "user.b", "33", 2);
    b.mtime = 4;
    assert_false(entry_same_attributes(&a, &b));
    b.mtime = 3;
    free(b.link);
    b.link = NULL;
    assert_false(entry_same_attributes(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_that_of_a_walk_with_whiteouts_first),
        cmocka_unit_test(the_first_name_of_a_file_is_the_file),
        cmocka_unit_test(links_in_a_circle_end),
        cmocka_unit_test(attributes_are_compared_without_path_and_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
