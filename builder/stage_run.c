/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/mem.h"
#include "builder/executor.h"
#include "builder/fetch_ahead.h"
#include "builder/forecast_internal.h"
#include "builder/lint.h"
#include "builder/precheck.h"
#include "builder/push_ahead.h"
#include "builder/step_shell.h"
#include "builder/words.h"
#include "oci/manifest.h"

#include <string.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define MAX_TRIGGERS 1000 /* of one base image */

const char *stage_run_cwd(const struct stage_run *run)
{
    return run->config.working_dir && *run->config.working_dir ? run->config.working_dir : "/";
}

bool stage_run_is_of_image(const struct stage_run *run)
{
    const struct stage_graph *graph = run->target->graph;
    const struct stage *of = &graph->stages[graph->target];
    while (of != run->stage && of->base.kind == STAGE_SOURCE_STAGE)
        of = &graph->stages[of->base.stage];
    return of == run->stage;
}

int stage_run_expand(struct stage_run *run, const char *word, unsigned flags, char **ret,
                     struct error **err)
{
    struct words_expander expander = { .escape = run->build->dockerfile->escape,
                                       .flags = flags,
                                       .lookup = words_lookup_env,
                                       .context = &run->env };
    return words_expand(&expander, word, ret, err);
}

int stage_run_expand_all(struct stage_run *run, const struct strvec *words, struct strvec *ret,
                         struct error **err)
{
    for (size_t i = 0; i < words->n; i++) {
        char *value = NULL;
        if (stage_run_expand(run, words->items[i], 0, &value, err) < 0)
            return -1;
        strvec_take(ret, value);
    }
    return 0;
}

char *stage_run_step_name(struct stage_run *run, const char *text)
{
    run->step++;
    size_t line = strcspn(text, "\n");
    const struct stage *stage = run->stage;
    bool single = run->target->graph->n_stages == 1 && !stage->name;
    AUTO(strbuf_release) struct strbuf platform = STRBUF_INIT;
    target_format_step(run, &platform);
    return xasprintf("[%s%s%s%u/%u] %.*s", platform.size ? platform.data : "",
                     single ? "" : stage->label, single ? "" : " ", run->step, run->n_steps,
                     (int)line, text);
}

/* An instruction that several platforms have in common may say the same for each. */
static bool was_told(const struct build *build, const char *text)
{
    for (size_t i = 0; i < build->result->n_warnings; i++)
        if (!strcmp(build->result->warnings[i].text, text))
            return true;
    return false;
}

void build_warn(struct build *build, const struct instruction *instruction, const char *rule,
                const char *format, ...)
{
    if (rule && lint_is_skipped(build->check, instruction, rule))
        return;
    va_list args;
    va_start(args, format);
    AUTO(free) char *text = xvasprintf(format, args);
    va_end(args);
    size_t line = instruction ? instruction->range.first : 0;
    AUTO(free)
    char *placed =
        line ? xasprintf("%s:%zu: %s", build->dockerfile->source->name, line, text) : xstrdup(text);
    pthread_mutex_lock(&build->lock);
    if (!was_told(build, placed)) {
        struct build_warning *warning = ARRAY_PUSH(build->result, warnings);
        warning->rule = xstrdup(rule);
        warning->line = line;
        warning->text = TAKE(placed);
        progress_warning(build->progress, 0, "%s", warning->text);
    }
    pthread_mutex_unlock(&build->lock);
}

static void fill_dates(struct stage_run *run, const char *created)
{
    for (; run->n_dated < run->config.n_history; run->n_dated++) {
        struct history *history = &run->config.history[run->n_dated];
        free(history->created);
        history->created = xstrdup(created);
    }
}

/*
 * Metadata makes no layer and has no record of its own to say when it was new: one under a key of
 * the history keeps the time, so that a rebuild gives the same image.
 */
static int known_time(struct stage_run *run, struct cache_record *ret, struct error **err)
{
    struct build *build = run->build;
    const struct compression *compression = &build->options->compression;
    if (!run->no_cache) {
        int found = cache_find(build->store, &run->history_key, compression, ret, err);
        if (found != 0)
            return found < 0 ? -1 : 0;
    }
    char now[CLOCK_TEXT_SIZE];
    clock_format(clock_now(), now);
    ret->step = xstrdup("metadata");
    ret->created = xstrdup(now);
    struct cache_keys keys = { .recipe = &run->history_key };
    return cache_put(build->store, &keys, compression, ret, NULL, err);
}

int stage_run_date_history(struct stage_run *run, struct error **err)
{
    if (run->n_dated == run->config.n_history)
        return 0;
    AUTO(cache_record_release) struct cache_record record = { 0 };
    if (!run->build->created) {
        pthread_mutex_lock(&run->build->times_lock);
        int found = known_time(run, &record, err);
        pthread_mutex_unlock(&run->build->times_lock);
        if (found < 0)
            return -1;
    }
    fill_dates(run, run->build->created ? run->build->created : record.created);
    return 0;
}

