/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/stage.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "builder/words.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

void stage_source_release(struct stage_source *source)
{
    free(source->name);
    *source = (struct stage_source){ 0 };
}

static int expand_global(const struct stage_graph *graph, const char *word, char **ret,
                         struct error **err)
{
    struct words_expander expander = { .escape = graph->dockerfile->escape,
                                       .lookup = words_lookup_env,
                                       .context = (void *)(uintptr_t)&graph->globals->values };
    return words_expand(&expander, word, ret, err);
}

/* "NAME::OS/ARCH" is for that platform. */
static bool variant_matches(const char *text, size_t size, const struct platform *platform)
{
    AUTO(free) char *name = xstrndup(text, size);
    AUTO(platform_release) struct platform variant = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* of another builder, or a mistake: no match */
    return platform_parse(name, &variant, &ignored) == 0 && platform_match(platform, &variant) > 0;
}

/* The last of a name counts, as in named_context.c; "NAME:latest" is NAME. */
static char *find_context(const struct stage_graph *graph, const char *name,
                          const struct platform *variant)
{
    size_t name_size = strlen(name);
    if (name_size > 7 && !strcmp(name + name_size - 7, ":latest"))
        name_size -= 7;
    for (size_t i = graph->contexts->n; i-- > 0;) {
        const char *item = graph->contexts->items[i];
        size_t size = strcspn(item, "=");
        const char *rest = item + name_size;
        if (size < name_size || strncasecmp(item, name, name_size) != 0)
            continue;
        size_t rest_size = size - name_size;
        if (variant ? rest_size > 2 && !strncmp(rest, "::", 2) &&
                          variant_matches(rest + 2, rest_size - 2, variant)
                    : !rest_size)
            return xstrndup(item, size);
    }
    return NULL;
}

char *stage_graph_context(const struct stage_graph *graph, const char *name,
                          const struct platform *platform)
{
    if (!graph->contexts || !strcasecmp(name, "scratch") || !strcasecmp(name, "context"))
        return NULL;
    char *found = find_context(graph, name, platform);
    return found ? found : find_context(graph, name, NULL);
}

static bool is_number(const char *text)
{
    for (const char *p = text; *p; p++)
        if (!isdigit((unsigned char)*p))
            return false;
    return *text != '\0';
}

static int resolve_number(const char *text, size_t before, struct stage_source *ret,
                          struct error **err)
{
    errno = 0;
    unsigned long number = strtoul(text, NULL, 10);
    if (errno || number >= before)
        return error_set(err, ERR_NOT_FOUND, "stage %s: there %s before this one", text,
                         before == 0   ? "is no stage"
                         : before == 1 ? "is only stage 0"
                                       : "are fewer stages");
    *ret = (struct stage_source){ .kind = STAGE_SOURCE_STAGE, .stage = number };
    return 0;
}

/* A later stage, or the stage itself: an image of that name is surely not meant. */
static int refuse_later(const struct stage_graph *graph, const char *name, size_t before,
                        struct error **err)
{
    ssize_t later = stage_names_from(&graph->names, name, before);
    if (later < 0)
        return 0;
    if ((size_t)later == before)
        return error_set(err, ERR_SYNTAX, "stage \"%s\" can't take files from itself", name);
    const struct dockerfile *dockerfile = graph->dockerfile;
    size_t from = dockerfile->stages[later].from;
    return error_set(err, ERR_SYNTAX,
                     "stage \"%s\" comes later, in line %zu: files are taken from earlier "
                     "stages only",
                     name, dockerfile->instructions[from].range.first);
}

