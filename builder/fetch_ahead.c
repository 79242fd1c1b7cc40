/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch_ahead.h"

#include "base/array.h"
#include "base/mem.h"
#include "builder/step_explain.h"
#include "builder/step_source.h"

#include <string.h>

struct fetch_ahead {
    struct stage_run *run;         /* that takes of it: what is immutable of it */
    const struct stage_take *take; /* NULL: the base */
    struct platform platform;
    struct thread *thread;
};

/* --- one ------------------------------------------------------------------------------------- */

static int fetch_image(const struct fetch_ahead *fetch, const char *image, struct error **err)
{
    const struct step_image from = { .image = image,
                                     .from = fetch->take->from,
                                     .is_mount = fetch->take->instruction->kind == INSTRUCTION_RUN,
                                     .platform = &fetch->platform };
    struct base_image *base = step_source_image(fetch->run, &from, 0, err);
    if (!base)
        return -1;
    bool had = explain_had_step(fetch->run, fetch->take->instruction);
    return had ? 0 : base_image_is_taken(base, from.is_mount, err);
}

static int fetch_take(const struct fetch_ahead *fetch, struct error **err)
{
    const struct stage_source *source = &fetch->take->source;
    AUTO(free) char *image = NULL;
    if (source->kind == STAGE_SOURCE_IMAGE)
        return fetch_image(fetch, source->name, err);
    if (named_context_get(fetch->run->build, source->name, &image, err))
        return 0;
    return image ? fetch_image(fetch, image, err) : -1;
}

static void *take_thread(void *data)
{
    const struct fetch_ahead *fetch = data;
    struct error *error = NULL;
    if (schedule_check(fetch->run->build, &error) == 0 && fetch_take(fetch, &error) == 0)
        return NULL;
    (void)stage_run_locate(fetch->run, fetch->take->instruction, &error);
    schedule_fail(fetch->run->build, error);
    return NULL;
}

static void *base_thread(void *data)
{
    const struct fetch_ahead *fetch = data;
    struct stage_run *run = fetch->run;
    struct error *error = NULL;
    if (schedule_check(run->build, &error) == 0 && stage_run_find_base(run, 0, &error))
        return NULL;
    if (!error) /* a context: it is open */
        return NULL;
    (void)stage_run_locate(run, run->stage->from, &error);
    schedule_fail(run->build, error);
    return NULL;
}

/* --- all ------------------------------------------------------------------------------------- */

static bool is_known(struct build *build, const struct stage_take *take,
                     const struct platform *platform)
{
    for (size_t i = 0; i < build->n_fetches; i++) {
        const struct fetch_ahead *other = build->fetches[i];
        if (other->take && other->take->source.kind == take->source.kind &&
            !strcmp(other->take->source.name, take->source.name) &&
            platform_equal(&other->platform, platform))
            return true;
    }
    return false;
}

/* Where no thread can be had, who needs it asks for it. */
static void begin(struct stage_run *run, const struct stage_take *take,
                  const struct platform *platform)
{
    AUTO(error_free) struct error *ignored = NULL;
    struct fetch_ahead *fetch = NEW(struct fetch_ahead);
    fetch->run = run;
    fetch->take = take;
    platform_copy(&fetch->platform, platform);
    fetch->thread = thread_start(take ? take_thread : base_thread, fetch, &ignored);
    *ARRAY_PUSH(run->build, fetches) = fetch;
}

static void begin_takes(struct stage_run *run, const struct platform *platform)
{
    const struct stage_graph *graph = run->target->graph;
    for (size_t i = 0; i < run->stage->n_takes; i++)
        if (!is_known(run->build, &run->stage->takes[i], platform))
            begin(run, &run->stage->takes[i], platform);
    for (size_t i = run->stage->index + 1; i < graph->n_stages; i++) {
        const struct stage *heir = &graph->stages[i];
        if (heir->is_needed && heir->base.kind == STAGE_SOURCE_STAGE &&
            heir->base.stage == run->stage->index)
            begin_takes(&run->target->runs[i], platform);
    }
}

void fetch_ahead_takes(struct stage_run *run)
{
    struct build *build = run->build;
    if (build->forecast || run->stage->base.kind == STAGE_SOURCE_STAGE)
        return;
    pthread_mutex_lock(&build->base_lock);
    begin_takes(&run->target->runs[run->stage->index], &run->config.platform);
    pthread_mutex_unlock(&build->base_lock);
}

void fetch_ahead_base(struct stage_run *run)
{
    struct build *build = run->build;
    const enum stage_source_kind kind = run->stage->base.kind;
    if (build->forecast || (kind != STAGE_SOURCE_IMAGE && kind != STAGE_SOURCE_CONTEXT))
        return;
    pthread_mutex_lock(&build->base_lock);
    begin(run, NULL, &run->stage->platform);
    pthread_mutex_unlock(&build->base_lock);
}

void fetch_ahead_join(struct build *build)
{
    for (size_t i = 0; i < build->n_fetches; i++) {
        struct fetch_ahead *fetch = build->fetches[i];
        if (fetch->thread)
            (void)thread_join(fetch->thread);
        platform_release(&fetch->platform);
        free(fetch);
    }
    free(build->fetches);
    build->fetches = NULL;
    build->n_fetches = build->fetches_capacity = 0;
}
