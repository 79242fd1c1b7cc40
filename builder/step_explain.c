/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/step_explain.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/mem.h"
#include "builder/explain.h"

#include <string.h>

#define INPUTS_MAX ((size_t)256 << 20)

void explain_begin(struct build *build, const char *dockerfile)
{
    trail_name(build->options->context, dockerfile, build->trail_name);
}

struct parts {
    struct trail_part *items;
    size_t n_items, items_capacity;
};

/* What platforms have in common stands in the trail of each. */
static bool keep_run(struct stage_run *run, void *data)
{
    struct parts *parts = data;
    const struct stage_run *from = run;
    if (!run->started || run->is_common)
        return true;
    if (run->common && !run->trail.n_steps) /* of one that failed they have nothing */
        from = run->common;
    *ARRAY_PUSH(parts, items) =
        (struct trail_part){ run->target->name, run->stage->label, &from->trail, run->failed };
    return true;
}

void explain_end(struct build *build)
{
    AUTO(trail_release) struct trail trail = { 0 };
    AUTO(error_free) struct error *error = NULL;
    struct parts parts = { .items = NULL };
    trail_read(build->store, build->trail_name, &trail);
    targets_each_run(build, keep_run, &parts);
    trail_replace(&trail, parts.items, parts.n_items);
    free(parts.items);
    if (trail_write(build->store, build->trail_name, &trail, &error) < 0)
        progress_warning(build->progress, 0, "keeping what --explain needs: %s",
                         error_message(error));
}

/* What a stage is FROM, for people. */
static char *base_text(const struct stage_run *run)
{
    const struct stage_source *base = &run->stage->base;
    if (base->kind == STAGE_SOURCE_STAGE)
        return xasprintf("stage %s", run->target->graph->stages[base->stage].label);
    return xstrdup(base->kind == STAGE_SOURCE_SCRATCH ? "scratch" : base->name);
}

void explain_remember(struct stage_run *run, const struct layer_step *step,
                      const struct digest *rest)
{
    AUTO(free) char *text = instruction_format(step->instruction);
    AUTO(free) char *base = base_text(run);
    struct trail_step entry = { .platform = run->target->name,
                                .stage = run->stage->label,
                                .text = text,
                                .base = base,
                                .index = run->trail.n_steps,
                                .rest = *rest,
                                .first = run->first_recipe,
                                .below = run->recipe };
    (void)trail_add(&run->trail, &entry);
}

void explain_set_rest(struct stage_run *run, const struct digest *rest)
{
    run->trail.steps[run->trail.n_steps - 1].rest = *rest;
}

/* Read when a first step misses. */
static const struct trail *trail_before(struct build *build)
{
    pthread_mutex_lock(&build->lock);
    if (!build->has_earlier)
        trail_read(build->store, build->trail_name, &build->earlier);
    build->has_earlier = true;
    pthread_mutex_unlock(&build->lock);
    return &build->earlier;
}

/* What the last step remembered takes the place of. */
static const struct trail_step *step_before(struct stage_run *run)
{
    return trail_find(trail_before(run->build), &run->trail.steps[run->trail.n_steps - 1]);
}

bool explain_had_step(const struct stage_run *run, const struct instruction *instruction)
{
    const struct trail *trail = trail_before(run->build);
    AUTO(free) char *text = instruction_format(instruction);
    for (size_t i = 0; i < trail->n_steps; i++)
        if (!strcmp(trail->steps[i].stage, run->stage->label) &&
            !strcmp(trail->steps[i].text, text))
            return true;
    return false;
}

bool explain_had_base(struct build *build, const struct digest *recipe)
{
    const struct trail *trail = trail_before(build);
    for (size_t i = 0; i < trail->n_steps; i++)
        if (digest_equal(&trail->steps[i].first, recipe))
            return true;
    return false;
}

int explain_previous(struct stage_run *run, const struct layer_step *step, struct digest *ret,
                     struct error **err)
{
    struct build *build = run->build;
    const struct trail_step *before = step_before(run);
    AUTO(cache_record_release) struct cache_record record = { 0 };
    if (!before)
        return 0;
    struct digest recipe = step_recipe(step, &before->below, &before->rest);
    int found = cache_find(build->store, &recipe, &build->options->compression, &record, err);
    if (found > 0 && record.has_layer)
        *ret = record.blob.digest;
    return found < 0 ? -1 : 0;
}

/* --- the reasons ----------------------------------------------------------------------------- */

static void arg_names(const struct stage_run *run, struct strvec *ret)
{
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&run->args, e));)
        strvec_push(ret, e->key);
}

static const char *content_named(const struct inputs *inputs, const char *name)
{
    for (size_t i = 0; i < inputs->n_items; i++)
        if (!strcmp(inputs->items[i].kind, "content") && !strcmp(inputs->items[i].name, name))
            return inputs->items[i].value;
    return NULL;
}

/* The list that a content's digest stands for. */
static bool read_content(struct store *store, const char *text, struct inputs *ret)
{
    AUTO(error_free) struct error *gone = NULL; /* then less is said */
    struct digest digest;
    return digest_parse(text, &digest, &gone) == 0 &&
           cache_read_inputs(store, &digest, INPUTS_MAX, ret, &gone) == 0;
}

