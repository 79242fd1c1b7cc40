/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_nodes.h"

#include "base/array.h"
#include "base/hashmap.h"
#include "base/mem.h"

#include <string.h>

#define FIRST_SLOTS 64
#define FIRST_NODES 8

void copy_nodes_use(struct copy_nodes *nodes, struct spill *spill)
{
    nodes->spill = nodes->paths.spill = spill;
}

static void drop(struct copy_node *node)
{
    node->entry.path = NULL; /* of the nodes */
    entry_release(&node->entry);
    if (node->below)
        tree_entry_release(node->below);
    node->below = NULL;
    node->present = node->in_below = node->touched = false;
}

void copy_nodes_release(struct copy_nodes *nodes)
{
    for (size_t i = 0; i < nodes->n_list; i++)
        drop(&nodes->list[i]);
    spill_free(nodes->spill, nodes->list);
    arena_release(&nodes->paths);
    free(nodes->slots);
    *nodes = (struct copy_nodes){ .list = NULL };
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 40);
}

struct copy_node *copy_nodes_find(const struct copy_nodes *nodes, const char *path)
{
    if (!nodes->n_slots)
        return NULL;
    uint64_t hash = hashmap_hash(path, strlen(path));
    size_t mask = nodes->n_slots - 1;
    for (size_t i = hash & mask; nodes->slots[i]; i = (i + 1) & mask) {
        struct copy_node *node = &nodes->list[nodes->slots[i] - 1];
        if (node->tag == tag_of(hash) && node->entry.path && strcmp(node->entry.path, path) == 0)
            return node;
    }
    return NULL;
}

static void slot_put(struct copy_nodes *nodes, uint64_t hash, size_t number)
{
    size_t mask = nodes->n_slots - 1, i = hash & mask;
    while (nodes->slots[i])
        i = (i + 1) & mask;
    nodes->slots[i] = (uint32_t)number + 1;
}

/* Twice as many slots; those of dropped nodes go. */
static void grow_slots(struct copy_nodes *nodes)
{
    nodes->n_slots = nodes->n_slots ? nodes->n_slots * 2 : FIRST_SLOTS;
    free(nodes->slots);
    nodes->slots = xcalloc(nodes->n_slots, sizeof(*nodes->slots));
    for (size_t i = 0; i < nodes->n_list; i++) {
        const char *path = nodes->list[i].entry.path;
        if (path)
            slot_put(nodes, hashmap_hash(path, strlen(path)), i);
    }
}

static struct copy_node *push(struct copy_nodes *nodes)
{
    if (nodes->n_list == nodes->list_capacity) {
        nodes->list_capacity = nodes->list_capacity ? nodes->list_capacity * 2 : FIRST_NODES;
        nodes->list =
            spill_resize(nodes->spill, nodes->list, nodes->list_capacity * sizeof(*nodes->list));
    }
    struct copy_node *node = &nodes->list[nodes->n_list++];
    *node = (struct copy_node){ .below = NULL };
    return node;
}

struct copy_node *copy_nodes_add(struct copy_nodes *nodes, const struct copy_node *directory,
                                 const char *path, struct error **err)
{
    if (nodes->n_list == UINT32_MAX - 1)
        return error_set_null(err, ERR_LIMIT, "/%s: more than %zu paths in one step", path,
                              nodes->n_list);
    uint64_t hash = hashmap_hash(path, strlen(path));
    size_t number = nodes->n_list, above = number ? (size_t)(directory - nodes->list) : 0;
    struct copy_node *node = push(nodes);
    node->entry.path = arena_text(&nodes->paths, path, strlen(path));
    node->tag = tag_of(hash);
    if (nodes->n_list * 3 > nodes->n_slots * 2)
        grow_slots(nodes);
    else
        slot_put(nodes, hash, number);
    if (number) {
        struct copy_node *parent = &nodes->list[above];
        node->next = parent->child;
        parent->child = (uint32_t)number;
    }
    return node;
}

/* Children of what goes are put before its siblings: no recursion, however deep they lie. */
void copy_nodes_drop_children(struct copy_nodes *nodes, struct copy_node *node)
{
    while (node->child) {
        struct copy_node *child = &nodes->list[node->child];
        node->child = child->next;
        if (child->child) {
            struct copy_node *last = &nodes->list[child->child];
            while (last->next)
                last = &nodes->list[last->next];
            last->next = node->child;
            node->child = child->child;
        }
        drop(child);
    }
}

void copy_nodes_take_entries(struct copy_nodes *nodes, size_t n_more, struct entry_list *ret)
{
    free(nodes->slots);
    char *entries = (char *)nodes->list; /* of nodes, and, up to the n-th, of entries */
    size_t n = 0;
    for (size_t i = 0; i < nodes->n_list; i++) {
        struct copy_node node = nodes->list[i];
        if (node.in_layer && node.present && node.entry.path[0]) {
            memmove(entries + n++ * sizeof(node.entry), &node.entry, sizeof(node.entry));
            node.entry = (struct entry){ .path = NULL };
        }
        drop(&node);
    }
    /* they stay for long, and can be many */
    ret->entries = spill_resize(nodes->spill, entries, (n + n_more) * sizeof(*ret->entries));
    if (n_more)
        memset(&ret->entries[n], 0, n_more * sizeof(*ret->entries));
    ret->n_entries = n;
    ret->entries_capacity = n + n_more;
    ret->memory = NEW(struct entry_memory);
    *ret->memory = (struct entry_memory){ nodes->spill, nodes->paths };
    *nodes = (struct copy_nodes){ .list = NULL };
}
