/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/mem.h"
#include "base/path.h"
#include "layers/tree_internal.h"

#include <assert.h>
#include <string.h>

#define MAX_LINKS 40

/* One path in all indexes that still show there, topmost first. */
struct place {
    const struct tree_record *at[TREE_MAX_INDEXES]; /* NULL: that index doesn't know the path */
    size_t n;
};

/* The indexes of a tree, topmost first. */
struct view {
    const struct tree_index *indexes[TREE_MAX_INDEXES];
    size_t n;
};

enum found { FOUND_NOTHING, FOUND_DIRECTORY, FOUND_OTHER };

static void view_init(struct view *view, const struct tree *tree)
{
    view->n = 0;
    for (const struct tree *node = tree; node; node = node->rest)
        if (node->index) {
            assert(view->n < TREE_MAX_INDEXES);
            view->indexes[view->n++] = node->index;
        }
}

void tree_entry_release(struct tree_entry *entry)
{
    free(entry->path);
    *entry = (struct tree_entry){ 0 };
}

bool tree_entry_is_directory(const struct tree_entry *entry)
{
    return !entry->entry || entry->entry->type == ENTRY_DIRECTORY;
}

/* What the records of place->at come to; place->n becomes the number of those that show beneath. */
static enum found combine(struct place *place, const struct entry **entry, size_t *layer)
{
    bool directory = false;
    size_t visible = place->n;
    *entry = NULL;
    *layer = 0;
    for (size_t i = 0; i < place->n; i++) {
        const struct tree_record *record = place->at[i];
        if (!record)
            continue;
        if (!record->directory) {
            visible = visible < i ? visible : i;
            if (directory || !record->entry)
                break;
            *entry = record->entry;
            *layer = record->layer;
            place->n = 0;
            return FOUND_OTHER;
        }
        if (!directory || (!*entry && record->entry))
            *layer = record->layer;
        directory = true;
        if (!*entry)
            *entry = record->entry;
        if ((record->hide || record->opaque) && visible > i + 1)
            visible = i + 1;
        if (record->hide)
            break;
    }
    place->n = visible;
    return directory ? FOUND_DIRECTORY : FOUND_NOTHING;
}

static void place_root(const struct view *view, struct place *place, const struct entry **entry,
                       size_t *layer)
{
    for (size_t i = 0; i < view->n; i++)
        place->at[i] = &view->indexes[i]->records[0];
    place->n = view->n;
    (void)combine(place, entry, layer); /* the root is always a directory */
}

/* From a directory to its child, in place. */
static enum found step(const struct view *view, struct place *place, const char *name, size_t size,
                       const struct entry **entry, size_t *layer)
{
    for (size_t i = 0; i < place->n; i++)
        if (place->at[i])
            place->at[i] = tree_index_child(view->indexes[i], place->at[i], name, size);
    return combine(place, entry, layer);
}

/* A walk from the root along a path whose links are to be resolved. */
struct walk {
    struct tree *tree;
    struct view view;
    unsigned flags;
    struct strbuf real; /* where we are */
    char *rest;         /* what follows; points into `text` */
    char *text;
    unsigned n_links;

    struct place place;
    enum found found; /* what `real` is */
    const struct entry *entry;
    size_t layer;
};

static void walk_release(struct walk *walk)
{
    strbuf_release(&walk->real);
    free(walk->text);
}

DEFINE_AUTO_STRUCT(struct walk, walk_release)

static void walk_to_root(struct walk *walk)
{
    strbuf_reset(&walk->real);
    place_root(&walk->view, &walk->place, &walk->entry, &walk->layer);
    walk->found = FOUND_DIRECTORY;
}

static int walk_init(struct walk *walk, struct tree *tree, const char *path, unsigned flags,
                     struct error **err)
{
    memset(walk, 0, sizeof(*walk));
    strbuf_init(&walk->real);
    if (tree_load(tree, err) < 0)
        return -1;
    walk->tree = tree;
    walk->flags = flags;
    walk->rest = walk->text = xstrdup(path);
    view_init(&walk->view, tree);
    walk_to_root(walk);
    return 0;
}