/* The image is as old as the last thing that was done to it. */
static void set_created(struct stage_run *run)
{
    const char *created = run->build->created;
    for (size_t i = run->config.n_history; i-- > 0 && !created;)
        created = run->config.history[i].created;
    free(run->config.created);
    run->config.created = xstrdup(created);
}

static bool makes_layer(enum instruction_kind kind)
{
    return kind == INSTRUCTION_RUN || kind == INSTRUCTION_COPY || kind == INSTRUCTION_ADD ||
           kind == INSTRUCTION_WORKDIR;
}

static int execute(struct stage_run *run, const struct instruction *instruction, struct error **err)
{
    if (cancel_check(err) < 0 || schedule_check(run->build, err) < 0)
        return -1;
    if (run->lost) {
        if (makes_layer(instruction->kind))
            forecast_add_lost(run, instruction);
        return 0;
    }
    switch (instruction->kind) {
    case INSTRUCTION_RUN:
        return step_run_execute(run, instruction, err);
    case INSTRUCTION_COPY:
    case INSTRUCTION_ADD:
        return step_copy_execute(run, instruction, err);
    case INSTRUCTION_WORKDIR:
        return step_workdir_execute(run, instruction, err);
    case INSTRUCTION_FROM:
        return error_set(err, ERR_SYNTAX, "FROM is not allowed here");
    case INSTRUCTION_ARG:
    case INSTRUCTION_CMD:
    case INSTRUCTION_ENTRYPOINT:
    case INSTRUCTION_ENV:
    case INSTRUCTION_EXPOSE:
    case INSTRUCTION_HEALTHCHECK:
    case INSTRUCTION_LABEL:
    case INSTRUCTION_MAINTAINER:
    case INSTRUCTION_ONBUILD:
    case INSTRUCTION_SHELL:
    case INSTRUCTION_STOPSIGNAL:
    case INSTRUCTION_USER:
    case INSTRUCTION_VOLUME:
        return step_meta_execute(run, instruction, err);
    }
    return 0;
}

void build_tell_failure(struct build *build, unsigned vertex, const struct error *error)
{
    if (error_is(error, ERR_CANCELLED))
        progress_simple(build->progress, PROGRESS_CANCELLED, vertex);
    else
        progress_failed(build->progress, vertex, error_message(error));
}

/* NAME:LINE in front, the excerpt after what the detail has (a RUN's last output). */
int stage_run_locate(const struct stage_run *run, const struct instruction *instruction,
                     struct error **err)
{
    if (error_is(*err, ERR_CANCELLED))
        return -1;
    if (!run->is_common)
        (void)target_wrap(run->target, run->build, err);
    const struct source_text *source = run->build->dockerfile->source;
    struct source_range range = instruction->range;
    AUTO(strbuf_release) struct strbuf excerpt = STRBUF_INIT;
    if (error_detail_text(*err)) {
        source_text_excerpt(source, range, NULL, &excerpt);
        error_add_detail(err, excerpt.data);
    }
    return source_text_locate(source, range, NULL, err);
}

static int locate(struct stage_run *run, struct error **err)
{
    return stage_run_locate(run, run->current, err);
}

static int execute_located(struct stage_run *run, const struct instruction *instruction,
                           struct error **err)
{
    run->current = instruction;
    if (step_shell_is_at(run, instruction) && step_shell_at(run, instruction, err) < 0)
        return locate(run, err);
    return execute(run, instruction, err) < 0 ? locate(run, err) : 0;
}

static void config_is_inherited(struct stage_run *run)
{
    free(run->config.created);
    run->config.created = NULL; /* dropped: ours follows */
    run->n_dated = run->config.n_history;
}

/* A parent's only heir takes what would be copied otherwise: a chain of stages stays linear. */
static void inherit_stage(struct stage_run *run, struct stage_run *parent)
{
    image_config_release(&run->config);
    if (parent->stage->n_heirs == 1) {
        run->config = parent->config;
        image_config_init(&parent->config);
        run->env = parent->env;
        parent->env = (struct env)ENV_INIT;
        run->args = parent->args;
        hashmap_init(&parent->args, free);
    } else {
        image_config_copy(&run->config, &parent->config);
        env_copy(&run->env, &parent->env);
        for (struct hashmap_entry *e = NULL; (e = hashmap_next(&parent->args, e));)
            hashmap_put(&run->args, e->key, xstrdup(e->value));
    }
    config_is_inherited(run);
}

