/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_nodes.h"

#include "base/mem.h"
#include "tests/unit/memory_growth.h"
#include "tests/unit/temp_dir.h"

static struct copy_node *add(struct copy_nodes *nodes, const char *directory, const char *path)
{
    struct error *err = NULL;
    const struct copy_node *above = directory ? copy_nodes_find(nodes, directory) : NULL;
    struct copy_node *node = copy_nodes_add(nodes, above, path, &err);
    assert_non_null(node);
    node->present = node->in_layer = true;
    return node;
}

static void many_paths_are_found(void **state UNUSED)
{
    struct copy_nodes nodes = { .list = NULL };
    assert_null(copy_nodes_find(&nodes, ""));
    add(&nodes, NULL, "");
    for (int i = 0; i < 5000; i++) {
        AUTO(free) char *path = xasprintf("file%d", i);
        add(&nodes, "", path)->entry.size = (uint64_t)i;
    }
    for (int i = 0; i < 5000; i++) {
        AUTO(free) char *path = xasprintf("file%d", i);
        const struct copy_node *node = copy_nodes_find(&nodes, path);
        assert_non_null(node);
        assert_int_equal(node->entry.size, i);
    }
    assert_null(copy_nodes_find(&nodes, "file5000"));
    copy_nodes_release(&nodes);
}

static void dropped_are_all_in_a_directory_at_any_depth(void **state UNUSED)
{
    static const char *const paths[][2] = {
        { "", "a" },    { "", "b" },        { "a", "a/x" },         { "a", "a/d" },
        { "b", "b/f" }, { "a/d", "a/d/e" }, { "a/d/e", "a/d/e/f" }, { "a/d", "a/d/g" },
        { "", "ab" },
    };
    struct copy_nodes nodes = { .list = NULL };
    add(&nodes, NULL, "");
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        add(&nodes, paths[i][0], paths[i][1]);
    copy_nodes_drop_children(&nodes, copy_nodes_find(&nodes, "a"));
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        bool inside = strncmp(paths[i][1], "a/", 2) == 0;
        assert_int_equal(copy_nodes_find(&nodes, paths[i][1]) == NULL, inside);
    }
    add(&nodes, "a", "a/x"); /* a new one, without what the old one had */
    assert_int_equal(copy_nodes_find(&nodes, "a/x")->child, 0);
    copy_nodes_drop_children(&nodes, copy_nodes_find(&nodes, "a"));
    assert_null(copy_nodes_find(&nodes, "a/x"));
    assert_non_null(copy_nodes_find(&nodes, "b/f"));
    copy_nodes_release(&nodes);
}

static void entries_are_those_in_the_layer_with_room_for_more(void **state UNUSED)
{
    struct copy_nodes nodes = { .list = NULL };
    AUTO(entry_list_release) struct entry_list list = ENTRY_LIST_INIT;
    add(&nodes, NULL, "");
    add(&nodes, "", "a");
    add(&nodes, "", "gone")->present = false;
    add(&nodes, "", "below")->in_layer = false;
    add(&nodes, "a", "a/b");
    add(&nodes, "", "z");
    copy_nodes_take_entries(&nodes, 2, &list);
    assert_int_equal(list.n_entries, 3);
    assert_string_equal(list.entries[0].path, "a");
    assert_string_equal(list.entries[1].path, "a/b");
    assert_string_equal(list.entries[2].path, "z");
    assert_int_equal(list.entries_capacity, 5);
    assert_null(list.entries[4].path);
    assert_null(nodes.list);
    copy_nodes_release(&nodes);
}

/* Of each a node, a path and, in the end, an entry: about 190 bytes, most of which lie in files. */
static void many_paths_take_little_memory(void **state)
{
    const struct temp_dir *dir = *state;
    enum { N = 60000 };
    struct spill spill = SPILL_INIT(dir->fd, (size_t)1 << 20);
    struct copy_nodes nodes = { .list = NULL };
    struct entry_list list = ENTRY_LIST_INIT;
    size_t before = memory_in_use();
    copy_nodes_use(&nodes, &spill);
    add(&nodes, NULL, "");
    for (int i = 0; i < N; i++) {
        char path[80];
        (void)snprintf(path, sizeof(path), "a-name-that-is-as-long-as-those-of-others-%05d", i);
        add(&nodes, "", path)->entry.size = (uint64_t)i;
    }
    size_t planned = memory_in_use() - before;
    copy_nodes_take_entries(&nodes, 0, &list);
    size_t listed = memory_in_use() - before;
    if (memory_has_files(dir->fd, (size_t)64 << 20)) {
        assert_true(planned <= spill.most + (size_t)N * PER_ENTRY);
        assert_true(listed <= spill.most + (size_t)N * PER_ENTRY);
    }
    entry_list_sort(&list);
    assert_int_equal(list.n_entries, N);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(list.entries[i].size, i);
        assert_int_equal(strtol(strrchr(list.entries[i].path, '-') + 1, NULL, 10), i);
    }
    entry_list_release(&list);
    assert_int_equal(spill.in_memory + spill.in_files, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_paths_are_found),
        cmocka_unit_test(dropped_are_all_in_a_directory_at_any_depth),
        cmocka_unit_test(entries_are_those_in_the_layer_with_room_for_more),
        TEMP_DIR_TEST(many_paths_take_little_memory),
    };
    return cmocka_run_group_tests_name("copy_nodes", tests, NULL, NULL);
}
