/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/mem.h"
#include "builder/executor.h"
#include "builder/forecast_internal.h"
#include "builder/push_ahead.h"
#include "builder/ran_record.h"
#include "builder/step_explain.h"
#include "layers/snapshot.h"

#include <string.h>

void layer_step_release(struct layer_step *step)
{
    free(step->history);
    inputs_release(&step->inputs);
    strvec_release(&step->warnings);
    tempfile_free(step->inputs_file);
    lockfile_remove(step->lock);
    memset(step, 0, sizeof(*step));
}

int layer_step_options(struct stage_run *run, const struct layer_step *step,
                       struct layer_options *ret, struct error **err)
{
    struct layer_options options = { .compression = run->build->options->compression,
                                     .pool = run->build->pool,
                                     .group = run->build->group };
    if (step->is_late) { /* the step waits for it; others leave it to be finished */
        options.check = schedule_check_data;
        options.check_data = run->build;
    }
    if (explain_previous(run, step, &options.previous, err) < 0)
        return -1;
    *ret = options;
    return 0;
}

struct digest step_recipe(const struct layer_step *step, const struct digest *below,
                          const struct digest *rest)
{
    struct digest nothing = digest_of("scratch", 7);
    return cache_recipe_key(step->is_independent ? &nothing : below, rest);
}

struct keys {
    struct digest rest, recipe, result;
    bool by_result; /* the record was found by it */
};

static void make_recipe(struct stage_run *run, struct layer_step *step, struct keys *keys)
{
    struct build *build = run->build;
    static const char *const times[] = { [BUILD_TIMES_CLAMP] = "none later",
                                         [BUILD_TIMES_KEEP] = "as they are",
                                         [BUILD_TIMES_SET] = "all alike" };
    AUTO(strbuf_release) struct strbuf platform = STRBUF_INIT;
    platform_format(&run->config.platform, &platform);
    inputs_add(&step->inputs, "platform", "", platform.data);
    if (build->created)
        inputs_add(&step->inputs, "epoch", "", build->created);
    if (build->created && build->options->times != BUILD_TIMES_CLAMP)
        inputs_add(&step->inputs, "file times", "", times[build->options->times]);
    keys->rest = inputs_digest(&step->inputs);
    keys->recipe = step_recipe(step, &run->recipe, &keys->rest);
    if (build->options->explain || build->forecast)
        inputs_keep(&step->inputs); /* they are compared with those of the build before */
}

/* Steps made by this build, by recipe: with --no-cache an equal step of another stage isn't made
 * twice. */
static void remember_made(struct build *build, const struct digest *recipe)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(recipe, hex);
    pthread_mutex_lock(&build->lock);
    hashmap_put(&build->made, hex, NULL);
    pthread_mutex_unlock(&build->lock);
}

static bool was_made_here(struct build *build, const struct digest *recipe)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(recipe, hex);
    pthread_mutex_lock(&build->lock);
    bool made = hashmap_has(&build->made, hex);
    pthread_mutex_unlock(&build->lock);
    return made;
}

static int find_layer(struct build *build, const struct digest *key, struct cache_record *record,
                      struct error **err)
{
    int found = cache_find(build->store, key, &build->options->compression, record, err);
    if (found <= 0 || record->has_layer)
        return found;
    cache_record_release(record); /* no record of a step */
    return 0;
}

/*
 * A recipe may have been followed twice, with another outcome: what was made upon the one is no
 * layer for the other. So a record counts only on the chain that it was made on, and only then,
 * when there is one, are the layers below waited for.
 */
static int find_by_recipe(struct stage_run *run, struct layer_step *step, const struct keys *keys,
                          struct cache_record *record, struct error **err)
{
    struct digest chain = { 0 };
    int found = find_layer(run->build, &keys->recipe, record, err);
    if (found <= 0 || step->is_independent)
        return found;
    if (tree_chain_id(run->tree, &chain, err) < 0)
        return -1;
    chain = digest_chain_id(&chain, &record->diff_id);
    if (digest_equal(&chain, &record->chain_id))
        return 1;
    step->is_outdated = true;
    cache_record_release(record);
    return 0;
}

