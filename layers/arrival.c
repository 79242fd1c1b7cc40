/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1. A form is finished only when all layers are there: its parents and hard links may ask the
 *    layers below, which may still be on their way.
 * 2. Whoever waits for the image may hold locks of its tree, so that one is not asked: a tree of
 *    our own has the same layers.
 */
#include "layers/arrival.h"

#include "base/io.h"
#include "base/mem.h"
#include "layers/apply.h"
#include "layers/entries.h"
#include "layers/tree_internal.h"

#include <assert.h>
#include <pthread.h>

struct arrived {
    struct entries entries;
    struct form_writer *form; /* NULL: none was wanted, or it is there */
    size_t layer;
};

struct arrival {
    struct tree *tree;
    bool with_forms;
    struct blob_watcher watcher;
    pthread_mutex_t lock;
    struct arrived **arrived; /* per layer, or NULL; under lock */
};

static void arrived_free(void *made)
{
    struct arrived *arrived = made;
    if (!arrived)
        return;
    entries_release(&arrived->entries);
    form_writer_free(arrived->form);
    free(arrived);
}

/* The lowest layer with this blob; equal ones have the same form. */
static struct tree *find_node(struct tree *tree, const struct descriptor *blob, size_t *layer)
{
    for (size_t i = 0; i < tree_n_layers(tree); i++) {
        AUTO(descriptor_release) struct descriptor own = { 0 };
        AUTO(error_free)
        struct error *ignored = NULL; /* a layer of an image is never in the making */
        if (layer_wait(tree_layer(tree, i), &own, NULL, &ignored) < 0 ||
            !digest_equal(&own.digest, &blob->digest))
            continue;
        *layer = i;
        return tree_at_layer(tree, i);
    }
    return NULL;
}

/* A form to write, unless the layer has one. */
static int begin_form(struct tree *node, struct form_writer **ret, struct error **err)
{
    struct digest diff_id;
    if (layer_wait(node->layer, NULL, &diff_id, err) < 0)
        return -1;
    AUTO(close) int there = tree_find_form(node, &diff_id, err);
    if (there >= 0)
        return 0;
    if (*err)
        return -1;
    *ret = form_writer_new(node->store, node->parent, err);
    return *ret ? 0 : -1;
}

static int look(void *data, const struct descriptor *blob, struct source *bytes, void **made,
                struct error **err)
{
    struct arrival *arrival = data;
    struct arrived *arrived = NEW(struct arrived);
    *made = arrived;
    struct tree *node = find_node(arrival->tree, blob, &arrived->layer);
    if (node && arrival->with_forms && begin_form(node, &arrived->form, err) < 0)
        return -1;
    if (entries_scan_source(bytes, arrived->form, &arrived->entries, err) < 0)
        return -1;
    return arrived->form ? form_writer_rest(arrived->form, err) : 0;
}

static void keep(void *data, struct store *store, const struct descriptor *blob, void *made)
{
    struct arrival *arrival = data;
    struct arrived *arrived = made;
    AUTO(error_free) struct error *ignored = NULL; /* a cache: they are made again */
    int written = entries_write(store, &blob->digest, &arrived->entries, &ignored);
    (void)written;
    entry_list_release(&arrived->entries.list);
    if (arrived->form) {
        pthread_mutex_lock(&arrival->lock);
        struct arrived *other = arrival->arrived[arrived->layer];
        arrival->arrived[arrived->layer] = arrived;
        arrived = other;
        pthread_mutex_unlock(&arrival->lock);
    }
    arrived_free(arrived);
}

/* Rule 2. An image's layers have their digests from the start: nothing is waited for. */
static struct tree *same_tree(struct store *store, struct tree *tree)
{
    struct tree *copy = tree_new(store);
    for (size_t i = 0; i < tree_n_layers(tree); i++) {
        AUTO(descriptor_release) struct descriptor blob = { 0 };
        AUTO(error_free) struct error *ignored = NULL; /* of layers in the making alone */
        struct digest diff_id = { 0 };
        int known = layer_wait(tree_layer(tree, i), &blob, &diff_id, &ignored);
        assert(known == 0);
        AUTO(layer_unref) struct layer *layer = layer_from_blob(store, &blob, &diff_id, NULL);
        struct tree *next = tree_push(copy, layer);
        tree_unref(copy);
        copy = next;
    }
    return copy;
}

struct arrival *arrival_new(struct store *store, struct tree *tree, bool with_forms)
{
    struct arrival *arrival = NEW(struct arrival);
    arrival->tree = same_tree(store, tree);
    arrival->with_forms = with_forms;
    arrival->watcher = (struct blob_watcher){ look, keep, arrived_free, arrival };
    arrival->arrived = xcalloc(tree_n_layers(tree) + 1, sizeof(struct arrived *));
    pthread_mutex_init(&arrival->lock, NULL);
    return arrival;
}

const struct blob_watcher *arrival_watcher(const struct arrival *arrival)
{
    return &arrival->watcher;
}

/* What has another diff_id than the image says is reported by whoever asks for its entries. */
static int finish_layer(struct tree *node, const struct arrived *arrived, struct error **err)
{
    struct digest diff_id;
    if (layer_wait(node->layer, NULL, &diff_id, err) < 0)
        return -1;
    if (!digest_equal(&diff_id, &arrived->entries.diff_id))
        return 0;
    AUTO(close) int fd = tree_commit_form(arrived->form, node, &diff_id, err);
    return fd < 0 ? -1 : 0;
}

int arrival_finish(struct arrival *arrival, struct error **err)
{
    for (size_t i = 0; i < tree_n_layers(arrival->tree); i++) {
        struct arrived *arrived = TAKE(arrival->arrived[i]);
        int result = arrived ? finish_layer(tree_at_layer(arrival->tree, i), arrived, err) : 0;
        arrived_free(arrived);
        if (result < 0)
            return error_wrap(err, "layer %zu", i + 1);
    }
    return 0;
}

void arrival_free(struct arrival *arrival)
{
    if (!arrival)
        return;
    for (size_t i = 0; i < tree_n_layers(arrival->tree); i++)
        arrived_free(arrival->arrived[i]);
    free(arrival->arrived);
    tree_unref(arrival->tree);
    pthread_mutex_destroy(&arrival->lock);
    free(arrival);
}