static void walk_down(struct walk *walk, const char *name, size_t size)
{
    if (walk->real.size)
        strbuf_addc(&walk->real, '/');
    strbuf_add(&walk->real, name, size);
    walk->found = step(&walk->view, &walk->place, name, size, &walk->entry, &walk->layer);
}

/* Places aren't kept: going up begins at the root again. */
static void walk_up(struct walk *walk)
{
    AUTO(free) char *parent = path_dir(walk->real.data);
    walk_to_root(walk);
    for (const char *p = parent; *p; p += *p == '/') {
        size_t size = strcspn(p, "/");
        walk_down(walk, p, size);
        p += size;
    }
}

/* The next component; 0 when there is none. "." and empty ones are passed over. */
static size_t next_component(struct walk *walk)
{
    for (;;) {
        walk->rest += strspn(walk->rest, "/");
        size_t size = strcspn(walk->rest, "/");
        if (size != 1 || walk->rest[0] != '.')
            return size;
        walk->rest++;
    }
}

static int walk_link(struct walk *walk, const char *target, struct error **err)
{
    if (++walk->n_links > MAX_LINKS)
        return error_set(err, ERR_LIMIT, "%s: too many levels of symbolic links", walk->real.data);
    char *text = xasprintf("%s/%s", target, walk->rest);
    free(walk->text);
    walk->rest = walk->text = text;
    if (text[0] == '/')
        walk_to_root(walk);
    else
        walk_up(walk);
    return 0;
}

/* The target when `real` is a link to be followed, else NULL. */
static int link_to_follow(struct walk *walk, bool is_last, const char **target, struct error **err)
{
    *target = NULL;
    if (walk->found != FOUND_OTHER || (walk->flags & TREE_NO_LINKS) ||
        (is_last && !(walk->flags & TREE_FOLLOW)))
        return 0;
    if (walk->entry->type == ENTRY_SYMLINK)
        *target = walk->entry->link;
    if (walk->entry->type != ENTRY_HARDLINK)
        return 0;
    struct tree_entry from = { walk->entry, walk->layer, walk->real.data };
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    if (tree_resolve_hardlink(walk->tree, &from, &file, err) < 0)
        return -1;
    if (file.entry->type == ENTRY_SYMLINK)
        *target = file.entry->link; /* the layer's */
    return 0;
}

/*
 * Until the path's end, or the first component that isn't there or isn't a directory with more to
 * follow: `rest` is then what follows it.
 */
static int walk_run(struct walk *walk, struct error **err)
{
    size_t size;
    while ((size = next_component(walk))) {
        if (walk->found != FOUND_DIRECTORY)
            return 0;
        const char *name = walk->rest;
        walk->rest += size;
        if (size == 2 && name[0] == '.' && name[1] == '.') {
            walk_up(walk);
            continue;
        }
        walk_down(walk, name, size);
        const char *target;
        if (link_to_follow(walk, !next_component(walk), &target, err) < 0)
            return -1;
        if (target && walk_link(walk, target, err) < 0)
            return -1;
    }
    return 0;
}

int tree_lookup(struct tree *tree, const char *path, unsigned flags, struct tree_entry *ret,
                struct error **err)
{
    AUTO(walk_release) struct walk walk;
    if (walk_init(&walk, tree, path, flags, err) < 0 || walk_run(&walk, err) < 0)
        return -1;
    bool at_end = !next_component(&walk);
    bool found = at_end && walk.found != FOUND_NOTHING;
    *ret = (struct tree_entry){
        .entry = found ? walk.entry : NULL,
        .layer = found ? walk.layer : 0,
        .path = at_end ? strbuf_detach(&walk.real) : NULL,
    };
    return found;
}

int tree_real_path(struct tree *tree, const char *path, bool follow_last, char **real,
                   struct error **err)
{
    AUTO(walk_release) struct walk walk;
    if (walk_init(&walk, tree, path, follow_last ? TREE_FOLLOW : 0, err) < 0 ||
        walk_run(&walk, err) < 0)
        return -1;
    if (next_component(&walk)) {
        strbuf_addc(&walk.real, '/');
        strbuf_adds(&walk.real, walk.rest);
    }
    *real = path_clean_rooted(walk.real.data);
    return 0;
}

