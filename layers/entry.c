/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/entry.h"

#include "base/array.h"

#include <assert.h>
#include <string.h>

static void xattrs_release(struct entry *entry)
{
    for (size_t i = 0; i < entry->n_xattrs; i++) {
        free(entry->xattrs[i].name);
        free(entry->xattrs[i].value);
    }
    free(entry->xattrs);
    entry->xattrs = NULL;
    entry->n_xattrs = 0;
}

void entry_release(struct entry *entry)
{
    xattrs_release(entry);
    free(entry->path);
    free(entry->link);
    *entry = (struct entry){ .type = ENTRY_FILE };
}

void entry_copy(struct entry *to, const struct entry *from)
{
    struct entry copy = *from;
    copy.path = xstrdup(from->path);
    copy.link = xstrdup(from->link);
    copy.xattrs = NULL;
    copy.n_xattrs = 0;
    for (size_t i = 0; i < from->n_xattrs; i++)
        entry_add_xattr(&copy, from->xattrs[i].name, from->xattrs[i].value, from->xattrs[i].size);
    entry_release(to);
    *to = copy;
}

void entry_add_xattr(struct entry *entry, const char *name, const void *value, size_t size)
{
    size_t at = 0;
    while (at < entry->n_xattrs && strcmp(entry->xattrs[at].name, name) < 0)
        at++;
    if (at < entry->n_xattrs && strcmp(entry->xattrs[at].name, name) == 0) {
        free(entry->xattrs[at].value);
    } else {
        /* one by one: few things have more, and entries are many */
        entry->xattrs = xreallocarray(entry->xattrs, entry->n_xattrs + 1, sizeof(*entry->xattrs));
        memmove(&entry->xattrs[at + 1], &entry->xattrs[at],
                (entry->n_xattrs - at) * sizeof(*entry->xattrs));
        entry->n_xattrs++;
        entry->xattrs[at].name = xstrdup(name);
    }
    entry->xattrs[at].value = xmemdup(value, size);
    entry->xattrs[at].size = size;
}

const struct xattr *entry_find_xattr(const struct entry *entry, const char *name)
{
    for (size_t i = 0; i < entry->n_xattrs; i++)
        if (strcmp(entry->xattrs[i].name, name) == 0)
            return &entry->xattrs[i];
    return NULL;
}

static bool same_xattrs(const struct entry *a, const struct entry *b)
{
    if (a->n_xattrs != b->n_xattrs)
        return false;
    for (size_t i = 0; i < a->n_xattrs; i++) {
        const struct xattr *x = &a->xattrs[i], *y = &b->xattrs[i];
        if (strcmp(x->name, y->name) != 0 || x->size != y->size)
            return false;
        if (x->size && memcmp(x->value, y->value, x->size) != 0)
            return false;
    }
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool entry_same_attributes(const struct entry *a, const struct entry *b)
{
    return a->type == b->type && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
           a->size == b->size && a->mtime == b->mtime && a->dev_major == b->dev_major &&
           a->dev_minor == b->dev_minor && same_text(a->link, b->link) && same_xattrs(a, b);
}

void entry_list_release(struct entry_list *list)
{
    struct entry_memory *memory = list->memory;
    for (size_t i = 0; i < list->n_entries; i++) {
        if (memory)
            list->entries[i].path = NULL;
        entry_release(&list->entries[i]);
    }
    if (memory) {
        spill_free(memory->spill, list->entries);
        arena_release(&memory->paths);
        free(memory);
    } else {
        free(list->entries);
    }
    *list = (struct entry_list)ENTRY_LIST_INIT;
}

/* What comes first of two entries with one path: what hides it, the thing itself, what hides in it.
 */
static int rank_type(enum entry_type type)
{
    if (type == ENTRY_WHITEOUT)
        return 0;
    return type == ENTRY_OPAQUE ? 2 : 1;
}

static int rank_byte(char c)
{
    if (c == '\0')
        return 0;
    return c == '/' ? 1 : (unsigned char)c + 1;
}

/* Whether the entry stands in the directory where paths part, and is a whiteout. */
static bool is_whiteout_here(const struct entry *entry, const char *component)
{
    return entry->type == ENTRY_WHITEOUT && !strchr(component, '/');
}

/*
 * Lexicographic by component, where a component is (0 if it is a whiteout's last, else 1; bytes):
 * a total order, that of a depth-first walk which visits whiteouts of a directory first.
 */
static int compare(const struct entry *a, const struct entry *b)
{
    size_t at = 0, component = 0;
    for (; a->path[at] && a->path[at] == b->path[at]; at++)
        if (a->path[at] == '/')
            component = at + 1;
    const char *x = a->path + at, *y = b->path + at;
    if (*x == *y)
        return rank_type(a->type) - rank_type(b->type);
    if (*x == '\0' && (*y == '/' || at == 0))
        return -1; /* the parent */
    if (*y == '\0' && (*x == '/' || at == 0))
        return 1;
    bool x_white = is_whiteout_here(a, a->path + component);
    bool y_white = is_whiteout_here(b, b->path + component);
    if (x_white != y_white)
        return x_white ? -1 : 1;
    return rank_byte(*x) - rank_byte(*y);
}

static int compare_void(const void *a, const void *b)
{
    return compare(a, b);
}

/* The entry of this path that is neither whiteout nor opaque mark; NULL when there is none. */
static struct entry *find_thing(const struct entry_list *list, char *path)
{
    struct entry key = { .path = path, .type = ENTRY_FILE };
    return bsearch(&key, list->entries, list->n_entries, sizeof(*list->entries), compare_void);
}

/* `first` is a hard link to `later`: they change roles. */
static void swap_roles(struct entry *first, struct entry *later)
{
    char *path = TAKE(first->path);
    entry_copy(first, later);
    free(first->path);
    first->path = path;

    free(later->link);
    later->link = xstrdup(first->path);
    later->type = ENTRY_HARDLINK;
    later->size = 0;
}

/* Of several names of one file, the first in order is the file. */
static void order_hard_links(struct entry_list *list)
{
    for (size_t i = 0; i < list->n_entries; i++) {
        struct entry *entry = &list->entries[i];
        if (entry->type != ENTRY_HARDLINK)
            continue;
        struct entry *target = find_thing(list, entry->link);
        for (size_t steps = 0; target && target->type == ENTRY_HARDLINK && target != entry;
             steps++) {
            if (steps == list->n_entries)
                return; /* links in a circle: no file is behind them, readers say so */
            struct entry *next = find_thing(list, target->link);
            if (!next)
                break;
            target = next;
        }
        if (!target || target == entry || target->type == ENTRY_DIRECTORY)
            continue;
        if (target > entry && target->type != ENTRY_HARDLINK) {
            swap_roles(entry, target);
        } else if (strcmp(entry->link, target->path) != 0) {
            free(entry->link);
            entry->link = xstrdup(target->path);
        }
    }
}

static bool is_sorted(const struct entry_list *list)
{
    for (size_t i = 1; i < list->n_entries; i++)
        if (compare(&list->entries[i - 1], &list->entries[i]) > 0)
            return false;
    return true;
}

void entry_list_sort(struct entry_list *list)
{
    if (!is_sorted(list)) /* what a walk has told is: one pass instead of twelve */
        qsort(list->entries, list->n_entries, sizeof(*list->entries), compare_void);
    order_hard_links(list);
}