int stage_graph_resolve(const struct stage_graph *graph, const char *text, size_t before,
                        struct stage_source *ret, struct error **err)
{
    AUTO(free) char *name = NULL;
    if (expand_global(graph, text, &name, err) < 0)
        return -1;
    if (!*name)
        return error_set(err, ERR_SYNTAX, "--from=%s is empty", text);
    char *context =
        stage_graph_context(graph, name,
                            before < graph->n_stages ? &graph->stages[before].platform
                                                     : &graph->globals->target_platform);
    if (context) {
        *ret = (struct stage_source){ .kind = STAGE_SOURCE_CONTEXT, .name = context };
        return 0;
    }
    ssize_t stage = stage_names_before(&graph->names, name, before);
    if (stage >= 0) {
        *ret = (struct stage_source){ .kind = STAGE_SOURCE_STAGE, .stage = (size_t)stage };
        return 0;
    }
    if (is_number(name))
        return resolve_number(name, before, ret, err);
    if (!strcmp(name, "scratch")) {
        *ret = (struct stage_source){ .kind = STAGE_SOURCE_SCRATCH };
        return 0;
    }
    if (refuse_later(graph, name, before, err) < 0)
        return -1;
    *ret = (struct stage_source){ .kind = STAGE_SOURCE_IMAGE, .name = TAKE(name) };
    return 0;
}

char *stage_graph_suggestion(const struct stage_graph *graph, const char *name, size_t before)
{
    const char **names = xcalloc(before, sizeof(*names));
    size_t n = 0;
    for (size_t i = 0; i < before; i++)
        if (graph->stages[i].name)
            names[n++] = graph->stages[i].name;
    const char *near = suggest_nearest(name, names, n);
    free(names);
    return near ? xasprintf(" (did you mean the stage \"%s\"?)", near) : xstrdup("");
}

static void add_need(struct stage_graph *graph, struct stage *stage,
                     const struct stage_source *source)
{
    if (source->kind != STAGE_SOURCE_STAGE)
        return;
    struct stage *needed = &graph->stages[source->stage];
    if (needed->noted_for == stage) /* its needs are complete before the next stage's begin */
        return;
    needed->noted_for = stage;
    *ARRAY_PUSH(stage, needs) = source->stage;
}

static int resolve_platform(const struct stage_graph *graph, struct stage *stage,
                            struct error **err)
{
    const char *written = stage->from->from.platform;
    if (!written || !*written) {
        platform_copy(&stage->platform, &graph->globals->target_platform);
        return 0;
    }
    AUTO(free) char *platform = NULL;
    if (expand_global(graph, written, &platform, err) < 0)
        return -1;
    if (!*platform) {
        error_set_(err, ERR_SYNTAX, "--platform=%s is empty", written);
        error_hint(err, "give the ARG a default before the first FROM, or pass --build-arg");
        return -1;
    }
    if (platform_parse(platform, &stage->platform, err) < 0)
        return error_wrap(err, "--platform=%s", written);
    if (platform_check_spelling(&stage->platform, err) < 0)
        return error_wrap(err, "--platform=%s", written);
    stage->has_platform = true;
    return 0;
}

/* FROM NAME has to match the name's case: names are kept in lower case. */
static ssize_t find_base(const struct stage_graph *graph, const char *image, size_t before)
{
    ssize_t found = stage_names_before(&graph->names, image, before);
    return found >= 0 && strcmp(graph->stages[found].name, image) == 0 ? found : -1;
}

static int resolve_base(struct stage_graph *graph, struct stage *stage, struct error **err)
{
    const struct from_body *from = &stage->from->from;
    AUTO(free) char *image = NULL;
    if (expand_global(graph, from->image, &image, err) < 0)
        return -1;
    if (!*image) {
        error_set_(err, ERR_SYNTAX, "base name \"%s\" is blank", from->image);
        error_hint(err, "give the ARG a default before the first FROM, or pass --build-arg");
        return -1;
    }
    ssize_t earlier;
    char *context =
        stage_graph_context(graph, stage->is_replaced ? stage->name : image, &stage->platform);
    if (context)
        stage->base = (struct stage_source){ .kind = STAGE_SOURCE_CONTEXT, .name = context };
    else if ((earlier = find_base(graph, image, stage->index)) >= 0)
        stage->base = (struct stage_source){ .kind = STAGE_SOURCE_STAGE, .stage = (size_t)earlier };
    else if (!strcmp(image, "scratch"))
        stage->base = (struct stage_source){ .kind = STAGE_SOURCE_SCRATCH };
    else
        stage->base = (struct stage_source){ .kind = STAGE_SOURCE_IMAGE, .name = TAKE(image) };
    add_need(graph, stage, &stage->base);
    /* a stage FROM another keeps that one's platform */
    if (stage->base.kind == STAGE_SOURCE_STAGE && !stage->has_platform)
        platform_copy(&stage->platform, &graph->stages[stage->base.stage].platform);
    if (stage->base.kind == STAGE_SOURCE_STAGE)
        graph->stages[stage->base.stage].n_heirs++;
    return 0;
}