static void add_files(const struct inputs *content, const char *mount, struct inputs *ret)
{
    for (size_t i = 0; i < content->n_items; i++) {
        const struct input *item = &content->items[i];
        AUTO(free)
        char *name = *mount ? xasprintf("%s in mount %s", item->name, mount) : xstrdup(item->name);
        inputs_add(ret, item->kind, name, item->value);
    }
}

/* The files of contents that changed, for both sides. */
static void add_contents(struct store *store, const struct inputs *before, const struct inputs *now,
                         struct inputs *ret_before, struct inputs *ret_now)
{
    for (size_t i = 0; i < now->n_items; i++) {
        const struct input *item = &now->items[i];
        const char *was =
            strcmp(item->kind, "content") != 0 ? NULL : content_named(before, item->name);
        AUTO(inputs_release) struct inputs a = { 0 };
        AUTO(inputs_release) struct inputs b = { 0 };
        if (!was || !strcmp(was, item->value) || !read_content(store, was, &a) ||
            !read_content(store, item->value, &b))
            continue;
        add_files(&a, item->name, ret_before);
        add_files(&b, item->name, ret_now);
    }
}

static void add_others(const struct inputs *from, bool with_contents, struct inputs *ret)
{
    for (size_t i = 0; i < from->n_items; i++)
        if (with_contents || strcmp(from->items[i].kind, "content") != 0)
            inputs_add(ret, from->items[i].kind, from->items[i].name, from->items[i].value);
}

/* File by file what is known only as one digest. */
static void compare_expanded(struct store *store, const struct inputs *before,
                             const struct inputs *now, const struct strvec *args,
                             struct strvec *ret)
{
    AUTO(inputs_release) struct inputs a = { 0 };
    AUTO(inputs_release) struct inputs b = { 0 };
    add_contents(store, before, now, &a, &b);
    bool is_expanded = a.n_items || b.n_items;
    add_others(before, !is_expanded, &a);
    add_others(now, !is_expanded, &b);
    explain_inputs(&a, &b, args, ret);
}

static void compare_inputs(const struct stage_run *run, const struct layer_step *step,
                           const struct trail_step *before, struct strvec *ret)
{
    AUTO(inputs_release) struct inputs inputs = { 0 };
    AUTO(strvec_release) struct strvec args = STRVEC_INIT;
    AUTO(error_free) struct error *gone = NULL;
    if (cache_read_inputs(run->build->store, &before->rest, INPUTS_MAX, &inputs, &gone) < 0) {
        strvec_push(ret, "something that goes into it (what went in before isn't kept any more)");
        return;
    }
    arg_names(run, &args);
    compare_expanded(run->build->store, &inputs, &step->inputs, &args, ret);
}

static void compare_below(const struct trail_step *before, const struct trail_step *now,
                          struct strvec *ret)
{
    bool is_first = now->index == 0;
    if (!digest_equal(&before->below, &now->below)) {
        if (!is_first && digest_equal(&before->first, &now->first))
            strvec_push(ret, "parent: a step before it changed");
        else if (strcmp(before->base, now->base) != 0)
            strvec_pushf(ret, "base: %s became %s", before->base, now->base);
        else
            strvec_pushf(ret, "base: %s changed", now->base);
    }
}

void explain_miss(struct stage_run *run, const struct layer_step *step, struct strvec *ret)
{
    const struct trail_step *now = &run->trail.steps[run->trail.n_steps - 1];
    const struct trail_step *before = step_before(run);
    if (run->no_cache) {
        strvec_push(ret, run->build->options->no_cache ? "--no-cache" : "--no-cache-filter");
        return;
    }
    if (!before) {
        strvec_push(ret, "no earlier build of this step is known");
        return;
    }
    if (!digest_equal(&before->rest, &now->rest))
        compare_inputs(run, step, before, ret);
    if (!step->is_independent)
        compare_below(before, now, ret);
    if (!ret->n && step->is_outdated)
        strvec_push(ret, "parent: a step before it was made anew");
    else if (!ret->n)
        strvec_push(ret, "its record or its layer in this compression isn't in the store any more");
}

void explain_tell_miss(struct stage_run *run, const struct layer_step *step)
{
    AUTO(strvec_release) struct strvec reasons = STRVEC_INIT;
    if (!run->build->options->explain)
        return;
    explain_miss(run, step, &reasons);
    for (size_t i = 0; i < reasons.n; i++)
        progress_note(run->build->progress, step->vertex, "miss: %s", reasons.items[i]);
}

void explain_tell_hit(struct stage_run *run, const struct layer_step *step, bool by_result)
{
    if (run->build->options->explain)
        progress_note(run->build->progress, step->vertex, "hit%s",
                      by_result ? ": the steps before it gave what they gave before" : "");
}

void explain_tell_ran(struct stage_run *run, const struct layer_step *step)
{
    if (run->build->options->explain)
        progress_note(run->build->progress, step->vertex,
                      "hit: it ran before, its layer was not finished");
}
