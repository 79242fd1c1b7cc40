/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/epoch.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/mem.h"
#include "builder/build_args.h"
#include "builder/context_git.h"
#include "builder/context_remote.h"
#include "builder/words.h"
#include "registry/url.h"

#include <string.h>
#include <strings.h>

#define NAME "SOURCE_DATE_EPOCH"

struct file_times epoch_file_times(const struct build *build)
{
    struct file_times times = { .at = build->now };
    if (!build->created)
        return times;
    switch (build->options->times) {
    case BUILD_TIMES_CLAMP:
        times.kind = FILE_TIMES_CLAMP;
        break;
    case BUILD_TIMES_KEEP:
        break;
    case BUILD_TIMES_SET:
        times.kind = FILE_TIMES_SET;
        break;
    }
    return times;
}

static void set_time(struct build *build, int64_t seconds)
{
    char text[CLOCK_TEXT_SIZE];
    clock_format(seconds, text);
    free(build->created);
    build->created = xstrdup(text);
    build->now = seconds;
}

void epoch_begin(struct build *build)
{
    const struct build_options *options = build->options;
    build->now = clock_now();
    if (options->times == BUILD_TIMES_SET) {
        set_time(build, options->timestamp);
        return;
    }
    const char *given = build_args_given(build, NAME);
    AUTO(error_free) struct error *ignored = NULL; /* a name, or a mistake that is told later */
    int64_t seconds;
    if (given && *given && clock_parse_epoch(given, &seconds, &ignored) == 0)
        set_time(build, seconds);
}

/* --- a stage's ADD --------------------------------------------------------------------------- */

static bool adds_files(const struct instruction *instruction)
{
    return instruction->kind == INSTRUCTION_ADD || instruction->kind == INSTRUCTION_COPY ||
           instruction->kind == INSTRUCTION_RUN;
}

static bool is_remote(const char *word)
{
    return git_url_is_git(word, 0) || context_place_kind(word) == PLACE_HTTP;
}

/* Arguments and variables as they stand when ADD comes. */
static int stage_env(const struct build *build, const struct stage *stage,
                     const struct instruction *end, struct env *env, struct error **err)
{
    struct words_expander expander = { .escape = build->dockerfile->escape,
                                       .lookup = words_lookup_env,
                                       .context = env };
    for (const struct instruction *at = stage->instructions; at < end; at++) {
        bool is_arg = at->kind == INSTRUCTION_ARG;
        for (size_t i = 0; (is_arg || at->kind == INSTRUCTION_ENV) && i < at->pairs.n_items; i++) {
            const struct key_value *pair = &at->pairs.items[i];
            AUTO(free) char *name = NULL, *value = NULL;
            if (words_expand(&expander, pair->key, &name, err) < 0 ||
                (pair->value && words_expand(&expander, pair->value, &value, err) < 0))
                return dockerfile_locate(build->dockerfile, at, pair->key, err);
            const char *given = is_arg ? globals_build_arg(build->globals, name) : NULL;
            if (!given)
                given = value ? value : globals_value(build->globals, name);
            if (given)
                env_set(env, name, given);
        }
    }
    return 0;
}

/* The only thing in the stage: its URL, expanded; NULL and no error: it is another kind of stage.
 */
static char *only_remote_add(const struct build *build, const struct stage *stage,
                             struct error **err)
{
    const struct instruction *add = NULL;
    for (size_t i = 0; i < stage->n_instructions; i++) {
        if (!adds_files(&stage->instructions[i]))
            continue;
        if (add)
            return NULL;
        add = &stage->instructions[i];
    }
    if (stage->base.kind != STAGE_SOURCE_SCRATCH || !add || add->kind != INSTRUCTION_ADD ||
        add->copy.sources.n != 1 || add->copy.n_inlines)
        return NULL;
    AUTO(env_release) struct env env = ENV_INIT;
    AUTO(free) char *word = NULL;
    struct words_expander expander = { .escape = build->dockerfile->escape,
                                       .lookup = words_lookup_env,
                                       .context = &env };
    if (stage_env(build, stage, add, &env, err) < 0)
        return NULL;
    if (words_expand(&expander, add->copy.sources.items[0], &word, err) < 0) {
        (void)dockerfile_locate(build->dockerfile, add, add->copy.sources.items[0], err);
        return NULL;
    }
    return is_remote(word) ? TAKE(word) : NULL;
}

static int git_time(struct build *build, const char *url, int64_t *seconds, struct error **err)
{
    AUTO(context_git_release) struct context_git git = CONTEXT_GIT_INIT;
    if (context_git_init(&git, build, url, false, err) < 0 || context_git_resolve(&git, err) < 0)
        return -1;
    struct context *context = context_git_open(build, &git, false, err);
    if (!context)
        return -1;
    *ARRAY_PUSH(build, kept) = context;
    return context_time(context, seconds);
}