/* 1: found, by recipe, or by what the parents' rerun gave. */
static int find_cached(struct stage_run *run, struct layer_step *step, struct keys *keys,
                       struct cache_record *record, struct error **err)
{
    struct build *build = run->build;
    if (run->no_cache)
        return was_made_here(build, &keys->recipe) ? find_by_recipe(run, step, keys, record, err)
                                                   : 0;
    int found = find_by_recipe(run, step, keys, record, err);
    if (found != 0 || step->is_independent || !cache_has_rest(build->store, &keys->rest))
        return found;
    if (recorder_result_key(run->tree, &keys->rest, &keys->result, err) < 0)
        return -1;
    found = find_layer(build, &keys->result, record, err);
    keys->by_result = found > 0;
    /* next time the recipe finds it */
    struct cache_keys by_recipe = { .recipe = &keys->recipe, .rest = &keys->rest };
    if (found > 0 && cache_put(build->store, &by_recipe, &build->options->compression, record,
                               &step->inputs, err) < 0)
        return -1;
    return found;
}

/* What the next step stands on. */
static struct digest recipe_above(const struct stage_run *run, const struct layer_step *step,
                                  const struct keys *keys)
{
    return step->is_independent ? cache_recipe_key(&run->recipe, &keys->recipe) : keys->recipe;
}

static int advance(struct stage_run *run, struct layer_step *step, const struct keys *keys,
                   struct layer *layer, const char *created, struct error **err)
{
    if (run->n_dated < run->config.n_history && stage_run_date_history(run, err) < 0)
        return -1;
    struct tree *tree = tree_push(run->tree, layer);
    tree_unref(run->tree);
    run->tree = tree;
    push_ahead_add_layer(run->build->ahead, run, layer);
    run->recipe = recipe_above(run, step, keys);
    run->history_key = cache_history_key(&run->recipe, "");
    image_config_add_history(&run->config, created, step->history, "cbuild", false);
    run->n_dated = run->config.n_history;
    free(run->config.created);
    run->config.created = xstrdup(created);
    return 0;
}

/* In memory; else they are told again whenever somebody asks. */
static bool are_kept(const struct inputs *inputs)
{
    return !inputs->more.each;
}

/* Many inputs wait for the layer on disk. */
static int stage_inputs(struct stage_run *run, struct layer_step *step, struct error **err)
{
    const bool frees = are_kept(&step->inputs); /* staging takes them out of memory */
    if (step->inputs_file || inputs_count(&step->inputs) < INPUTS_MANY)
        return 0;
    if (cache_stage_inputs(run->build->store, &step->inputs, &step->inputs_file, err) < 0)
        return -1;
    if (frees)
        mem_trim();
    return 0;
}

static int record_later(struct stage_run *run, struct layer_step *step, const struct keys *keys,
                        struct layer *layer, const char *created, struct lockfile **lock,
                        struct error **err)
{
    if (stage_inputs(run, step, err) < 0)
        return -1;
    AUTO(error_free) struct error *ignored = NULL; /* without a name no record of it is written */
    /* nobody else names it yet */
    char *form = step->leaves_form ? snapshot_private_name(layer_snapshot(layer), &ignored) : NULL;
    struct record_job job = { .layer = layer_ref(layer),
                              .tree = tree_ref(run->tree),
                              .recipe = keys->recipe,
                              .rest = keys->rest,
                              .shape = step->shape,
                              .is_independent = step->is_independent,
                              .form = form,
                              .upon = TAKE(run->top_form),
                              .inputs_file = TAKE(step->inputs_file),
                              .lock = TAKE(*lock),
                              .progress =
                                  run->build->options->explain ? run->build->progress : NULL,
                              .vertex = step->vertex };
    job.record.step = instruction_format(step->instruction);
    job.record.created = xstrdup(created);
    job.record.warnings = step->warnings;
    step->warnings = (struct strvec)STRVEC_INIT;
    job.inputs = step->inputs;
    step->inputs = (struct inputs){ 0 };
    run->top_form = xstrdup(form);
    recorder_add(run->build->recorder, &job);
    return 0;
}

static int use_cached(struct stage_run *run, struct layer_step *step, const struct keys *keys,
                      const struct cache_record *record, struct error **err)
{
    struct build *build = run->build;
    AUTO(layer_unref)
    struct layer *layer = layer_from_blob(build->store, &record->blob, &record->diff_id, NULL);
    explain_tell_hit(run, step, keys->by_result);
    for (size_t i = 0; i < record->warnings.n; i++)
        build_warn(build, run->current, NULL, "%s", record->warnings.items[i]);
    if (advance(run, step, keys, layer, record->created, err) < 0)
        return -1;
    free(TAKE(run->top_form));
    pthread_mutex_lock(&build->lock);
    build->result->n_cached++;
    pthread_mutex_unlock(&build->lock);
    progress_simple(build->progress, PROGRESS_CACHED, step->vertex);
    return 0;
}

