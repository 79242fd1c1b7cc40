/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/mem.h"
#include "builder/forecast_internal.h"

#include <string.h>

void forecast_release(struct forecast *forecast)
{
    for (size_t i = 0; i < forecast->n_stages; i++) {
        free(forecast->stages[i].label);
        free(forecast->stages[i].from);
    }
    for (size_t i = 0; i < forecast->n_steps; i++) {
        free(forecast->steps[i].text);
        strvec_release(&forecast->steps[i].reasons);
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

void forecast_add_step(struct stage_run *run, const struct instruction *instruction, bool cached,
                       const struct strvec *reasons)
{
    struct build *build = run->build;
    char *text = instruction_format(instruction);
    text[strcspn(text, "\n")] = '\0';
    pthread_mutex_lock(&build->lock);
    struct forecast_step *step = ARRAY_PUSH(build->forecast, steps);
    step->stage = run->stage->index;
    step->text = text;
    step->cached = cached;
    strvec_copy(&step->reasons, reasons);
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

void forecast_finish(struct build *build)
{
    struct forecast *forecast = build->forecast;
    const struct stage_graph *graph = build->graph;
    for (size_t i = 0; i < graph->n_stages; i++) {
        struct forecast_stage *stage = ARRAY_PUSH(forecast, stages);
        stage->label = xstrdup(graph->stages[i].label);
        stage->from = xstrdup(graph->stages[i].from->from.image);
        stage->skipped = !build->runs[i].started;
    }
    sort_steps(forecast, graph->n_stages);
    if (forecast->n_images)
        qsort(forecast->images, forecast->n_images, sizeof(*forecast->images), by_name);
}