static struct base_image *find_image(struct stage_run *run, const char *name, unsigned vertex,
                                     struct error **err)
{
    struct base_image *base = base_image_get(run->build, name, &run->stage->platform, vertex, err);
    if (base)
        return base_image_is_used(base, run, err) < 0 ? NULL : base;
    AUTO(free) char *near = stage_graph_suggestion(run->target->graph, name, run->stage->index);
    if (*near)
        (void)error_wrap(err, "FROM %s%s", name, near);
    return NULL;
}

struct base_image *stage_run_find_base(struct stage_run *run, unsigned vertex, struct error **err)
{
    AUTO(free) char *image = NULL;
    if (run->stage->base.kind == STAGE_SOURCE_IMAGE)
        return find_image(run, run->stage->base.name, vertex, err);
    if (named_context_get(run->build, run->stage->base.name, &image, err) || !image)
        return NULL;
    return find_image(run, image, vertex, err);
}

static int from_image(struct stage_run *run, const char *name, unsigned vertex, struct error **err)
{
    run->base = find_image(run, name, vertex, err);
    if (!run->base)
        return -1;
    if (run->base->is_lost) {
        forecast_lose(run, xasprintf("its base %s isn't in the store", name));
        return 0;
    }
    image_config_release(&run->config);
    image_config_copy(&run->config, &run->base->config);
    config_is_inherited(run);
    if (!platform_match(&run->stage->platform, &run->config.platform)) {
        AUTO(strbuf_release) struct strbuf want = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf have = STRBUF_INIT;
        platform_format(&run->stage->platform, &want);
        platform_format(&run->config.platform, &have);
        build_warn(run->build, run->current, "InvalidBaseImagePlatform",
                   "base image %s is for %s, not for the %s that was asked for", name, have.data,
                   want.data);
    }
    run->tree = tree_ref(run->base->tree);
    push_ahead_add_tree(run->build->ahead, run, run->tree);
    run->recipe = run->base->recipe;
    run->n_base_layers = tree_n_layers(run->tree);
    run->n_base_history = run->config.n_history;
    env_copy(&run->env, &run->config.env);
    return 0;
}

static int from_stage(struct stage_run *run, struct error **err)
{
    struct stage_run *parent = schedule_await(run, run->stage->base.stage, err);
    if (!parent)
        return -1;
    run->base = parent->base;
    run->lost = xstrdup(parent->lost);
    inherit_stage(run, parent);
    run->tree = tree_ref(parent->tree);
    run->recipe = parent->recipe;
    run->ran = parent->ran;
    run->n_base_layers = parent->n_base_layers;
    run->n_base_history = parent->n_base_history;
    return 0;
}

static void from_scratch(struct stage_run *run)
{
    run->config.platform = (struct platform){ 0 };
    platform_copy(&run->config.platform, &run->stage->platform);
    run->config.working_dir = xstrdup("/");
    run->tree = tree_new(run->build->store);
    run->recipe = digest_of("scratch", 7);
}

/* Its files are the only layer. */
static int from_context(struct stage_run *run, struct context *context, unsigned *vertex,
                        struct error **err)
{
    unsigned shown = *vertex;
    *vertex = 0;
    from_scratch(run);
    return step_context_execute(run, run->stage->from, context, shown, err);
}

/* *vertex becomes 0 where a step of its own has shown how it ended. */
static int from_source(struct stage_run *run, unsigned *vertex, struct error **err)
{
    AUTO(free) char *image = NULL;
    struct context *context = NULL;
    image_config_init(&run->config);
    for (size_t i = 0; i < run->stage->n_after; i++)
        if (!schedule_await(run, run->stage->after[i], err))
            return -1;
    switch (run->stage->base.kind) {
    case STAGE_SOURCE_SCRATCH:
        from_scratch(run);
        return 0;
    case STAGE_SOURCE_STAGE:
        return from_stage(run, err);
    case STAGE_SOURCE_CONTEXT:
        context = named_context_get(run->build, run->stage->base.name, &image, err);
        if (!context)
            return image ? from_image(run, image, *vertex, err) : -1;
        return from_context(run, context, vertex, err);
    case STAGE_SOURCE_IMAGE:
        return from_image(run, run->stage->base.name, *vertex, err);
    }
    return 0;
}

static void default_path(struct stage_run *run)
{
    if (!env_get(&run->config.env, "PATH"))
        env_set(&run->config.env, "PATH", DEFAULT_PATH);
    if (!env_get(&run->env, "PATH"))
        env_set(&run->env, "PATH", DEFAULT_PATH);
}

