/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/mem.h"
#include "builder/emulation.h"
#include "builder/forecast_internal.h"

#include <string.h>

void forecast_release(struct forecast *forecast)
{
    for (size_t i = 0; i < forecast->n_stages; i++) {
        free(forecast->stages[i].label);
        free(forecast->stages[i].from);
        free(forecast->stages[i].platforms);
    }
    for (size_t i = 0; i < forecast->n_steps; i++) {
        free(forecast->steps[i].text);
        strvec_release(&forecast->steps[i].reasons);
        free(forecast->steps[i].architecture);
    }
    for (size_t i = 0; i < forecast->n_images; i++)
        free(forecast->images[i].name);
    free(forecast->stages);
    free(forecast->steps);
    free(forecast->images);
    *forecast = (struct forecast){ 0 };
}

struct digest forecast_lost_recipe(void)
{
    return digest_of("not known", 9);
}

/* Stages in order, of each what is common before what is the platforms' own. */
static size_t node_of(const struct stage_run *run)
{
    size_t n_targets = run->build->n_targets;
    size_t target = (size_t)(run->target - run->build->targets);
    return 2 * n_targets * run->stage->index + (run->is_common ? 0 : n_targets) + target;
}

void forecast_add_step(struct stage_run *run, const struct instruction *instruction, bool cached,
                       const struct strvec *reasons)
{
    struct build *build = run->build;
    char *text = instruction_format(instruction);
    text[strcspn(text, "\n")] = '\0';
    AUTO(free) char *lack = cached || run->lost ? NULL : emulation_lack(run, instruction);
    char *architecture = lack ? xstrdup(run->config.platform.architecture) : NULL;
    pthread_mutex_lock(&build->lock);
    struct forecast_step *step = ARRAY_PUSH(build->forecast, steps);
    step->stage = node_of(run);
    step->architecture = architecture;
    step->text = text;
    step->cached = cached;
    step->range = run->current->range;
    strvec_copy(&step->reasons, reasons);
    if (lack)
        strvec_take(&step->reasons, TAKE(lack));
    pthread_mutex_unlock(&build->lock);
}

void forecast_add_image(struct build *build, const char *name, bool is_here, bool size_is_known,
                        uint64_t size)
{
    pthread_mutex_lock(&build->lock);
    struct forecast_image *image = ARRAY_PUSH(build->forecast, images);
    *image = (struct forecast_image){ xstrdup(name), is_here, size_is_known, size };
    pthread_mutex_unlock(&build->lock);
}

void forecast_lose(struct stage_run *run, char *reason)
{
    free(run->lost);
    run->lost = reason;
    run->recipe = forecast_lost_recipe();
    if (!run->tree)
        run->tree = tree_new(run->build->store);
}

void forecast_add_lost(struct stage_run *run, const struct instruction *instruction)
{
    AUTO(strvec_release) struct strvec reasons = STRVEC_INIT;
    strvec_push(&reasons, run->lost);
    forecast_add_step(run, instruction, false, &reasons);
}

/* Stages ran side by side: a stage's own steps are in order among the others'. */
static void sort_steps(struct forecast *forecast, size_t n_stages)
{
    struct forecast_step *sorted = xcalloc(forecast->n_steps, sizeof(*sorted));
    size_t *next = xcalloc(n_stages + 1, sizeof(*next)); /* where a stage's next step goes */
    for (size_t i = 0; i < forecast->n_steps; i++)
        next[forecast->steps[i].stage + 1]++;
    for (size_t stage = 1; stage <= n_stages; stage++)
        next[stage] += next[stage - 1];
    for (size_t i = 0; i < forecast->n_steps; i++)
        sorted[next[forecast->steps[i].stage]++] = forecast->steps[i];
    if (forecast->n_steps)
        memcpy(forecast->steps, sorted, forecast->n_steps * sizeof(*sorted));
    free(next);
    free(sorted);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct forecast_image *)a)->name,
                  ((const struct forecast_image *)b)->name);
}

static struct stage_run *run_of(struct build *build, size_t node)
{
    size_t stage = node / (2 * build->n_targets), rest = node % (2 * build->n_targets);
    struct build_target *target = &build->targets[rest % build->n_targets];
    if (rest >= build->n_targets)
        return &target->runs[stage];
    return target->commons ? &target->commons[stage] : NULL;
}

/* Not what is nobody's common, or has all in common; skipped stages once. */
static bool is_shown(const struct stage_run *run)
{
    if (run->is_common)
        return run->started && run->has_base;
    if (!run->started)
        return run->target == run->build->targets;
    bool goes_on = run->common && run->common->has_base;
    return !goes_on || run->common->n_done < run->end || !run->common->has_triggered;
}

static char *platforms_of(const struct stage_run *run)
{
    const struct build *build = run->build;
    if (build->n_targets == 1 || !run->started)
        return NULL;
    if (!run->is_common)
        return xstrdup(run->target->name);
    AUTO(strbuf_release) struct strbuf names = STRBUF_INIT;
    for (size_t i = 0; i < build->n_targets; i++)
        if (build->targets[i].runs[run->stage->index].common == run)
            strbuf_addf(&names, "%s%s", names.size ? ", " : "", build->targets[i].name);
    return xstrdup(names.data);
}

static void add_stage(struct forecast *forecast, const struct stage_run *run)
{
    struct forecast_stage *stage = ARRAY_PUSH(forecast, stages);
    stage->label = xstrdup(run->stage->label);
    stage->from = xstrdup(run->stage->from->from.image);
    stage->platforms = platforms_of(run);
    stage->goes_on = run->common && run->common->has_base;
    stage->skipped = !run->started;
}

void forecast_finish(struct build *build)
{
    struct forecast *forecast = build->forecast;
    size_t n_nodes = 2 * build->n_targets * build->graph->n_stages;
    size_t *places = xcalloc(n_nodes, sizeof(*places));
    for (size_t i = 0; i < n_nodes; i++) {
        struct stage_run *run = run_of(build, i);
        places[i] = forecast->n_stages;
        if (run && is_shown(run))
            add_stage(forecast, run);
    }
    sort_steps(forecast, n_nodes);
    for (size_t i = 0; i < forecast->n_steps; i++)
        forecast->steps[i].stage = places[forecast->steps[i].stage];
    free(places);
    if (forecast->n_images)
        qsort(forecast->images, forecast->n_images, sizeof(*forecast->images), by_name);
}
