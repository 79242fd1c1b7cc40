/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/emulation.h"

#include "base/mem.h"
#include "builder/context_remote.h"
#include "builder/forecast.h"
#include "runner/foreign.h"

#include <string.h>

static bool stage_runs(const struct stage *stage)
{
    for (size_t i = 0; i < stage->n_instructions; i++)
        if (stage->instructions[i].kind == INSTRUCTION_RUN)
            return true;
    /* triggers of a base image: whether it has any may not be known yet */
    return stage->base.kind == STAGE_SOURCE_IMAGE && !stage->n_instructions;
}

static bool any_run(const struct build *build, bool (*holds)(const char *architecture))
{
    for (size_t i = 0; i < build->n_targets; i++) {
        const struct stage_graph *graph = build->targets[i].graph;
        for (size_t j = 0; j < graph->n_stages; j++) {
            const struct stage *stage = &graph->stages[j];
            if (stage->is_needed && stage_runs(stage) && holds(stage->platform.architecture))
                return true;
        }
    }
    return false;
}

static bool needs_ours(const char *architecture)
{
    return !foreign_runs(architecture) && foreign_may_run(architecture);
}

static bool is_impossible(const char *architecture)
{
    return !foreign_runs(architecture) && !foreign_may_run(architecture);
}

bool emulation_wants_userns(const struct build *build)
{
    return any_run(build, needs_ours);
}

/*
 * The shell of a base image for the platform is a program for it. Other commands may be brought
 * along: copied or mounted from a stage of this machine's platform.
 */
static bool is_surely_foreign(const struct stage_run *run, const struct instruction *instruction)
{
    const struct run_body *body = &instruction->run;
    if (!run->base || body->command.form == COMMAND_EXEC || body->command.script)
        return false;
    for (size_t i = 0; i < body->n_mounts; i++)
        if (body->mounts[i].from)
            return false;
    return true;
}

/* --- ahead ----------------------------------------------------------------------------------- */

char *emulation_lack(const struct stage_run *run, const struct instruction *instruction)
{
    const char *architecture = run->config.platform.architecture;
    if (instruction->kind != INSTRUCTION_RUN || !architecture ||
        !is_surely_foreign(run, instruction) || !is_impossible(architecture))
        return NULL;
    return xasprintf("this machine runs no programs for %s", architecture);
}

/* Standard input is read once, and what is fetched isn't fetched twice. */
static bool can_look_twice(const struct build_options *options)
{
    return context_place_kind(options->context) == PLACE_DIRECTORY &&
           strcmp(options->context, "-") != 0 &&
           (!options->dockerfile || (strcmp(options->dockerfile, "-") != 0 &&
                                     context_place_kind(options->dockerfile) == PLACE_DIRECTORY));
}

static int refuse(const struct build *build, const struct forecast *forecast,
                  const struct forecast_step *step, struct error **err)
{
    const struct stage_graph *graph = build->graph;
    const char *platforms = forecast->stages[step->stage].platforms;
    (void)foreign_refuse(step->architecture, err);
    error_wrap_(err, "%s%s%s", platforms ? platforms : "", platforms ? ": " : "", step->text);
    return source_text_locate(graph->dockerfile->source, step->range, NULL, err);
}

int emulation_check_ahead(struct build *build, struct error **err)
{
    AUTO(forecast_release) struct forecast forecast = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* the build itself will tell */
    if (build->options->no_cache || !any_run(build, is_impossible) ||
        !can_look_twice(build->options) ||
        build_foresee(build->store, build->session, build->options, &forecast, &ignored) < 0)
        return 0;
    for (size_t i = 0; i < forecast.n_steps; i++)
        if (forecast.steps[i].architecture)
            return refuse(build, &forecast, &forecast.steps[i], err);
    return 0;
}

/* --- when it runs ---------------------------------------------------------------------------- */

int emulation_prepare(const struct stage_run *run, const struct instruction *instruction,
                      const char **interpreter, struct error **lack, struct error **err)
{
    const struct platform *platform = &run->config.platform;
    *interpreter = NULL;
    if (platform->os && strcmp(platform->os, "linux") != 0) {
        error_set_(err, ERR_UNSUPPORTED, "RUN in an image for %s: only Linux programs can be run",
                   platform->os);
        return -1;
    }
    if (!platform->architecture ||
        foreign_prepare(run->build->foreign, platform->architecture, interpreter, lack) == 0)
        return 0;
    if (!is_surely_foreign(run, instruction))
        return 0;
    error_move(err, TAKE(*lack));
    return -1;
}
