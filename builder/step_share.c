/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A COPY of several platforms, or of several stages, often makes the same layer each time: steps
 * differ, since platform and base are inputs, and bytes don't. Who comes second takes the layer of
 * who came first, finished or not.
 */
#include "base/array.h"
#include "builder/copy.h"
#include "builder/executor.h"

struct made_layer {
    struct digest print;
    struct layer *layer;
    struct tree *from; /* held for what `print` says of its entries; or NULL */
};

/* Whether anybody else may make an equal one. */
static bool may_share(const struct stage_run *run)
{
    const struct stage_graph *graph = run->target->graph;
    size_t n = 0;
    for (size_t i = 0; i < graph->n_stages && n < 2; i++)
        n += graph->stages[i].is_needed;
    return run->build->n_targets > 1 || n > 1;
}

static struct layer *find(const struct build *build, const struct digest *print)
{
    for (size_t i = 0; i < build->n_layers; i++)
        if (digest_equal(&build->layers[i].print, print))
            return build->layers[i].layer;
    return NULL;
}

struct layer *step_share_layer(struct stage_run *run, const struct layer_options *options,
                               struct changeset *changeset, struct tree *from)
{
    struct build *build = run->build;
    struct digest print;
    if (!may_share(run) || !copy_changeset_print(changeset, &print))
        return copy_make_layer(build->store, options, changeset);
    pthread_mutex_lock(&build->layers_lock);
    struct layer *layer = find(build, &print);
    if (layer) {
        changeset_release(changeset);
    } else {
        layer = copy_make_layer(build->store, options, changeset);
        *ARRAY_PUSH(build, layers) =
            (struct made_layer){ print, layer, from ? tree_ref(from) : NULL };
    }
    layer = layer_ref(layer);
    pthread_mutex_unlock(&build->layers_lock);
    return layer;
}

void step_share_release(struct build *build)
{
    for (size_t i = 0; i < build->n_layers; i++) {
        layer_unref(build->layers[i].layer);
        tree_unref(build->layers[i].from);
    }
    free(build->layers);
}
