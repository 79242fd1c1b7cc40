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
    struct entry_list whiteouts;
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
        struct copy_node *parent = copy_nodes_find(&finish->dest->nodes, path);
        if (parent->in_layer)
            return;
        parent->in_layer = true;
    }
}

static void add_whiteout(struct finish *finish, const char *path)
{
    struct entry *entry = ARRAY_PUSH(&finish->whiteouts, entries);
    entry->path = xstrdup(path);
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
        const struct copy_node *child = copy_nodes_find(&dest->nodes, path);
        if (!child || !child->present)
            add_whiteout(finish, path);
    }
    return 0;
}

/* The first name of a file is the file, the others become links to it. */
static void link_to_first(struct finish *finish, struct copy_node *node)
{
    char **path = &finish->group_paths[node->group];
    struct entry *entry = &node->entry;
    if (!*path) {
        *path = entry->path;
        return;
    }
    entry->type = ENTRY_HARDLINK;
    free(entry->link);
    entry->link = xstrdup(*path);
    entry->size = 0;
    entry->content = 0;
}

static int finish_node(struct finish *finish, struct copy_node *node, struct error **err)
{
    const struct entry *entry = &node->entry;
    if (!node->present) {
        add_whiteout(finish, entry->path);
        return 0;
    }
    if (node->group && node->touched)
        link_to_first(finish, node);
    if (entry->type == ENTRY_DIRECTORY && node->hides_below)
        return hide_old_content(finish, entry->path, err);
    return 0;
}

static int find_changes(struct finish *finish, struct error **err)
{
    const struct copy_nodes *nodes = &finish->dest->nodes;
    struct copy_node *end = nodes->list + nodes->n_list;
    for (struct copy_node *node = nodes->list; node < end; node++) {
        if (finish->times->kind != FILE_TIMES_SET || node->touched)
            node->entry.mtime = file_times_apply(finish->times, node->entry.mtime);
        if (node->present && node->touched && node->group)
            finish->group_sizes[node->group]++;
    }
    for (struct copy_node *node = nodes->list; node < end; node++) {
        bool changed = !node->present && node->in_below;
        if (node->present && is_changed(finish, node, &changed, err) < 0)
            return -1;
        if (changed)
            mark_with_parents(finish, node);
    }
    for (struct copy_node *node = nodes->list + 1; node < end; node++)
        if (node->in_layer && finish_node(finish, node, err) < 0)
            return -1;
    return 0;
}

static void finish_release(struct finish *finish)
{
    free(finish->group_sizes);
    free(finish->group_paths);
    entry_list_release(&finish->whiteouts);
}
DEFINE_AUTO_STRUCT(struct finish, finish_release)

int copy_dest_finish(struct copy_dest *dest, const struct file_times *times, struct entry_list *ret,
                     struct error **err)
{
    AUTO(finish_release)
    struct finish finish = {
        .dest = dest,
        .times = times,
        .group_sizes = xcalloc(dest->n_groups + 1, sizeof(*finish.group_sizes)),
        .group_paths = xcalloc(dest->n_groups + 1, sizeof(*finish.group_paths)),
    };
    if (find_changes(&finish, err) < 0)
        return -1;
    const struct entry_list *whiteouts = &finish.whiteouts;
    copy_nodes_take_entries(&dest->nodes, whiteouts->n_entries, ret);
    for (size_t i = 0; i < whiteouts->n_entries; i++) {
        const char *path = whiteouts->entries[i].path;
        ret->entries[ret->n_entries++] =
            (struct entry){ .path = arena_text(&ret->memory->paths, path, strlen(path)),
                            .type = ENTRY_WHITEOUT };
    }
    entry_list_sort(ret);
    return 0;
}
