/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/copy_dest_internal.h"
#include "builder/copy_view.h"

#include <string.h>

struct finish {
    struct copy_dest *dest;
    const struct file_times *times;
    size_t *group_sizes; /* touched members */
    char **group_paths;  /* the member that is the file; borrowed */
    struct entry_list *list;
};

/* Attributes are equal: is the content? */
static int same_content(struct finish *finish, const struct copy_node *node, bool *ret,
                        struct error **err)
{
    *ret = true;
    if (node->entry.type != ENTRY_FILE || node->entry.size == 0)
        return 0;
    AUTO(source_free)
    struct source *ours = copy_content_open(finish->dest->content, &node->entry, err);
    if (!ours)
        return -1;
    AUTO(source_free) struct source *theirs = tree_open(finish->dest->below, node->below, err);
    if (!theirs)
        return -1;
    return copy_content_equal(ours, theirs, ret, err);
}

/* Rule 2 */
static int is_changed(struct finish *finish, const struct copy_node *node, bool *ret,
                      struct error **err)
{
    *ret = node->touched;
    if (!node->touched || !node->in_below)
        return 0;
    if (!node->below || (node->group && finish->group_sizes[node->group] > 1))
        return 0;
    AUTO(entry_release) struct entry was = { .type = ENTRY_FILE };
    copy_tree_attributes(&was, node->below);
    if (node->entry.type == ENTRY_DIRECTORY)
        was.mtime = node->entry.mtime;
    if (!entry_same_attributes(&node->entry, &was))
        return 0;
    bool same = true;
    if (same_content(finish, node, &same, err) < 0)
        return error_wrap(err, "comparing /%s", node->entry.path);
    *ret = !same || node->hides_below;
    return 0;
}

/* Rule 3 */
static void mark_with_parents(struct finish *finish, struct copy_node *node)
{
    node->in_layer = true;
    AUTO(free) char *path = xstrdup(node->entry.path);
    while (path[0]) {
        char *slash = strrchr(path, '/');
        path[slash ? slash - path : 0] = '\0';
        struct copy_node *parent = hashmap_get(&finish->dest->nodes, path);
        if (parent->in_layer)
            return;
        parent->in_layer = true;
    }
}

static void add_whiteout(struct finish *finish, char *path)
{
    struct entry *entry = ARRAY_PUSH(finish->list, entries);
    entry->path = path;
    entry->type = ENTRY_WHITEOUT;
}

/* Rule 4 */
static int hide_old_content(struct finish *finish, const char *directory, struct error **err)
{
    struct copy_dest *dest = finish->dest;
    AUTO(tree_entry_release) struct tree_entry old = { .entry = NULL };
    int found = tree_lookup(dest->below, directory, TREE_NO_LINKS, &old, err);
    if (found < 0)
        return -1;
    if (!found || !tree_entry_is_directory(&old))
        return 0;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (tree_list(dest->below, directory, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        AUTO(free) char *path = path_join(directory, names.items[i]);
        const struct copy_node *child = hashmap_get(&dest->nodes, path);
        if (!child || !child->present)
            add_whiteout(finish, TAKE(path));
    }
    return 0;
}

static void add_node(struct finish *finish, struct copy_node *node)
{
    if (!node->present) {
        add_whiteout(finish, xstrdup(node->entry.path));
        return;
    }
    struct entry *entry = ARRAY_PUSH(finish->list, entries);
    *entry = node->entry; /* in all, they can be many: moved, not copied */
    node->entry = (struct entry){ .type = entry->type };
    if (node->group && node->touched) {
        char **path = &finish->group_paths[node->group];
        if (*path) {
            entry->type = ENTRY_HARDLINK;
            free(entry->link);
            entry->link = xstrdup(*path);
            entry->size = 0;
            entry->content = 0;
        } else {
            *path = entry->path;
        }
    }
}

static int hide_all_old_content(struct finish *finish, struct error **err)
{
    for (struct copy_node *node = finish->dest->first; node; node = node->next) {
        const struct entry *entry = &node->entry;
        if (node->in_layer && node->present && entry->type == ENTRY_DIRECTORY &&
            node->hides_below && entry->path[0] && hide_old_content(finish, entry->path, err) < 0)
            return -1;
    }
    return 0;
}

static int find_changes(struct finish *finish, struct error **err)
{
    struct copy_node *first = finish->dest->first;
    for (struct copy_node *node = first; node; node = node->next) {
        if (finish->times->kind != FILE_TIMES_SET || node->touched)
            node->entry.mtime = file_times_apply(finish->times, node->entry.mtime);
        if (node->present && node->touched && node->group)
            finish->group_sizes[node->group]++;
    }
    for (struct copy_node *node = first; node; node = node->next) {
        bool changed = !node->present && node->in_below;
        if (node->present && is_changed(finish, node, &changed, err) < 0)
            return -1;
        if (changed)
            mark_with_parents(finish, node);
    }
    return 0;
}

int copy_dest_finish(struct copy_dest *dest, const struct file_times *times, struct entry_list *ret,
                     struct error **err)
{
    AUTO(free) size_t *sizes = xcalloc(dest->n_groups + 1, sizeof(*sizes));
    AUTO(free) char **paths = xcalloc(dest->n_groups + 1, sizeof(*paths));
    AUTO(entry_list_release) struct entry_list list = { NULL, 0, 0 };
    struct finish finish = { dest, times, sizes, paths, &list };
    if (find_changes(&finish, err) < 0 || hide_all_old_content(&finish, err) < 0)
        return -1;
    hashmap_release(&dest->nodes); /* with millions of entries, as much as a third of their list */
    for (struct copy_node *node = dest->first; node; node = node->next)
        if (node->in_layer && node->entry.path[0])
            add_node(&finish, node);
    entry_list_sort(&list);
    if (list.n_entries) { /* they stay for long, and can be many */
        list.entries = xreallocarray(list.entries, list.n_entries, sizeof(*list.entries));
        list.entries_capacity = list.n_entries;
    }
    *ret = list;
    list = (struct entry_list){ NULL, 0, 0 };
    return 0;
}
