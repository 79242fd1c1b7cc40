/* SPDX-License-Identifier: Apache-2.0 */
/* The platforms of a build: globals, graph and runs of each. */
#include "base/mem.h"
#include "builder/build_args.h"
#include "builder/executor.h"
#include "builder/lint.h"

#include <string.h>
#include <strings.h>

/* --- graphs ---------------------------------------------------------------------------------- */

static int init_target(struct build *build, const struct platform *platform,
                       struct build_target *target, struct error **err)
{
    const struct build_options *options = build->options;
    target->globals =
        globals_new(build->dockerfile, options->build_args, platform, options->target, err);
    if (!target->globals)
        return -1;
    AUTO(strbuf_release) struct strbuf name = STRBUF_INIT;
    platform_format(&target->globals->target_platform, &name);
    target->name = xstrdup(name.data);
    if (!build->globals) { /* the first: checks are asked for in what all have */
        build->globals = target->globals;
        build->check =
            lint_check_options(build->dockerfile, build->globals, &build->own_check, err);
        if (!build->check)
            return -1;
    }
    target->graph = stage_graph_new(build->dockerfile, target->globals, options->named_contexts,
                                    options->target, err);
    if (!target->graph)
        return -1;
    if (!build->graph)
        build->graph = target->graph;
    return 0;
}

/* Known before anything is run: two last stages for one platform, and only one can be had. */
static int refuse_twice(const struct build *build, struct error **err)
{
    for (size_t i = 1; i < build->n_targets; i++) {
        const struct stage_graph *graph = build->targets[i].graph;
        const struct stage *stage = &graph->stages[graph->target];
        for (size_t j = 0; j < i; j++) {
            const struct stage_graph *other = build->targets[j].graph;
            if (!platform_equal(&stage->platform, &other->stages[other->target].platform))
                continue;
            AUTO(strbuf_release) struct strbuf both = STRBUF_INIT;
            platform_format(&stage->platform, &both);
            error_set_(err, ERR_USAGE, "the images for %s and %s are both for %s",
                       build->targets[j].name, build->targets[i].name, both.data);
            error_hint(err, "FROM --platform=... of the last stage says so: leave it out there");
            return dockerfile_locate(build->dockerfile, stage->from, NULL, err);
        }
    }
    return 0;
}

int targets_init(struct build *build, struct error **err)
{
    const struct build_options *options = build->options;
    build->n_targets = options->n_platforms ? options->n_platforms : 1;
    build->targets = xcalloc(build->n_targets, sizeof(*build->targets));
    for (size_t i = 0; i < build->n_targets; i++) {
        struct build_target *target = &build->targets[i];
        const struct platform *platform = options->n_platforms ? &options->platforms[i] : NULL;
        /* what is wrong for the first platform is most likely wrong for all */
        if (init_target(build, platform, target, err) < 0)
            return i && target->name ? target_wrap(target, build, err) : -1;
    }
    return refuse_twice(build, err);
}

int target_wrap(const struct build_target *target, const struct build *build, struct error **err)
{
    return build->n_targets > 1 ? error_wrap(err, "%s", target->name) : -1;
}

/* --- runs ------------------------------------------------------------------------------------ */

static bool is_filtered(const struct build *build, const struct stage *stage)
{
    const struct strvec *names = build->options->no_cache_stages;
    for (size_t i = 0; names && stage->name && i < names->n; i++)
        if (strcasecmp(names->items[i], stage->name) == 0)
            return true;
    return false;
}

static void init_run(struct build *build, struct build_target *target, size_t stage,
                     struct stage_run *run)
{
    hashmap_init(&run->args, free);
    pthread_cond_init(&run->ended, NULL);
    run->build = build;
    run->target = target;
    run->stage = &target->graph->stages[stage];
    run->end = run->stage->n_instructions;
    run->no_cache = build->options->no_cache || is_filtered(build, run->stage);
}

static void init_shared(struct build *build, size_t target, size_t stage)
{
    const struct share_stage *own = share_get(&build->share, target, stage);
    const struct share_stage *leader = share_get(&build->share, own->leader, stage);
    struct stage_run *common = &build->targets[own->leader].commons[stage];
    if (!leader->is_followed)
        return;
    build->targets[target].runs[stage].common = common;
    common->end = leader->n_same;
}