/* The layer is on its way: the stage moves on. `ran`: when it ran; NULL: now. */
static int use_new(struct stage_run *run, struct layer_step *step, const struct keys *keys,
                   struct layer *layer, const char *ran, struct lockfile **lock, struct error **err)
{
    struct build *build = run->build;
    char now[CLOCK_TEXT_SIZE];
    clock_format(clock_now(), now);
    const char *created = build->created ? build->created : ran ? ran : now;
    if (advance(run, step, keys, layer, created, err) < 0)
        return -1;
    run->ran = true;
    remember_made(build, &keys->recipe);
    if (step->shape.is_set)
        remember_made(build, &step->shape);
    if (record_later(run, step, keys, layer, created, lock, err) < 0)
        return -1;
    progress_simple(build->progress, PROGRESS_DONE, step->vertex);
    return 0;
}

static int make_new(struct stage_run *run, struct layer_step *step, const struct keys *keys,
                    struct lockfile **lock, struct error **err)
{
    AUTO(layer_unref) struct layer *layer = NULL;
    explain_tell_miss(run, step);
    /* those that take no memory can be written while the layer is on its way */
    if ((are_kept(&step->inputs) && stage_inputs(run, step, err) < 0) ||
        step->make(run, step, &layer, err) < 0)
        return -1;
    return use_new(run, step, keys, layer, NULL, lock, err);
}

/* 1: a form counts, whose name, and time, are in `ran` */
static int find_ran(struct stage_run *run, const struct layer_step *step, const struct keys *keys,
                    struct ran_record *ran, struct error **err)
{
    struct digest chain = { 0 };
    if (!step->take || run->no_cache)
        return 0;
    int found = ran_record_find(run->build->store, &keys->recipe, ran, err);
    if (found <= 0 || !digest_equal(&keys->rest, &ran->inputs))
        return found < 0 ? -1 : 0;
    if (ran->upon) /* a form that this build has made, or taken up as one that counts */
        return run->top_form && strcmp(run->top_form, ran->upon) == 0;
    if (tree_chain_id(run->tree, &chain, err) < 0)
        return -1;
    return digest_equal(&chain, &ran->below);
}

/*
 * The command has run, and a build that was killed didn't finish the layer: 1. 0: it has to run.
 * The step's lock is held.
 */
static int resume(struct stage_run *run, struct layer_step *step, const struct keys *keys,
                  struct lockfile **lock, struct error **err)
{
    AUTO(ran_record_release) struct ran_record ran = { .step = NULL };
    AUTO(layer_unref) struct layer *layer = NULL;
    AUTO(error_free) struct error *damage = NULL;
    int found = find_ran(run, step, keys, &ran, err);
    if (found <= 0)
        return found;
    int taken = step->take(run, step, ran.form, &layer, &damage);
    if (taken <= 0) { /* a form that can't be read is as good as none */
        ran_record_drop(run->build->store, &keys->recipe);
        return schedule_check(run->build, err);
    }
    explain_tell_ran(run, step);
    return use_new(run, step, keys, layer, ran.created, lock, err) < 0 ? -1 : 1;
}

/* The layer comes before its key. */
static int make_late(struct stage_run *run, struct layer_step *step, struct error **err)
{
    AUTO(layer_unref) struct layer *layer = NULL;
    struct keys keys = { 0 };
    explain_remember(run, step, &step->shape); /* until the rest is known */
    if (step->make(run, step, &layer, err) < 0 || layer_wait(layer, NULL, NULL, err) < 0 ||
        step->complete(run, step, layer, err) < 0)
        return -1;
    make_recipe(run, step, &keys);
    explain_set_rest(run, &keys.rest);
    explain_tell_miss(run, step);
    return use_new(run, step, &keys, layer, NULL, &step->lock, err);
}

static void push_cached(struct stage_run *run, const struct cache_record *record)
{
    AUTO(layer_unref)
    struct layer *layer = layer_from_blob(run->build->store, &record->blob, &record->diff_id, NULL);
    struct tree *tree = tree_push(run->tree, layer);
    tree_unref(run->tree);
    run->tree = tree;
}

