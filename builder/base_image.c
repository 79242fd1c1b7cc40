/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FROM image and COPY --from=image: a name becomes a tree and a config. The order: a named context,
 * an earlier stage (both in stage.c), a tag of the local store, the registry; --pull always asks
 * the registry. What a registry gave is tagged in the store, so that the next build asks nobody; at
 * the end, since a tag waits for the disk, and no step needs it.
 */
#include "base/array.h"
#include "base/mem.h"
#include "builder/executor.h"
#include "builder/forecast_internal.h"
#include "builder/step_explain.h"
#include "layers/arrival.h"
#include "layers/entries.h"
#include "oci/image.h"
#include "oci/store_tags.h"
#include "registry/pull.h"

#include <string.h>

void base_image_free(struct base_image *base)
{
    if (!base)
        return;
    if (base->thread)
        (void)thread_join(base->thread);
    descriptor_release(&base->target);
    error_free(base->fetch_error);
    pthread_mutex_destroy(&base->fetch_lock);
    free(base->name);
    free(base->platform);
    reference_release(&base->reference);
    image_config_release(&base->config);
    tree_unref(base->tree);
    free(base);
}

static int lease_image(struct store *store, const struct image *image, struct error **err)
{
    if (store_lease(store, &image->descriptor.digest, err) < 0 ||
        store_lease(store, &image->manifest.config.digest, err) < 0)
        return -1;
    for (size_t i = 0; i < image->manifest.n_layers; i++)
        if (store_lease(store, &image->manifest.layers[i].digest, err) < 0)
            return -1;
    return 0;
}

static bool layers_are_there(struct store *store, const struct image *image)
{
    for (size_t i = 0; i < image->manifest.n_layers; i++)
        if (!store_has_blob(store, &image->manifest.layers[i].digest, NULL))
            return false;
    return true;
}

int base_image_read_local(struct store *store, const struct reference *reference,
                          const struct platform *platform, struct image *ret, struct error **err)
{
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(free) char *text = reference_format(reference);
    AUTO(error_free) struct error *missing = NULL;
    if (store_resolve(store, text, &desc, NULL, &missing) < 0) {
        if (error_is(missing, ERR_NOT_FOUND))
            return 0;
        error_move(err, TAKE(missing));
        return -1;
    }
    AUTO(image_release) struct image image = { 0 };
    if (image_read(store, &desc, platform, &image, &missing) < 0) {
        if (error_is(missing,
                     ERR_NOT_FOUND)) /* an index without this platform, or a blob that is gone */
            return 0;
        error_move(err, TAKE(missing));
        return -1;
    }
    *ret = image;
    memset(&image, 0, sizeof(image));
    return 1;
}

/* 1 found and complete; 0 not here. */
static int find_local(struct build *build, const struct reference *reference,
                      const struct platform *platform, struct image *ret, struct error **err)
{
    AUTO(image_release) struct image image = { 0 };
    int found = base_image_read_local(build->store, reference, platform, &image, err);
    /* leased before looking: collecting can't slip in between */
    if (found <= 0 || lease_image(build->store, &image, err) < 0)
        return found < 0 || *err ? -1 : 0;
    if (!layers_are_there(build->store, &image))
        return 0;
    *ret = image;
    memset(&image, 0, sizeof(image));
    return 1;
}

/* Manifest and config; the layers stay where they are until somebody needs them. */
static int pull(struct build *build, struct base_image *base, const struct platform *platform,
                unsigned vertex, struct image *ret, struct error **err)
{
    struct pull_request request = { .reference = &base->reference,
                                    .platform = platform,
                                    .flags = PULL_NO_LAYERS,
                                    .vertex = vertex };
    AUTO(descriptor_release) struct descriptor target = { 0 };
    AUTO(descriptor_release) struct descriptor manifest = { 0 };
    if (registry_pull(build->session, build->store, &request, &target, &manifest, err) < 0) {
        AUTO(free) char *name = reference_familiar(&base->reference);
        return error_wrap(err, "pulling %s", name);
    }
    if (image_read(build->store, &manifest, platform, ret, err) < 0)
        return -1;
    struct platform host = { 0 };
    platform_host(&host);
    base->is_foreign = platform_match(&host, &ret->config.platform) <= 0;
    platform_release(&host);
    descriptor_copy(&base->target, &target);
    base->build = build;
    return 0;
}

