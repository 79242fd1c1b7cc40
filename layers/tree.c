/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/tree.h"

#include "base/mem.h"
#include "layers/tree_internal.h"

#include <assert.h>

static struct tree *tree_alloc(struct store *store)
{
    struct tree *tree = NEW(struct tree);
    atomic_init(&tree->n_refs, 1);
    tree->store = store;
    tree->form_fd = tree->merged_fd = -1;
    (void)pthread_mutex_init(&tree->lock, NULL);      /* can't fail with */
    (void)pthread_mutex_init(&tree->form_lock, NULL); /* default attributes */
    return tree;
}

struct tree *tree_new(struct store *store)
{
    struct tree *tree = tree_alloc(store);
    atomic_store(&tree->is_indexed, true);
    return tree;
}

struct tree *tree_push(struct tree *parent, struct layer *layer)
{
    struct tree *tree = tree_alloc(parent->store);
    tree->parent = tree_ref(parent);
    tree->layer = layer_ref(layer);
    tree->n_layers = parent->n_layers + 1;
    return tree;
}

struct tree *tree_ref(struct tree *tree)
{
    atomic_fetch_add(&tree->n_refs, 1);
    return tree;
}

static void tree_free(struct tree *tree)
{
    tree_index_free(tree->merged);
    tree_index_free(tree->own);
    close_auto(&tree->form_fd);
    close_auto(&tree->merged_fd);
    layer_unref(tree->layer);
    (void)pthread_mutex_destroy(&tree->lock); /* nobody holds them */
    (void)pthread_mutex_destroy(&tree->form_lock);
    free(tree);
}

void tree_unref(struct tree *tree)
{
    while (tree && atomic_fetch_sub(&tree->n_refs, 1) == 1) {
        struct tree *parent = tree->parent;
        tree_free(tree);
        tree = parent;
    }
}

size_t tree_n_layers(const struct tree *tree)
{
    return tree->n_layers;
}

struct tree *tree_parent(const struct tree *tree)
{
    return tree->parent;
}

struct tree *tree_at_layer(struct tree *tree, size_t layer)
{
    while (tree->n_layers > layer + 1)
        tree = tree->parent;
    return tree;
}

struct layer *tree_layer(const struct tree *tree, size_t index)
{
    assert(index < tree->n_layers);
    while (tree->n_layers > index + 1)
        tree = tree->parent;
    return tree->layer;
}

struct tree **tree_nodes(struct tree *tree)
{
    struct tree **nodes = xcalloc(tree->n_layers + 1, sizeof(*nodes));
    for (struct tree *node = tree; node->parent; node = node->parent)
        nodes[node->n_layers - 1] = node;
    return nodes;
}

static struct digest known_chain_id(struct tree *tree)
{
    (void)pthread_mutex_lock(&tree->lock);
    struct digest known = tree->chain_id;
    (void)pthread_mutex_unlock(&tree->lock);
    return known;
}

int tree_chain_id(struct tree *tree, struct digest *ret, struct error **err)
{
    struct digest chain = known_chain_id(tree);
    AUTO(free) struct tree **nodes = chain.is_set ? NULL : tree_nodes(tree);
    for (size_t i = 0; nodes && i < tree->n_layers; i++) {
        struct digest known = known_chain_id(nodes[i]);
        if (!known.is_set) {
            struct digest diff_id;
            if (layer_wait(nodes[i]->layer, NULL, &diff_id, err) < 0)
                return -1;
            known = digest_chain_id(&chain, &diff_id);
            (void)pthread_mutex_lock(&nodes[i]->lock);
            nodes[i]->chain_id = known;
            (void)pthread_mutex_unlock(&nodes[i]->lock);
        }
        chain = known;
    }
    *ret = chain;
    return 0;
}

/* The nearest node with an index, from here downwards. */
static const struct tree *next_indexed(const struct tree *tree)
{
    while (tree && !tree->index)
        tree = tree->rest;
    return tree;
}

static void merge_below(struct tree *tree)
{
    tree->index = tree->own;
    tree->rest = tree->parent;
    for (const struct tree *next; (next = next_indexed(tree->rest)); tree->rest = next->rest) {
        if (next->index->n_records / 2 > tree->index->n_records)
            return;
        struct tree_index *merged = tree_index_merge(tree->index, next->index);
        tree_index_free(tree->merged); /* its records were copied, their names are the layers' */
        tree->index = tree->merged = merged;
    }
}

static int index_node(struct tree *tree, struct error **err)
{
    const struct entry_list *list = layer_entries(tree->layer, err);
    if (!list)
        return -1;
    if (list->n_entries) {
        tree->own = tree_index_new(list, (uint32_t)(tree->n_layers - 1));
        merge_below(tree);
    } else {
        tree->rest = tree->parent;
    }
    atomic_store(&tree->is_indexed, true);
    return 0;
}

static int load_node(struct tree *tree, struct error **err)
{
    (void)pthread_mutex_lock(&tree->lock);
    int result = atomic_load(&tree->is_indexed) ? 0 : index_node(tree, err);
    (void)pthread_mutex_unlock(&tree->lock);
    return result;
}

int tree_load(struct tree *tree, struct error **err)
{
    if (atomic_load(&tree->is_indexed))
        return 0;
    AUTO(free) struct tree **nodes = tree_nodes(tree);
    size_t first = tree->n_layers; /* all below it are indexed */
    while (first > 0 && !atomic_load(&nodes[first - 1]->is_indexed))
        first--;
    for (size_t i = first; i < tree->n_layers; i++)
        if (load_node(nodes[i], err) < 0)
            return -1;
    return 0;
}
