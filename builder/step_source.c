/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/step_source.h"

#include "base/array.h"
#include "base/mem.h"

#include <string.h>

void step_source_release(struct step_source *source)
{
    tree_unref(source->tree);
    *source = (struct step_source){ .context = NULL };
}

static int use_stage(struct stage_run *run, size_t stage, struct step_source *ret,
                     struct error **err)
{
    const struct stage_run *from = schedule_await(run, stage, err);
    if (!from)
        return -1;
    *ret = (struct step_source){ .tree = tree_ref(from->tree), .ran = from->ran || from->lost };
    return 0;
}

struct base_image *step_source_image(const struct stage_run *run, const struct step_image *from,
                                     unsigned vertex, struct error **err)
{
    struct base_image *base = base_image_get(run->build, from->image, from->platform, vertex, err);
    if (!base) {
        AUTO(free)
        char *near = stage_graph_suggestion(run->target->graph, from->image, run->stage->index);
        (void)error_wrap(err, "%s=%s%s", from->is_mount ? "--mount from" : "COPY --from",
                         from->from, near);
    }
    return base;
}

static int use_image(struct stage_run *run, const struct step_image *from, unsigned vertex,
                     struct step_source *ret, struct error **err)
{
    struct base_image *base = step_source_image(run, from, vertex, err);
    if (!base)
        return -1;
    *ret = (struct step_source){ .tree = tree_ref(base->tree), .ran = base->is_lost };
    return 0;
}

int step_source_find(struct stage_run *run, const char *from, bool is_mount, unsigned vertex,
                     struct step_source *ret, struct error **err)
{
    struct build *build = run->build;
    AUTO(stage_source_release) struct stage_source source = { 0 };
    AUTO(free) char *image = NULL;
    if (!from) {
        ret->context = build->context;
        return 0;
    }
    if (stage_graph_resolve(run->target->graph, from, run->stage->index, &source, err) < 0)
        return -1;
    switch (source.kind) {
    case STAGE_SOURCE_STAGE:
        return use_stage(run, source.stage, ret, err);
    case STAGE_SOURCE_SCRATCH:
        *ret = (struct step_source){ .tree = tree_new(build->store), .is_scratch = true };
        return 0;
    case STAGE_SOURCE_CONTEXT:
        ret->context = named_context_get(build, source.name, &image, err);
        if (ret->context)
            return 0;
        if (*err)
            return -1;
        break;
    case STAGE_SOURCE_IMAGE:
        image = TAKE(source.name);
        break;
    }
    const struct step_image name = {
        .image = image, .from = from, .is_mount = is_mount, .platform = &run->config.platform
    };
    return use_image(run, &name, vertex, ret, err);
}

/* --- contents -------------------------------------------------------------------------------- */

/* What files of a tree were seen to contain. */
struct read_content {
    struct tree *tree;
    struct digest choice; /* of files */
    struct digest content;
    bool is_kept; /* already: the tree was known */
};

/* The tree's chain says which one it is: what it is called, or how it was made, isn't enough. */
static int selection_key(struct tree *tree, const struct digest *choice, struct digest *ret,
                         struct error **err)
{
    struct digest chain = { 0 };
    if (tree_chain_id(tree, &chain, err) < 0)
        return -1;
    *ret = cache_selection_key(&chain, choice);
    return 0;
}

static int keep_selection(struct build *build, const struct read_content *read, struct error **err)
{
    struct digest selection;
    if (selection_key(read->tree, &read->choice, &selection, err) < 0)
        return -1;
    return cache_put_selection(build->store, &selection, &read->content, err);
}

/* Of a tree that is being made the digests come later: its files are read at once all the same. */
static int read_content(struct build *build, const struct step_source *source, struct copy *copy,
                        const struct digest *choice, struct digest *ret, struct error **err)
{
    AUTO(inputs_release) struct inputs content = { 0 };
    if (copy_add_tree_contents(copy, &content, err) < 0 ||
        cache_put_content(build->store, &content, ret, err) < 0)
        return -1;
    struct read_content read = {
        .tree = source->tree, .choice = *choice, .content = *ret, .is_kept = !source->ran
    };
    if (read.is_kept && keep_selection(build, &read, err) < 0)
        return -1;
    read.tree = tree_ref(source->tree);
    pthread_mutex_lock(&build->lock);
    *ARRAY_PUSH(build, read) = read;
    pthread_mutex_unlock(&build->lock);
    return 0;
}

/* 1 and what the tree's files are; 0: that isn't known, in a forecast. */
static int find_content(struct build *build, const struct step_source *source, struct copy *copy,
                        struct digest *ret, struct error **err)
{
    AUTO(inputs_release) struct inputs list = { 0 };
    copy_add_selection(copy, &list);
    struct digest choice = inputs_digest(&list);
    struct digest selection;
    if (!source->ran) {
        if (selection_key(source->tree, &choice, &selection, err) < 0)
            return -1;
        if (cache_find_selection(build->store, &selection, ret))
            return 1;
    }
    if (build->forecast)
        return 0;
    return read_content(build, source, copy, &choice, ret, err) < 0 ? -1 : 1;
}

int step_source_add_inputs(struct stage_run *run, struct layer_step *step,
                           const struct step_source *source, struct copy *copy, const char *name,
                           struct error **err)
{
    if (copy_add_inputs(copy, &step->inputs, err) < 0)
        return -1;
    if (!source->tree)
        return 0;
    struct digest content = { 0 };
    char text[DIGEST_TEXT_SIZE] = "";
    int found = find_content(run->build, source, copy, &content, err);
    if (found < 0)
        return -1;
    if (found)
        digest_format(&content, text);
    else
        step->is_lost = true;
    inputs_add(&step->inputs, "content", name, text);
    return 0;
}

void step_source_keep(struct build *build)
{
    for (size_t i = 0; i < build->n_read; i++) {
        const struct read_content *read = &build->read[i];
        AUTO(error_free) struct error *error = NULL;
        if (tree_keep_contents(read->tree, &error) < 0 ||
            (!read->is_kept && keep_selection(build, read, &error) < 0))
            progress_warning(build->progress, 0, "keeping digests of contents: %s",
                             error_message(error));
    }
}

void step_source_forget(struct build *build)
{
    for (size_t i = 0; i < build->n_read; i++)
        tree_unref(build->read[i].tree);
    free(build->read);
}
