/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_dest.h"

#include "base/hashmap.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/copy_dest_internal.h"
#include "builder/copy_view.h"
#include "layers/whiteout.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#define LINKS_MAX 40

struct copy_dest *copy_dest_new(struct tree *below, struct copy_content *content, int64_t now,
                                struct spill *spill)
{
    struct copy_dest *dest = NEW(struct copy_dest);
    dest->below = below;
    dest->content = content;
    dest->now = now;
    hashmap_init(&dest->groups, NULL);
    copy_nodes_use(&dest->nodes, spill);
    struct copy_node *root = copy_nodes_add(&dest->nodes, NULL, "", NULL);
    root->entry.type = ENTRY_DIRECTORY;
    root->entry.mode = 0755;
    root->present = root->in_below = true;
    return dest;
}

void copy_dest_free(struct copy_dest *dest)
{
    if (!dest)
        return;
    copy_nodes_release(&dest->nodes);
    hashmap_release(&dest->groups);
    arena_release(&dest->arena);
    free(dest);
}

static bool is_directory(const struct copy_node *node)
{
    return node->present && node->entry.type == ENTRY_DIRECTORY;
}

/* What the layers below show at node->entry.path. */
static int load_below(struct copy_dest *dest, struct copy_node *node, struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry place = { .entry = NULL };
    int found = tree_lookup(dest->below, node->entry.path, TREE_NO_LINKS, &place, err);
    if (found <= 0)
        return found;
    if (place.entry && place.entry->type == ENTRY_HARDLINK) {
        AUTO(tree_entry_release) struct tree_entry target = { .entry = NULL };
        if (tree_resolve_hardlink(dest->below, &place, &target, err) < 0)
            return -1;
        tree_entry_release(&place);
        place = target;
        target = (struct tree_entry){ .entry = NULL };
    }
    char *path = TAKE(node->entry.path);
    copy_tree_attributes(&node->entry, &place);
    free(node->entry.path);
    node->entry.path = path;
    node->below = arena_alloc(&dest->arena, sizeof(*node->below));
    *node->below = place;
    place = (struct tree_entry){ .entry = NULL };
    node->in_below = node->present = true;
    return 0;
}

/* The node of a path, present or not; valid until another one is loaded. */
static struct copy_node *load(struct copy_dest *dest, const char *path, struct error **err)
{
    struct copy_node *node = copy_nodes_find(&dest->nodes, path);
    if (node)
        return node;
    AUTO(free) char *dir = path_dir(path);
    const struct copy_node *parent = load(dest, dir, err);
    if (!parent)
        return NULL;
    bool shows_below = dest->below && is_directory(parent) && parent->in_below && !parent->fresh;
    node = copy_nodes_add(&dest->nodes, parent, path, err);
    return node && shows_below && load_below(dest, node, err) < 0 ? NULL : node;
}

int copy_dest_find(struct copy_dest *dest, const char *path, const struct entry **ret,
                   struct error **err)
{
    const struct copy_node *node = load(dest, path, err);
    if (!node)
        return -1;
    if (node->present)
        *ret = &node->entry;
    return node->present;
}

/* "done" and "rest" joined, links in neither looked at. */
static char *join_rest(const char *done, const char *rest)
{
    AUTO(free) char *joined = xasprintf("%s/%s", done, rest);
    return path_clean_rooted(joined);
}

/* What no file system holds, and no unpacker takes, ours included. It also bounds the walks. */
static int check_length(const char *path, struct error **err)
{
    if (strlen(path) >= PATH_MAX)
        return error_set(err, ERR_INVALID, "/%.40s...: path of more than %d bytes", path,
                         PATH_MAX - 1);
    for (const char *p = path; *p; p += *p == '/') {
        size_t size = strcspn(p, "/");
        if (size > NAME_MAX)
            return error_set(err, ERR_INVALID, "/%.40s...: name of more than %d bytes", path,
                             NAME_MAX);
        p += size;
    }
    return 0;
}