static int execute_from(struct stage_run *run, struct error **err)
{
    struct build *build = run->build;
    run->current = run->stage->from;
    AUTO(free) char *text = instruction_format(run->stage->from);
    AUTO(free) char *name = stage_run_step_name(run, text);
    unsigned vertex = 0;
    if (run->stage->base.kind == STAGE_SOURCE_IMAGE ||
        run->stage->base.kind == STAGE_SOURCE_CONTEXT) {
        vertex = progress_vertex(build->progress);
        progress_started(build->progress, vertex, name);
    }
    if (from_source(run, &vertex, err) < 0) {
        if (vertex)
            build_tell_failure(build, vertex, *err);
        return locate(run, err);
    }
    if (vertex)
        progress_simple(build->progress, PROGRESS_DONE, vertex);
    run->history_key = cache_history_key(&run->recipe, "FROM");
    run->first_recipe = run->recipe;
    default_path(run);
    return 0;
}

/* ONBUILD entries of the base fire in order, and aren't inherited. */
static int execute_triggers(struct stage_run *run, struct error **err)
{
    AUTO(strvec_release) struct strvec triggers = run->config.on_build;
    run->config.on_build = (struct strvec)STRVEC_INIT;
    if (triggers.n > MAX_TRIGGERS) {
        error_set_(err, ERR_LIMIT, "base image has %zu ONBUILD triggers", triggers.n);
        return locate(run, err);
    }
    for (size_t i = 0; i < triggers.n; i++) {
        AUTO(instruction_free) struct instruction *trigger = NULL;
        if (instruction_parse_trigger(triggers.items[i], '\\', &trigger, err) < 0 ||
            (makes_layer(trigger->kind) && (run->n_steps++, 0)) || execute(run, trigger, err) < 0) {
            error_wrap_(err, "ONBUILD %s", triggers.items[i]);
            return locate(run, err);
        }
    }
    return 0;
}

/* --- the stage ------------------------------------------------------------------------------- */

/* With the base's, which precheck.c didn't know: before the first step, not after the last. */
static int check_layers(struct stage_run *run, struct error **err)
{
    const size_t below = run->tree ? tree_n_layers(run->tree) : 0;
    size_t own = 0;
    for (size_t i = 0; i < run->stage->n_instructions; i++)
        own += precheck_makes_layer(&run->stage->instructions[i]);
    if (below + own <= MANIFEST_MAX_LAYERS || run->build->forecast)
        return 0;
    error_set_(err, ERR_LIMIT,
               "%zu layers of its base and %zu of its own: more than %d can't be mounted", below,
               own, MANIFEST_MAX_LAYERS);
    error_hint(err, "join RUN and COPY steps");
    return locate(run, err);
}

/* 1: it ends early, being a common. */
static int execute_base(struct stage_run *run, struct error **err)
{
    int ends = stage_common_ends(run, err);
    if (ends || execute_from(run, err) < 0 || check_layers(run, err) < 0)
        return ends ? ends : -1;
    run->has_base = true;
    fetch_ahead_takes(run);
    return 0;
}

static int execute_onbuild(struct stage_run *run, struct error **err)
{
    int ends = stage_common_ends(run, err);
    if (ends || execute_triggers(run, err) < 0)
        return ends ? ends : -1;
    run->has_triggered = true;
    return 0;
}

static int execute_next(struct stage_run *run, struct error **err)
{
    int ends = stage_common_ends(run, err);
    if (ends || execute_located(run, &run->stage->instructions[run->n_done], err) < 0)
        return ends ? ends : -1;
    run->n_done++;
    return 0;
}

static int execute_all(struct stage_run *run, struct error **err)
{
    int ends = run->has_base ? 0 : execute_base(run, err);
    if (!ends && !run->has_triggered)
        ends = execute_onbuild(run, err);
    while (!ends && run->n_done < run->end)
        ends = execute_next(run, err);
    return ends;
}

static void count_steps(struct stage_run *run)
{
    const struct stage *stage = run->stage;
    run->n_steps = 1;
    for (size_t i = 0; i < stage->n_instructions; i++)
        if (makes_layer(stage->instructions[i].kind))
            run->n_steps++;
}

static int execute_stage(struct stage_run *run, struct error **err)
{
    count_steps(run);
    run->current = run->stage->from;
    if (stage_common_inherit(run, err) < 0)
        return -1;
    if (run->has_base)
        fetch_ahead_takes(run);
    if (execute_all(run, err) < 0)
        return -1;
    if (run->build->forecast || run->is_common)
        return 0;
    if (step_shell_is_at(run, NULL) && step_shell_at(run, NULL, err) < 0)
        return locate(run, err);
    if (stage_run_date_history(run, err) < 0)
        return -1;
    set_created(run);
    return 0;
}

int stage_run_execute(struct stage_run *run, struct error **err)
{
    int result = execute_stage(run, err);
    tree_copy_free(TAKE(run->copy)); /* no RUN comes that could have it */
    return result;
}

void stage_run_release(struct stage_run *run)
{
    image_config_release(&run->config);
    tree_unref(run->tree);
    env_release(&run->env);
    trail_release(&run->trail);
    free(run->lost);
    free(run->top_form);
    hashmap_release(&run->args);
}