/* Listing */

struct child {
    const char *name;
    size_t size;
};

struct children {
    struct child *items;
    size_t n_items, items_capacity;
};

static void children_release(struct children *children)
{
    free(children->items);
}

DEFINE_AUTO_STRUCT(struct children, children_release)

static int compare_children(const void *a, const void *b)
{
    const struct child *x = a, *y = b;
    int order = memcmp(x->name, y->name, x->size < y->size ? x->size : y->size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static void add_children(struct children *children, const struct tree_index *index,
                         const struct tree_record *directory)
{
    size_t known = strlen(directory->path);
    known += known > 0;
    const struct tree_record *end = &index->records[directory->end];
    for (const struct tree_record *r = directory + 1; r < end; r = &index->records[r->end]) {
        struct child *child = ARRAY_PUSH(children, items);
        child->name = r->path + known;
        child->size = strlen(child->name);
    }
}

int tree_list(struct tree *tree, const char *path, struct strvec *names, struct error **err)
{
    AUTO(walk_release) struct walk walk;
    if (walk_init(&walk, tree, path, TREE_NO_LINKS, err) < 0 || walk_run(&walk, err) < 0)
        return -1;
    if (next_component(&walk) || walk.found == FOUND_NOTHING)
        return error_set(err, ERR_NOT_FOUND, "%s: no such directory", path);
    if (walk.found != FOUND_DIRECTORY)
        return error_set(err, ERR_INVALID, "%s: not a directory", path);

    AUTO(children_release) struct children all = { NULL, 0, 0 };
    for (size_t i = 0; i < walk.place.n; i++)
        if (walk.place.at[i])
            add_children(&all, walk.view.indexes[i], walk.place.at[i]);
    if (all.n_items)
        qsort(all.items, all.n_items, sizeof(*all.items), compare_children);
    for (size_t i = 0; i < all.n_items; i++) {
        const struct child *child = &all.items[i];
        if (i && compare_children(child - 1, child) == 0)
            continue;
        struct place place = walk.place;
        const struct entry *entry;
        size_t layer;
        if (step(&walk.view, &place, child->name, child->size, &entry, &layer) != FOUND_NOTHING)
            strvec_pushn(names, child->name, child->size);
    }
    return 0;
}

/* Hard links */

/* The thing at `path` as this node shows it, if it isn't `link` itself; 0 when there is none. */
static int find_target(struct tree *tree, const char *path, const struct entry *link,
                       struct tree_entry *ret, struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry found = { 0 };
    int result = tree_lookup(tree, path, TREE_NO_LINKS, &found, err);
    if (result <= 0)
        return result;
    if (found.entry == link || tree_entry_is_directory(&found))
        return 0;
    tree_entry_release(ret);
    *ret = found;
    found = (struct tree_entry){ 0 };
    return 1;
}

int tree_resolve_hardlink(struct tree *tree, const struct tree_entry *from, struct tree_entry *ret,
                          struct error **err)
{
    AUTO(tree_entry_release)
    struct tree_entry at = { from->entry, from->layer, xstrdup(from->path) };
    for (unsigned n = 0; at.entry && at.entry->type == ENTRY_HARDLINK; n++) {
        if (n > MAX_LINKS)
            return error_set(err, ERR_INVALID, "hard link %s leads in circles", from->path);
        const struct entry *link = at.entry;
        struct tree *node = tree_at_layer(tree, at.layer);
        int found = find_target(node, link->link, link, &at, err);
        /* the same layer may hide what it links to */
        if (found == 0)
            found = find_target(node->parent, link->link, link, &at, err);
        if (found < 0)
            return -1;
        if (found == 0)
            return error_set(err, ERR_INVALID, "hard link %s to %s, which isn't there", from->path,
                             link->link);
    }
    *ret = at;
    at = (struct tree_entry){ 0 };
    return 0;
}