size_t base_images_namings(struct build *build, struct store_naming *ret)
{
    size_t n = 0;
    pthread_mutex_lock(&build->base_lock);
    for (size_t i = 0; i < build->n_bases; i++) {
        struct base_image *base = build->bases[i];
        if (!atomic_load(&base->is_new))
            continue;
        /* a foreign platform doesn't take the name away from the host's image */
        bool nameless = base->reference.digest.is_set || base->is_foreign;
        ret[n++] = (struct store_naming){ nameless ? NULL : &base->reference, &base->target };
    }
    pthread_mutex_unlock(&build->base_lock);
    return n;
}

/* Its documents are in the store: nothing but layers is asked for. */
static int fetch_layers(struct base_image *base, unsigned vertex, struct error **err)
{
    struct build *build = base->build;
    AUTO(arrival_free)
    struct arrival *arrival = arrival_new(build->store, base->tree, base->is_mounted);
    AUTO(reference_release) struct reference exact = { 0 };
    AUTO(descriptor_release) struct descriptor ignored = { 0 }; /* the digest that was asked for */
    reference_copy(&exact, &base->reference);
    exact.digest = base->digest;
    const struct pull_request request = { .reference = &exact,
                                          .vertex = vertex,
                                          .watcher = arrival_watcher(arrival) };
    if (registry_pull(build->session, build->store, &request, &ignored, NULL, err) < 0 ||
        arrival_finish(arrival, err) < 0) {
        AUTO(free) char *name = reference_familiar(&base->reference);
        return error_wrap(err, "pulling %s", name);
    }
    atomic_store(&base->is_new, true);
    return 0;
}

static int fetch_shown(struct base_image *base, struct error **err)
{
    struct progress *progress = base->build->progress;
    AUTO(free) char *name = reference_familiar(&base->reference);
    AUTO(free) char *title = xasprintf("pulling %s", name);
    unsigned vertex = progress_vertex(progress);
    progress_started(progress, vertex, title);
    int result = fetch_layers(base, vertex, err);
    if (result < 0)
        build_tell_failure(base->build, vertex, *err);
    else
        progress_simple(progress, PROGRESS_DONE, vertex);
    return result;
}

/* Of all layers, since who needs one mostly needs the others: side by side, once. */
static int fetch(void *data, const struct descriptor *blob UNUSED, struct error **err)
{
    struct base_image *base = data;
    pthread_mutex_lock(&base->fetch_lock);
    if (!base->is_fetched) {
        (void)fetch_shown(base, &base->fetch_error);
        base->is_fetched = true;
    }
    error_move(err, error_copy(base->fetch_error));
    pthread_mutex_unlock(&base->fetch_lock);
    return *err ? -1 : 0;
}

/* A blob has its name before what was seen of it on its way is written, and the forms come last. */
static void settle(void *data)
{
    struct base_image *base = data;
    pthread_mutex_lock(&base->fetch_lock);
    pthread_mutex_unlock(&base->fetch_lock);
}

static void *fetch_ahead(void *data)
{
    AUTO(error_free) struct error *ignored = NULL; /* who needs them hears of it */
    int result = fetch(data, NULL, &ignored);
    (void)result;
    return NULL;
}

enum use {
    USE_MOUNT = 1 << 0, /* some RUN stands on it */
    USE_FILES = 1 << 1, /* some step has to see its files */
};

static unsigned uses_of_step(const struct instruction *instruction)
{
    if (instruction->kind == INSTRUCTION_RUN)
        return USE_MOUNT | USE_FILES;
    bool copies = instruction->kind == INSTRUCTION_COPY || instruction->kind == INSTRUCTION_ADD;
    if (copies ? instruction->copy.link != FLAG_ON : instruction->kind == INSTRUCTION_WORKDIR)
        return USE_FILES;
    return 0;
}

/* Of what a stage stands on: its steps', and those of stages FROM it. */
static unsigned find_uses(const struct stage_graph *graph, const struct stage *stage)
{
    unsigned uses = stage_graph_is_taken_of(graph, stage->index) ? USE_FILES : 0;
    for (size_t i = 0; i < stage->n_instructions; i++)
        uses |= uses_of_step(&stage->instructions[i]);
    for (size_t i = stage->index + 1; i < graph->n_stages; i++) {
        const struct stage *heir = &graph->stages[i];
        if (heir->is_needed && heir->base.kind == STAGE_SOURCE_STAGE &&
            heir->base.stage == stage->index)
            uses |= find_uses(graph, heir);
    }
    return uses;
}