static int add_from(struct stage_graph *graph, struct stage *stage,
                    const struct instruction *instruction, const char *from, struct error **err)
{
    AUTO(stage_source_release) struct stage_source source = { 0 };
    if (stage_graph_resolve(graph, from, stage->index, &source, err) < 0)
        return -1;
    add_need(graph, stage, &source);
    if (source.kind == STAGE_SOURCE_IMAGE || source.kind == STAGE_SOURCE_CONTEXT) {
        *ARRAY_PUSH(stage, takes) = (struct stage_take){ instruction, from, source };
        source = (struct stage_source){ 0 };
    }
    return 0;
}

static int add_instruction_needs(struct stage_graph *graph, struct stage *stage,
                                 const struct instruction *instruction, struct error **err)
{
    if (instruction->kind == INSTRUCTION_COPY && instruction->copy.from)
        return add_from(graph, stage, instruction, instruction->copy.from, err);
    if (instruction->kind == INSTRUCTION_RUN)
        for (size_t i = 0; i < instruction->run.n_mounts; i++)
            if (instruction->run.mounts[i].from &&
                add_from(graph, stage, instruction, instruction->run.mounts[i].from, err) < 0)
                return -1;
    return 0;
}

/* FROM --after: a stage that comes first, though nothing of it is used. */
static int add_after(struct stage_graph *graph, struct stage *stage, struct error **err)
{
    const struct strvec *names = &stage->from->from.after;
    for (size_t i = 0; i < names->n; i++) {
        const char *name = names->items[i];
        AUTO(stage_source_release) struct stage_source source = { 0 };
        if (stage_graph_resolve(graph, name, stage->index, &source, err) < 0)
            return dockerfile_locate(graph->dockerfile, stage->from, name, err);
        if (source.kind != STAGE_SOURCE_STAGE) {
            AUTO(free) char *near = stage_graph_suggestion(graph, name, stage->index);
            error_set_(err, ERR_NOT_FOUND, "--after=%s: no earlier stage has that name%s", name,
                       near);
            return dockerfile_locate(graph->dockerfile, stage->from, name, err);
        }
        add_need(graph, stage, &source);
        *ARRAY_PUSH(stage, after) = source.stage;
    }
    return 0;
}

static int stage_init(struct stage_graph *graph, size_t index, struct error **err)
{
    const struct dockerfile *dockerfile = graph->dockerfile;
    const struct dockerfile_stage *range = &dockerfile->stages[index];
    struct stage *stage = &graph->stages[index];
    stage->index = index;
    stage->from = &dockerfile->instructions[range->from];
    stage->instructions = stage->from + 1;
    stage->n_instructions = range->end - range->from - 1;
    stage->name = stage->from->from.name;
    stage->label = stage->name ? xstrdup(stage->name) : xasprintf("stage-%zu", index);
    if (resolve_platform(graph, stage, err) < 0)
        return dockerfile_locate(dockerfile, stage->from, NULL, err);
    AUTO(free)
    char *context = stage->name ? stage_graph_context(graph, stage->name, &stage->platform) : NULL;
    stage->is_replaced = context != NULL;
    if (stage->is_replaced)
        stage->n_instructions = 0;
    if (resolve_base(graph, stage, err) < 0)
        return dockerfile_locate(dockerfile, stage->from, NULL, err);
    if (!stage->is_replaced && add_after(graph, stage, err) < 0)
        return -1;
    for (size_t i = 0; i < stage->n_instructions; i++)
        if (add_instruction_needs(graph, stage, &stage->instructions[i], err) < 0)
            return dockerfile_locate(dockerfile, &stage->instructions[i], NULL, err);
    return 0;
}

/* Needs always point to earlier stages, so one pass downwards reaches everything, and no cycle can
 * be. */