int copy_dest_real_path(struct copy_dest *dest, const char *path, bool follow_last, char **real,
                        struct error **err)
{
    if (check_length(path, err) < 0)
        return -1;
    AUTO(free) char *done = xstrdup("");
    AUTO(free) char *rest = xstrdup(path);
    for (int links = 0; *rest;) {
        size_t n = strcspn(rest, "/");
        AUTO(free) char *name = xstrndup(rest, n);
        AUTO(free) char *left = xstrdup(rest + n + strspn(rest + n, "/"));
        AUTO(free) char *here = join_rest(done, name);
        const struct copy_node *node = load(dest, here, err);
        if (!node)
            return -1;
        if (!node->present) {
            *real = join_rest(here, left);
            return 0;
        }
        if (node->entry.type == ENTRY_SYMLINK && (*left || follow_last)) {
            if (++links > LINKS_MAX)
                return error_set(err, ERR_LIMIT, "/%s: more than %d symbolic links on the way",
                                 path, LINKS_MAX);
            AUTO(free) char *dir = path_dir(here);
            AUTO(free) char *target = path_join(dir, node->entry.link);
            free(rest);
            free(done);
            rest = xasprintf("%s/%s", target, left);
            done = xstrdup("");
            continue;
        }
        free(rest);
        free(done);
        rest = TAKE(left);
        done = TAKE(here);
    }
    *real = TAKE(done);
    return 0;
}

/* Rule 1 */
static void touch_parent(struct copy_dest *dest, const char *path)
{
    AUTO(free) char *dir = path_dir(path);
    struct copy_node *parent = copy_nodes_find(&dest->nodes, dir);
    parent->entry.mtime = dest->now;
}

static const char *type_name(enum entry_type type)
{
    switch (type) {
    case ENTRY_DIRECTORY:
        return "a directory";
    case ENTRY_SYMLINK:
        return "a symbolic link";
    case ENTRY_CHAR:
    case ENTRY_BLOCK:
        return "a device";
    case ENTRY_FIFO:
        return "a FIFO";
    case ENTRY_FILE:
    case ENTRY_HARDLINK:
    case ENTRY_WHITEOUT:
    case ENTRY_OPAQUE:
        break;
    }
    return "a file";
}

int copy_dest_make_dirs(struct copy_dest *dest, const char *path, const struct copy_made *made,
                        struct error **err)
{
    if (!path[0])
        return 0;
    if (check_length(path, err) < 0)
        return -1;
    const struct copy_node *node = load(dest, path, err);
    if (!node)
        return -1;
    if (node->present) {
        if (!is_directory(node))
            return error_set(err, ERR_EXISTS, "/%s: is %s, not a directory", path,
                             type_name(node->entry.type));
        return 0;
    }
    AUTO(free) char *dir = path_dir(path);
    if (copy_dest_make_dirs(dest, dir, made, err) < 0)
        return -1;
    AUTO(entry_release)
    struct entry entry = { .path = xstrdup(path),
                           .type = ENTRY_DIRECTORY,
                           .mode = made->mode,
                           .uid = made->uid,
                           .gid = made->gid,
                           .mtime = dest->now };
    if (copy_dest_put(dest, &entry, NULL, err) < 0)
        return -1;
    if (made->made)
        made->made(made->data, path);
    return 0;
}

static uint32_t group_of(struct copy_dest *dest, const char *link_key)
{
    uint32_t group = (uint32_t)(uintptr_t)hashmap_get(&dest->groups, link_key);
    if (!group) {
        group = ++dest->n_groups;
        hashmap_put(&dest->groups, link_key, (void *)(uintptr_t)group);
    }
    return group;
}

/* What may be put onto what. */
static int check_put(const struct copy_node *node, const struct entry *entry, struct error **err)
{
    if (check_length(entry->path, err) < 0)
        return -1;
    if (whiteout_is_reserved(path_base(entry->path)))
        return error_set(err, ERR_INVALID,
                         "/%s: names that begin with \"" WHITEOUT_PREFIX
                         "\" mean a removal in a layer",
                         entry->path);
    if (entry->type == ENTRY_CHAR && !entry->dev_major && !entry->dev_minor)
        return error_set(err, ERR_INVALID,
                         "/%s: a character device 0:0 (overlayfs's mark of a removal)",
                         entry->path);
    if (node->present && is_directory(node) != (entry->type == ENTRY_DIRECTORY))
        return error_set(err, ERR_EXISTS, "/%s: is %s, can't become %s", entry->path,
                         type_name(node->entry.type), type_name(entry->type));
    return 0;
}