/* Of all stages that name it: who comes first has it fetched as the others want it, too. */
static unsigned find_all_uses(const struct base_image *base, const struct stage_run *run)
{
    const struct stage_graph *graph = run->target->graph;
    unsigned uses = find_uses(graph, run->stage);
    for (size_t i = 0; i < graph->n_stages; i++) {
        const struct stage *stage = &graph->stages[i];
        if (stage->is_needed && stage != run->stage && stage->base.kind == STAGE_SOURCE_IMAGE &&
            !strcmp(stage->base.name, base->name))
            uses |= find_uses(graph, stage);
    }
    return uses;
}

/*
 * Whether some layer of it was never here (a list of entries outlives its blob): then no step that
 * saw files of the image can be cached.
 */
static bool was_never_here(const struct base_image *base)
{
    struct store *store = base->build->store;
    for (size_t i = 0; i < tree_n_layers(base->tree); i++) {
        AUTO(entries_release) struct entries entries = { .tar_size = 0 };
        AUTO(descriptor_release) struct descriptor blob = { 0 };
        AUTO(error_free) struct error *ignored = NULL;
        if (layer_wait(tree_layer(base->tree, i), &blob, NULL, &ignored) == 0 &&
            !store_has_blob(store, &blob.digest, NULL) &&
            entries_read_members(store, &blob.digest, &entries, &ignored) < 0)
            return true;
    }
    return false;
}

int base_image_is_used(struct base_image *base, const struct stage_run *run, struct error **err)
{
    if (!base->build)
        return 0;
    const unsigned uses = find_all_uses(base, run);
    /* a RUN asks soon, unless it is cached; where there is none, nobody may ask until the end */
    bool ahead =
        !(uses & USE_MOUNT) && stage_run_is_of_image(run) && !base->build->options->push_only;
    if (!ahead && uses & USE_FILES)
        ahead = was_never_here(base) && !explain_had_base(base->build, &base->recipe);
    int result = 0;
    pthread_mutex_lock(&base->build->base_lock);
    if (uses & USE_MOUNT)
        atomic_store(&base->is_mounted, true);
    if (ahead && !base->thread) {
        base->thread = thread_start(fetch_ahead, base, err);
        result = base->thread ? 0 : -1;
    }
    pthread_mutex_unlock(&base->build->base_lock);
    return result;
}

int base_image_is_taken(struct base_image *base, bool is_mount, struct error **err)
{
    if (!base->build || !was_never_here(base))
        return 0;
    if (is_mount)
        atomic_store(&base->is_mounted, true);
    return fetch(base, NULL, err);
}

static int find_image(struct build *build, struct base_image *base, const struct platform *platform,
                      unsigned vertex, struct image *ret, struct error **err)
{
    const struct reference *reference = &base->reference;
    AUTO(image_release) struct image local = { 0 };
    int found = find_local(build, reference, platform, &local, err);
    if (found < 0)
        return -1;
    /* a digest names these bytes: no registry has others, for whatever platform */
    bool suits =
        found && (reference->digest.is_set || platform_match(platform, &local.config.platform) > 0);
    if (!suits || build->options->pull) {
        AUTO(error_free) struct error *refused = NULL;
        if (pull(build, base, platform, vertex, ret, &refused) == 0)
            return 0;
        /* an image made here for another platform, that no registry knows: take it, and it is said
         */
        bool use_local = found && !build->options->pull && !error_is(refused, ERR_CANCELLED);
        if (!use_local) {
            error_move(err, TAKE(refused));
            return -1;
        }
    }
    *ret = local;
    memset(&local, 0, sizeof(local));
    return 0;
}

/* For a forecast: 1 it is here; 0 it would be pulled, which is noted. */
static int foresee(struct build *build, struct base_image *base, const struct platform *platform,
                   struct error **err)
{
    AUTO(image_release) struct image image = { 0 };
    int found = base_image_read_local(build->store, &base->reference, platform, &image, err);
    if (found < 0)
        return -1;
    found = found &&
            (base->reference.digest.is_set || platform_match(platform, &image.config.platform) > 0);
    uint64_t size = 0;
    for (size_t i = 0; found && i < image.manifest.n_layers; i++)
        if (!store_has_blob(build->store, &image.manifest.layers[i].digest, NULL))
            size += image.manifest.layers[i].size;
    bool is_here = found && layers_are_there(build->store, &image);
    forecast_add_image(build, base->name, is_here, found, size);
    if (is_here)
        return 1;
    base->is_lost = true;
    base->tree = tree_new(build->store);
    base->recipe = forecast_lost_recipe();
    return 0;
}