/* Nothing is run: what follows is keyed as if it had been. What it would give isn't known. */
static int foresee(struct stage_run *run, struct layer_step *step, const struct keys *keys,
                   struct error **err)
{
    AUTO(cache_record_release) struct cache_record record = { 0 };
    AUTO(ran_record_release) struct ran_record ran = { .step = NULL };
    AUTO(strvec_release) struct strvec reasons = STRVEC_INIT;
    struct build *build = run->build;
    step->is_outdated = run->ran && !step->is_independent;
    int found =
        run->no_cache || step->is_outdated ? 0 : find_by_recipe(run, step, keys, &record, err);
    int has_run = found || step->is_outdated ? 0 : find_ran(run, step, keys, &ran, err);
    if (found < 0 || has_run < 0)
        return -1;
    if (found)
        push_cached(run, &record);
    else
        run->ran = true;
    free(run->top_form);
    run->top_form = has_run ? TAKE(ran.form) : NULL;
    if (has_run)
        strvec_push(&reasons, "it ran before, its layer was not finished");
    else if (!found && step->is_lost)
        strvec_push(&reasons, "what it takes from elsewhere isn't known before the build");
    else if (!found)
        explain_miss(run, step, &reasons);
    if (!found && !run->no_cache && !step->is_independent &&
        cache_has_rest(build->store, &keys->rest))
        strvec_push(&reasons, "cached after all if what it stands on comes out as before");
    forecast_add_step(run, step->instruction, found > 0, &reasons);
    run->recipe = recipe_above(run, step, keys);
    return 0;
}

/* Who wants the same step waits for the one who makes it, and then finds its record. */
static struct lockfile *lock_step(struct build *build, const struct digest *key, struct error **err)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(key, hex);
    AUTO(free) char *name = xasprintf("step-%s", hex);
    return schedule_lock(build, name, err);
}

static bool may_have_shape(const struct stage_run *run, const struct digest *shape)
{
    return run->no_cache ? was_made_here(run->build, shape)
                         : cache_has_shape(run->build->store, shape);
}

int layer_step_find_shape(struct stage_run *run, struct layer_step *step, struct error **err)
{
    if (may_have_shape(run, &step->shape))
        return 1;
    AUTO(lockfile_remove) struct lockfile *lock = lock_step(run->build, &step->shape, err);
    if (!lock)
        return -1;
    if (may_have_shape(run, &step->shape)) /* somebody made it meanwhile */
        return 1;
    step->lock = TAKE(lock);
    return 0;
}

static int find_or_make(struct stage_run *run, struct layer_step *step, struct error **err)
{
    struct build *build = run->build;
    struct keys keys = { 0 };
    make_recipe(run, step, &keys);
    explain_remember(run, step, &keys.rest);
    if (build->forecast)
        return foresee(run, step, &keys, err);
    AUTO(cache_record_release) struct cache_record record = { 0 };
    /* with --no-cache an equal step of another stage counts, but not before that one has written
     * its record */
    int found = run->no_cache ? 0 : find_cached(run, step, &keys, &record, err);
    if (found < 0)
        return -1;
    AUTO(lockfile_remove) struct lockfile *lock = NULL;
    if (!found) {
        lock = lock_step(build, &keys.recipe, err);
        if (!lock)
            return -1;
        found = find_cached(run, step, &keys, &record, err);
        if (found < 0)
            return -1;
    }
    if (found)
        return use_cached(run, step, &keys, &record, err);
    int resumed = resume(run, step, &keys, &lock, err);
    return resumed ? (resumed < 0 ? -1 : 0) : make_new(run, step, &keys, &lock, err);
}

void layer_step_begin(struct stage_run *run, struct layer_step *step)
{
    AUTO(free) char *text = instruction_format(step->instruction);
    AUTO(free) char *name = stage_run_step_name(run, text);
    step->vertex = progress_vertex(run->build->progress);
    progress_started(run->build->progress, step->vertex, name);
    step->begun = true;
}

int layer_step_fail(struct stage_run *run, struct layer_step *step, struct error **err)
{
    if (!step->told_failure)
        build_tell_failure(run->build, step->vertex, *err);
    return -1;
}

int layer_step_execute(struct stage_run *run, struct layer_step *step, struct error **err)
{
    struct build *build = run->build;
    if (!step->begun)
        layer_step_begin(run, step);
    pthread_mutex_lock(&build->lock);
    build->result->n_steps++;
    pthread_mutex_unlock(&build->lock);
    int result = step->is_late ? make_late(run, step, err) : find_or_make(run, step, err);
    return result < 0 ? layer_step_fail(run, step, err) : 0;
}
