/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What several platforms have in common of a stage. How far that goes is planned by the graphs
 * (share.c); triggers of base images, and stages that were cut because of them, end it earlier when
 * it runs.
 */
#include "base/mem.h"
#include "builder/executor.h"

/* 1: the stage that a common takes files of is, against the plan, not the same for all. */
static int is_cut(struct stage_run *run, size_t stage, struct error **err)
{
    const struct stage_run *needed = schedule_await(run, stage, err);
    if (!needed)
        return -1;
    return !needed->common || needed->common->is_cut;
}

static int takes_of_cut(struct stage_run *run, const char *from, struct error **err)
{
    AUTO(stage_source_release) struct stage_source source = { 0 };
    if (!from)
        return 0;
    if (stage_graph_resolve(run->target->graph, from, run->stage->index, &source, err) < 0)
        return -1;
    return source.kind == STAGE_SOURCE_STAGE ? is_cut(run, source.stage, err) : 0;
}

static int ends_at(struct stage_run *run, const struct instruction *instruction, struct error **err)
{
    int result = 0;
    if (instruction->kind == INSTRUCTION_COPY)
        return takes_of_cut(run, instruction->copy.from, err);
    for (size_t i = 0;
         instruction->kind == INSTRUCTION_RUN && !result && i < instruction->run.n_mounts; i++)
        result = takes_of_cut(run, instruction->run.mounts[i].from, err);
    return result;
}

/* 1: a trigger doesn't do the same for all platforms. */
static int triggers_differ(struct stage_run *run)
{
    const struct build *build = run->build;
    size_t leader = (size_t)(run->target - build->targets);
    for (size_t i = 0; i < run->config.on_build.n; i++) {
        AUTO(instruction_free) struct instruction *trigger = NULL;
        AUTO(error_free) struct error *ignored = NULL; /* told by each platform's run */
        if (instruction_parse_trigger(run->config.on_build.items[i], '\\', &trigger, &ignored) <
                0 ||
            share_differs(&build->share, leader, run->stage->index, trigger))
            return 1;
    }
    return 0;
}

int stage_common_ends(struct stage_run *run, struct error **err)
{
    int result;
    if (!run->is_common)
        return 0;
    if (!run->has_base)
        result = run->stage->base.kind == STAGE_SOURCE_STAGE
                     ? is_cut(run, run->stage->base.stage, err)
                     : 0;
    else if (!run->has_triggered)
        result = triggers_differ(run);
    else
        result = ends_at(run, &run->stage->instructions[run->n_done], err);
    if (result > 0)
        run->is_cut = true;
    return result;
}

int stage_common_inherit(struct stage_run *run, struct error **err)
{
    struct stage_run *common = run->common ? schedule_await_run(run->common, err) : NULL;
    if (!common || !common->has_base)
        return run->common && !common ? -1 : 0;
    image_config_copy(&run->config, &common->config);
    env_copy(&run->env, &common->env);
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&common->args, e));)
        hashmap_put(&run->args, e->key, xstrdup(e->value));
    for (size_t i = 0; i < common->trail.n_steps; i++)
        (void)trail_add(&run->trail, &common->trail.steps[i]);
    run->base = common->base;
    run->tree = tree_ref(common->tree);
    run->recipe = common->recipe;
    run->history_key = common->history_key;
    run->first_recipe = common->first_recipe;
    run->ran = common->ran;
    run->lost = xstrdup(common->lost);
    run->cmd_is_ours = common->cmd_is_ours;
    run->n_dated = common->n_dated;
    run->n_base_layers = common->n_base_layers;
    run->n_base_history = common->n_base_history;
    run->n_steps = common->n_steps;
    run->step = common->step;
    run->has_base = true;
    run->has_triggered = common->has_triggered;
    run->n_done = common->n_done;
    return 0;
}