static struct digest base_recipe(const struct image_config *config)
{
    struct digest chain = { 0 };
    for (size_t i = 0; i < config->n_diff_ids; i++)
        chain = digest_chain_id(i ? &chain : NULL, &config->diff_ids[i]);
    return chain.is_set ? chain : digest_of("scratch", 7);
}

/* A base without history gets an entry per layer, so that ours pair with our layers. */
static void complete_history(struct image_config *config)
{
    if (config->n_history)
        return;
    for (size_t i = 0; i < config->n_diff_ids; i++)
        image_config_add_history(config, config->created, "",
                                 "layer of a base image without history", false);
}

static int fill(struct build *build, struct base_image *base, const struct platform *platform,
                unsigned vertex, struct error **err)
{
    if (reference_parse(base->name, &base->reference, err) < 0)
        return -1;
    reference_default_tag(&base->reference);
    AUTO(image_release) struct image image = { 0 };
    if (build->forecast) {
        int is_here = foresee(build, base, platform, err);
        if (is_here <= 0)
            return is_here;
        if (find_local(build, &base->reference, platform, &image, err) <= 0)
            return *err ? -1 : error_set(err, ERR_STORE, "%s was removed meanwhile", base->name);
    } else if (find_image(build, base, platform, vertex, &image, err) < 0 ||
               lease_image(build->store, &image, err) < 0) {
        return -1;
    }
    if (image.manifest.n_layers != image.config.n_diff_ids)
        return error_set(err, ERR_INVALID, "%s: %zu layers, but %zu diff_ids in its config",
                         base->name, image.manifest.n_layers, image.config.n_diff_ids);
    base->digest = image.descriptor.digest;
    base->tree = tree_new(build->store);
    const struct layer_fetcher fetcher = { fetch, settle, base };
    for (size_t i = 0; i < image.manifest.n_layers; i++) {
        AUTO(layer_unref)
        struct layer *layer =
            layer_from_blob(build->store, &image.manifest.layers[i], &image.config.diff_ids[i],
                            base->build ? &fetcher : NULL);
        struct tree *tree = tree_push(base->tree, layer);
        tree_unref(base->tree);
        base->tree = tree;
    }
    base->config = image.config;
    memset(&image.config, 0, sizeof(image.config));
    base->recipe = base_recipe(&base->config);
    complete_history(&base->config);
    return 0;
}

static struct base_image *find(struct build *build, const char *name, const char *platform)
{
    for (size_t i = 0; i < build->n_bases; i++)
        if (!strcmp(build->bases[i]->name, name) && !strcmp(build->bases[i]->platform, platform))
            return build->bases[i];
    return NULL;
}

struct base_image *base_image_get(struct build *build, const char *name,
                                  const struct platform *platform, unsigned vertex,
                                  struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    platform_format(platform, &text);
    pthread_mutex_lock(&build->base_lock);
    struct base_image *base = find(build, name, text.data);
    while (base && base->state == BASE_WORKING)
        pthread_cond_wait(&build->base_changed, &build->base_lock);
    bool ours = !base;
    if (ours) {
        base = NEW(struct base_image);
        pthread_mutex_init(&base->fetch_lock, NULL);
        base->name = xstrdup(name);
        base->platform = xstrdup(text.data);
        *ARRAY_PUSH(build, bases) = base;
    }
    pthread_mutex_unlock(&build->base_lock);
    if (!ours) {
        if (base->state == BASE_READY)
            return base;
        return error_set_null(err, ERR_CANCELLED, "%s: another stage couldn't get it", name);
    }
    int result = fill(build, base, platform, vertex, err);
    pthread_mutex_lock(&build->base_lock);
    base->state = result < 0 ? BASE_FAILED : BASE_READY;
    pthread_cond_broadcast(&build->base_changed);
    pthread_mutex_unlock(&build->base_lock);
    return result < 0 ? NULL : base;
}

bool base_image_may_trigger(struct build *build, const char *name, const struct platform *platform)
{
    AUTO(error_free) struct error *ignored = NULL; /* told when the image is asked for */
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(image_release) struct image image = { 0 };
    if (build->options->pull || reference_parse(name, &reference, &ignored) < 0)
        return true;
    reference_default_tag(&reference);
    return find_local(build, &reference, platform, &image, &ignored) != 1 ||
           image.config.on_build.n;
}