int copy_dest_put(struct copy_dest *dest, struct entry *entry, const char *link_key,
                  struct error **err)
{
    struct copy_node *node = load(dest, entry->path, err);
    if (!node || check_put(node, entry, err) < 0)
        return -1;
    AUTO(free) char *dir = path_dir(entry->path);
    struct copy_node *parent = load(dest, dir, err);
    if (!parent)
        return -1;
    if (!is_directory(parent))
        return error_set(err, ERR_EXISTS, "/%s: is not a directory", dir);
    bool was_directory = is_directory(node);
    char *path = TAKE(node->entry.path);
    entry_release(&node->entry);
    free(entry->path);
    node->entry = *entry;
    node->entry.path = path;
    *entry = (struct entry){ .type = ENTRY_FILE };
    node->touched = true;
    node->group = link_key ? group_of(dest, link_key) : 0;
    if (was_directory)
        return 0;
    if (node->entry.type == ENTRY_DIRECTORY) {
        node->fresh = true;
        node->hides_below = node->hides_below || parent->hides_below;
    }
    node->present = true;
    parent->entry.mtime = dest->now; /* rule 1 */
    return 0;
}

int copy_dest_put_link(struct copy_dest *dest, struct entry *entry, const char *target,
                       struct error **err)
{
    struct copy_node *to = load(dest, target, err);
    if (!to)
        return -1;
    if (!to->present || is_directory(to))
        return error_set(err, ERR_INVALID, "/%s: hard link to /%s, which is %s", entry->path,
                         target, to->present ? "a directory" : "not there");
    if (!to->group)
        to->group = ++dest->n_groups;
    AUTO(entry_release) struct entry copy = { .type = ENTRY_FILE };
    entry_copy(&copy, &to->entry);
    free(copy.path);
    copy.path = xstrdup(entry->path);
    if (!to->touched && copy.type == ENTRY_FILE)
        copy.content = copy_content_add_tree(dest->content, dest->below, to->below);
    uint32_t group = to->group;
    if (copy_dest_put(dest, &copy, NULL, err) < 0)
        return -1;
    struct copy_node *node = copy_nodes_find(&dest->nodes, entry->path);
    node->group = group;
    return 0;
}

int copy_dest_remove(struct copy_dest *dest, const char *path, struct error **err)
{
    struct copy_node *node = load(dest, path, err);
    if (!node)
        return -1;
    if (!node->present)
        return 0;
    assert(path[0]);
    if (is_directory(node)) {
        node->hides_below = node->in_below && node->below;
        copy_nodes_drop_children(&dest->nodes, node);
    }
    node->present = false;
    touch_parent(dest, path);
    return 0;
}

void copy_dest_set_mtime(struct copy_dest *dest, const char *path, int64_t mtime)
{
    struct copy_node *node = copy_nodes_find(&dest->nodes, path);
    assert(node);
    node->entry.mtime = mtime;
}

uint32_t copy_dest_number(const struct copy_dest *dest, const char *path)
{
    return (uint32_t)(copy_nodes_find(&dest->nodes, path) - dest->nodes.list);
}

void copy_dest_set_directory_mtime(struct copy_dest *dest, uint32_t number, int64_t mtime)
{
    struct copy_node *node = &dest->nodes.list[number];
    if (is_directory(node))
        node->entry.mtime = mtime;
}

void copy_dest_set_mode(struct copy_dest *dest, const char *path, uint16_t mode)
{
    struct copy_node *node = copy_nodes_find(&dest->nodes, path);
    assert(node);
    node->entry.mode = mode;
    node->touched = true;
}