static void mark_needed(struct stage_graph *graph)
{
    for (size_t i = 0; i < graph->n_stages; i++)
        graph->stages[i].is_needed = false;
    graph->stages[graph->target].is_needed = true;
    for (size_t i = graph->target + 1; i-- > 0;)
        if (graph->stages[i].is_needed)
            for (size_t j = 0; j < graph->stages[i].n_needs; j++)
                graph->stages[graph->stages[i].needs[j]].is_needed = true;
}

static int find_target(struct stage_graph *graph, const char *target, struct error **err)
{
    graph->target = graph->n_stages - 1;
    if (!target)
        return 0;
    ssize_t found = stage_names_before(&graph->names, target, graph->n_stages);
    if (found >= 0) {
        graph->target = (size_t)found;
        return 0;
    }
    error_set_(err, ERR_NOT_FOUND, "target stage \"%s\": no stage of %s has that name", target,
               graph->dockerfile->source->name);
    const char **names = xcalloc(graph->n_stages, sizeof(*names));
    size_t n = 0;
    AUTO(strbuf_release) struct strbuf list = STRBUF_INIT;
    for (size_t i = 0; i < graph->n_stages; i++) {
        if (!graph->stages[i].name)
            continue;
        names[n++] = graph->stages[i].name;
        strbuf_addf(&list, "%s%s", n > 1 ? ", " : "", graph->stages[i].name);
    }
    const char *near = suggest_nearest(target, names, n);
    if (near)
        error_hint(err, "did you mean \"%s\"?", near);
    else if (n)
        error_hint(err, "its named stages: %s", list.data);
    else
        error_hint(err, "name a stage with FROM ... AS %s", target);
    free(names);
    return -1;
}

struct stage_graph *stage_graph_new(const struct dockerfile *dockerfile,
                                    const struct globals *globals, const struct strvec *contexts,
                                    const char *target, struct error **err)
{
    AUTO(stage_graph_free) struct stage_graph *graph = NEW(struct stage_graph);
    graph->dockerfile = dockerfile;
    graph->globals = globals;
    graph->contexts = contexts;
    graph->n_stages = dockerfile->n_stages;
    graph->stages = xcalloc(graph->n_stages, sizeof(*graph->stages));
    stage_names_init(&graph->names);
    for (size_t i = 0; i < graph->n_stages; i++) {
        const char *name = dockerfile->instructions[dockerfile->stages[i].from].from.name;
        if (name)
            stage_names_add(&graph->names, name, i);
    }
    for (size_t i = 0; i < graph->n_stages; i++)
        if (stage_init(graph, i, err) < 0)
            return NULL;
    if (find_target(graph, target, err) < 0)
        return NULL;
    mark_needed(graph);
    return TAKE(graph);
}

static bool is_after(const struct stage *stage, size_t other)
{
    for (size_t i = 0; i < stage->n_after; i++)
        if (stage->after[i] == other)
            return true;
    return false;
}

static bool takes_of(const struct stage *stage, size_t other)
{
    if (!stage->is_needed || is_after(stage, other) ||
        (stage->base.kind == STAGE_SOURCE_STAGE && stage->base.stage == other))
        return false;
    for (size_t i = 0; i < stage->n_needs; i++)
        if (stage->needs[i] == other)
            return true;
    return false;
}

bool stage_graph_is_taken_of(const struct stage_graph *graph, size_t stage)
{
    for (size_t i = stage + 1; i < graph->n_stages; i++)
        if (takes_of(&graph->stages[i], stage))
            return true;
    return false;
}

void stage_graph_aim(struct stage_graph *graph, size_t target)
{
    graph->target = target;
    mark_needed(graph);
}

void stage_graph_free(struct stage_graph *graph)
{
    if (!graph)
        return;
    for (size_t i = 0; i < graph->n_stages; i++) {
        struct stage *stage = &graph->stages[i];
        free(stage->label);
        free(stage->needs);
        free(stage->after);
        for (size_t j = 0; j < stage->n_takes; j++)
            stage_source_release(&stage->takes[j].source);
        free(stage->takes);
        platform_release(&stage->platform);
        stage_source_release(&stage->base);
    }
    free(graph->stages);
    stage_names_release(&graph->names);
    free(graph);
}