/* 1: it has a time; 0: the server doesn't say. */
static int stage_time(struct build *build, const char *url, int64_t *seconds, struct error **err)
{
    AUTO(free) char *shown = url_redact(url);
    AUTO(free) char *name = xasprintf("[time] %s", shown);
    unsigned vertex = progress_vertex(build->progress);
    progress_started(build->progress, vertex, name);
    int found = git_url_is_git(url, 0) ? git_time(build, url, seconds, err)
                                       : context_remote_file_time(build, url, vertex, seconds, err);
    if (found < 0)
        progress_failed(build->progress, vertex, error_message(*err));
    else
        progress_simple(build->progress, PROGRESS_DONE, vertex);
    return found;
}

/* --- what the value names -------------------------------------------------------------------- */

/* Which kind of file has a time is only known when it is there: 1, or 0 for "counts as unset". */
static int context_epoch(struct build *build, const char *name, int64_t *seconds,
                         struct error **err)
{
    AUTO(free) char *image = NULL;
    struct context *context = named_context_get(build, name, &image, err);
    if (image)
        return error_set(err, ERR_USAGE, "the named context %s is an image, which has no time",
                         name);
    return context ? context_time(context, seconds) : -1;
}

static int no_such_thing(const struct build *build, const char *value, struct error **err)
{
    error_set_(err, ERR_USAGE,
               "\"%s\" is neither a number of seconds, nor \"context\", nor the name of a named "
               "context or stage",
               value);
    AUTO(free) char *near = stage_graph_suggestion(build->graph, value, build->graph->n_stages);
    if (*near)
        error_hint(err, "%.*s", (int)strlen(near) - 3, near + 2);
    return -1;
}

/* 1 and *seconds; 0: as if it weren't given. */
static int find_time(struct build *build, const char *value, int64_t *seconds, struct error **err)
{
    AUTO(error_free) struct error *no_number = NULL;
    AUTO(stage_source_release) struct stage_source source = { 0 };
    if (clock_parse_epoch(value, seconds, &no_number) == 0)
        return 1;
    if (strcmp(value, "context") == 0)
        return context_time(build->context, seconds);
    if (value[strspn(value, "-+.0123456789")] == '\0') { /* a number that can't be one */
        error_move(err, TAKE(no_number));
        error_recode(err, ERR_USAGE);
        return -1;
    }
    if (stage_graph_resolve(build->graph, value, build->graph->n_stages, &source, err) < 0)
        return -1;
    if (source.kind == STAGE_SOURCE_CONTEXT)
        return context_epoch(build, source.name, seconds, err);
    if (source.kind != STAGE_SOURCE_STAGE)
        return no_such_thing(build, value, err);
    AUTO(free) char *url = only_remote_add(build, &build->graph->stages[source.stage], err);
    if (*err)
        return -1;
    if (url)
        return stage_time(build, url, seconds, err);
    error_set_(err, ERR_USAGE, "the stage \"%s\" has no time", value);
    error_hint(err, "one that is FROM scratch with just one ADD of a URL or git repository has");
    return -1;
}

/* Where the value stands, if it is in the Dockerfile. */
static const struct instruction *global_arg(const struct build *build)
{
    const struct dockerfile *dockerfile = build->dockerfile;
    for (size_t i = dockerfile->stages[0].from; i-- > 0;) {
        const struct instruction *arg = &dockerfile->instructions[i];
        for (size_t j = 0; j < arg->pairs.n_items; j++)
            if (strcmp(arg->pairs.items[j].key, NAME) == 0)
                return arg;
    }
    return NULL;
}

static int blame(const struct build *build, bool by_option, const char *value, struct error **err)
{
    const struct instruction *arg = by_option ? NULL : global_arg(build);
    if (arg) {
        error_wrap_(err, "ARG " NAME);
        return dockerfile_locate(build->dockerfile, arg, value, err);
    }
    return error_wrap(err, "%s", build->options->epoch_origin);
}

int epoch_resolve(struct build *build, struct error **err)
{
    if (build->options->times == BUILD_TIMES_SET)
        return 0;
    const char *given = globals_build_arg(build->globals, NAME);
    const char *value = given ? given : globals_value(build->globals, NAME);
    int64_t seconds;
    if (!value || !*value)
        return 0;
    AUTO(free) char *kept = xstrdup(value);
    int found = find_time(build, kept, &seconds, err);
    if (found < 0)
        return blame(build, given != NULL, kept, err);
    if (found)
        set_time(build, seconds);
    AUTO(free) char *number = found ? xasprintf("%lld", (long long)seconds) : NULL;
    for (size_t i = 0; i < build->n_targets; i++)
        globals_replace(build->targets[i].globals, NAME, number);
    return 0;
}