static void init_share(struct build *build)
{
    const struct stage_graph **graphs = xcalloc(build->n_targets, sizeof(*graphs));
    for (size_t i = 0; i < build->n_targets; i++)
        graphs[i] = build->targets[i].graph;
    share_init(&build->share, graphs, build->n_targets);
    for (size_t i = 0; i < build->n_targets; i++)
        for (size_t j = 0; j < build->graph->n_stages; j++)
            init_shared(build, i, j);
}

void targets_init_runs(struct build *build)
{
    size_t n_stages = build->graph->n_stages;
    for (size_t i = 0; i < build->n_targets; i++) {
        struct build_target *target = &build->targets[i];
        target->runs = xcalloc(n_stages, sizeof(*target->runs));
        target->commons = build->n_targets > 1 ? xcalloc(n_stages, sizeof(*target->commons)) : NULL;
        for (size_t j = 0; j < n_stages; j++) {
            init_run(build, target, j, &target->runs[j]);
            if (!target->commons)
                continue;
            init_run(build, target, j, &target->commons[j]);
            target->commons[j].is_common = true; /* of nobody, until share says so */
        }
    }
    if (build->n_targets > 1)
        init_share(build);
}

void targets_each_run(struct build *build, bool (*visit)(struct stage_run *run, void *data),
                      void *data)
{
    for (size_t i = 0; i < build->n_targets; i++) {
        struct build_target *target = &build->targets[i];
        for (size_t j = 0; target->runs && j < build->graph->n_stages; j++)
            if ((target->commons && !visit(&target->commons[j], data)) ||
                !visit(&target->runs[j], data))
                return;
    }
}

static bool release_run(struct stage_run *run, void *data)
{
    (void)data;
    stage_run_release(run);
    pthread_cond_destroy(&run->ended);
    return true;
}

void targets_release(struct build *build)
{
    targets_each_run(build, release_run, NULL);
    free((void *)(uintptr_t)build->share.graphs);
    share_release(&build->share);
    for (size_t i = 0; i < build->n_targets; i++) {
        struct build_target *target = &build->targets[i];
        free(target->runs);
        free(target->commons);
        stage_graph_free(target->graph);
        globals_free(target->globals);
        free(target->name);
    }
    free(build->targets);
    build->targets = NULL;
    build->n_targets = 0;
    build->graph = NULL;
    build->globals = NULL;
}

/* --- names of steps -------------------------------------------------------------------------- */

/* What a step makes programs for, by the arguments that it sees; 0 and nothing in `ret`: it doesn't
 * say. */
static bool built_for(const struct env *env, const struct platform *base, struct platform *ret)
{
    AUTO(error_free)
    struct error *ignored = NULL; /* an ARG of that name, with a value of its own */
    const char *whole = env_get(env, "TARGETPLATFORM");
    const char *os = env_get(env, "TARGETOS"), *arch = env_get(env, "TARGETARCH");
    const char *variant = env_get(env, "TARGETVARIANT");
    if (whole && platform_parse(whole, ret, &ignored) == 0)
        return true;
    if (!os && !arch && !variant)
        return false;
    platform_set(ret, os && *os ? os : base->os, arch && *arch ? arch : base->architecture,
                 variant && *variant ? variant : NULL, NULL);
    return true;
}

void target_format_step(const struct stage_run *run, struct strbuf *buf)
{
    const struct build *build = run->build;
    const struct platform *own = &run->stage->platform;
    AUTO(platform_release) struct platform other = { 0 };
    if (build->n_targets == 1 && !build_args_is_on(build, "BUILDKIT_MULTI_PLATFORM"))
        return;
    platform_format(own, buf);
    if (built_for(&run->env, own, &other)) {
        bool same_os = !strcmp(other.os, own->os);
        if (!same_os)
            strbuf_addf(buf, "->%s/", other.os);
        else if (strcmp(other.architecture, own->architecture) != 0)
            strbuf_adds(buf, "->");
        if (!same_os || strcmp(other.architecture, own->architecture) != 0)
            strbuf_addf(buf, "%s%s%s", other.architecture, other.variant ? "/" : "",
                        other.variant ? other.variant : "");
    }
    strbuf_addc(buf, ' ');
}
