/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_view.h"

#include "base/mem.h"
#include "base/path.h"

#include <string.h>

void source_item_release(struct source_item *item)
{
    if (!item->is_view) {
        free(item->path);
        free(item->link_key);
        entry_release(&item->entry);
        tree_entry_release(&item->place);
    }
    *item = (struct source_item){ .path = NULL };
}

char *source_item_link_key(struct context *context, const struct source_item *item)
{
    return context ? context_link_key(context, &item->entry) : xstrdup(item->link_key);
}

static bool keeps_xattr(const char *name)
{
    return strcmp(name, "security.capability") == 0;
}

void copy_tree_attributes(struct entry *to, const struct tree_entry *from)
{
    entry_release(to);
    *to = (struct entry){ .type = ENTRY_DIRECTORY, .mode = 0755 };
    if (from->entry) {
        const struct entry *entry = from->entry;
        *to = *entry;
        to->link = xstrdup(entry->link);
        to->xattrs = NULL;
        to->n_xattrs = 0;
        for (size_t i = 0; i < entry->n_xattrs; i++)
            if (keeps_xattr(entry->xattrs[i].name))
                entry_add_xattr(to, entry->xattrs[i].name, entry->xattrs[i].value,
                                entry->xattrs[i].size);
    }
    to->path = xstrdup(from->path);
    to->content = 0;
}

/* --- a build context --- */

static int context_view_stat(struct copy_view *view, const char *path, struct source_item *ret,
                             bool *hidden, char **why, struct error **err)
{
    enum context_found found = CONTEXT_ABSENT;
    AUTO(source_item_release) struct source_item item = { .path = xstrdup("") };
    if (context_stat(view->context, path, &found, &item.entry, why, err) < 0)
        return -1;
    *hidden = found == CONTEXT_EXCLUDED;
    if (found == CONTEXT_ABSENT)
        return 0;
    source_item_release(ret);
    *ret = item;
    item = (struct source_item){ .path = NULL };
    return 1;
}

static int context_view_list(struct copy_view *view, const char *path, struct strvec *names,
                             struct error **err)
{
    return context_list(view->context, path, names, err);
}

struct context_walk {
    int (*visit)(void *data, struct source_item *item, struct error **err);
    void *data;
};

static int visit_entry(void *data, const struct entry *entry, struct error **err)
{
    const struct context_walk *walk = data;
    struct source_item item = { .path = entry->path, .entry = *entry, .is_view = true };
    return walk->visit(walk->data, &item, err);
}

static int context_view_walk(struct copy_view *view, const char *path,
                             int (*visit)(void *data, struct source_item *item, struct error **err),
                             void *data, struct error **err)
{
    struct context_walk walk = { visit, data };
    return context_walk(view->context, path, visit_entry, &walk, err);
}

static const struct copy_view_ops context_ops = { context_view_stat, context_view_list,
                                                  context_view_walk };

struct copy_view copy_view_of_context(struct context *context)
{
    return (
        struct copy_view){ .ops = &context_ops, .context = context, .name = "the build context" };
}

/* --- a tree of layers --- */

/* Hard links become files here: all names of one file have one key. */
static int fill_item(struct tree *tree, struct tree_entry *place, struct source_item *item,
                     struct error **err)
{
    AUTO(free) char *path = xstrdup(place->path);
    if (place->entry && place->entry->type == ENTRY_HARDLINK) {
        AUTO(tree_entry_release) struct tree_entry target = { .entry = NULL };
        if (tree_resolve_hardlink(tree, place, &target, err) < 0)
            return -1;
        tree_entry_release(place);
        *place = target;
        target = (struct tree_entry){ .entry = NULL };
    }
    copy_tree_attributes(&item->entry, place);
    free(item->entry.path);
    item->entry.path = TAKE(path);
    if (item->entry.type != ENTRY_DIRECTORY)
        item->link_key = xasprintf("%zu:%s", place->layer, place->path);
    item->place = *place;
    *place = (struct tree_entry){ .entry = NULL };
    return 0;
}

static int tree_view_stat(struct copy_view *view, const char *path, struct source_item *ret,
                          bool *hidden, char **why UNUSED, struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry place = { .entry = NULL };
    *hidden = false;
    int found = tree_lookup(view->tree, path, TREE_NO_LINKS, &place, err);
    if (found <= 0)
        return found;
    AUTO(source_item_release) struct source_item item = { .path = xstrdup("") };
    if (fill_item(view->tree, &place, &item, err) < 0)
        return -1;
    source_item_release(ret);
    *ret = item;
    item = (struct source_item){ .path = NULL };
    return 1;
}

static int tree_view_list(struct copy_view *view, const char *path, struct strvec *names,
                          struct error **err)
{
    return tree_list(view->tree, path, names, err);
}

static int tree_view_walk(struct copy_view *view, const char *path,
                          int (*visit)(void *data, struct source_item *item, struct error **err),
                          void *data, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (tree_list(view->tree, path, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        AUTO(free) char *child = path_join(path, names.items[i]);
        AUTO(source_item_release) struct source_item item = { .path = NULL };
        bool hidden;
        int found = tree_view_stat(view, child, &item, &hidden, NULL, err);
        if (found < 0)
            return -1;
        if (!found)
            continue;
        bool is_directory = item.entry.type == ENTRY_DIRECTORY;
        free(item.path);
        item.path = xstrdup(child);
        int result = visit(data, &item, err);
        if (result < 0 ||
            (result == 0 && is_directory && tree_view_walk(view, child, visit, data, err) < 0))
            return -1;
    }
    return 0;
}

static const struct copy_view_ops tree_ops = { tree_view_stat, tree_view_list, tree_view_walk };

struct copy_view copy_view_of_tree(struct tree *tree)
{
    return (struct copy_view){ .ops = &tree_ops, .tree = tree, .name = "the source image" };
}
