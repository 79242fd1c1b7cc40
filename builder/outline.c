/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/outline.h"

#include "base/array.h"
#include "base/mem.h"
#include "builder/words.h"

#include <string.h>

void outline_release(struct outline *outline)
{
    for (size_t i = 0; i < outline->n_args; i++)
        free(outline->args[i].value);
    free(outline->args);
    free(outline->secrets);
    free(outline->ssh);
    *outline = (struct outline){ 0 };
}

char *outline_description(const struct instruction *instruction, const char *name)
{
    const char *text = instruction_description(instruction, name);
    return text ? xstrndup(text, strcspn(text, "\n")) : NULL;
}

static struct outline_arg *find_arg(const struct outline *outline, const char *name)
{
    for (size_t i = 0; i < outline->n_args; i++)
        if (!strcmp(outline->args[i].name, name))
            return &outline->args[i];
    return NULL;
}

static void add_arg(const struct stage_graph *graph, const struct instruction *instruction,
                    const struct key_value *pair, struct outline *ret)
{
    const char *value = globals_build_arg(graph->globals, pair->key);
    if (find_arg(ret, pair->key))
        return;
    struct outline_arg *arg = ARRAY_PUSH(ret, args);
    arg->name = pair->key;
    arg->description = instruction_description(instruction, pair->key);
    arg->value = xstrdup(value ? value : pair->value);
    arg->range = instruction->range;
}

static void add_mount(struct outline_mount **items, size_t *n, size_t *capacity, const char *id,
                      bool required, struct source_range range)
{
    for (size_t i = 0; i < *n; i++) {
        if (!strcmp((*items)[i].id, id)) {
            (*items)[i].required |= required;
            return;
        }
    }
    *items = array_push_(*items, n, capacity, sizeof(**items));
    (*items)[*n - 1] = (struct outline_mount){ id, required, range };
}

static void add_mounts(const struct instruction *run, struct outline *ret)
{
    for (size_t i = 0; i < run->run.n_mounts; i++) {
        const struct run_mount *mount = &run->run.mounts[i];
        if (mount->type == RUN_MOUNT_SECRET && mount->id)
            add_mount(&ret->secrets, &ret->n_secrets, &ret->secrets_capacity, mount->id,
                      mount->required, run->range);
        if (mount->type == RUN_MOUNT_SSH)
            add_mount(&ret->ssh, &ret->n_ssh, &ret->ssh_capacity, mount->id ? mount->id : "default",
                      mount->required, run->range);
    }
}

/* --- global ARGs that are used --------------------------------------------------------------- */

static const char *lookup(void *context, const char *name)
{
    strvec_push(context, name);
    return "x";
}

static void add_names(const struct stage_graph *graph, const char *word, struct strvec *names)
{
    struct words_expander expander = { .escape = graph->dockerfile->escape,
                                       .lookup = lookup,
                                       .context = names };
    AUTO(free) char *value = NULL;
    AUTO(error_free) struct error *ignored = NULL; /* the plan reports it */
    if (word && words_expand(&expander, word, &value, &ignored) < 0)
        return;
}

static void collect_used(const struct stage_graph *graph, struct strvec *names)
{
    for (size_t i = 0; i < graph->n_stages; i++) {
        const struct stage *stage = &graph->stages[i];
        if (!stage->is_needed)
            continue;
        add_names(graph, stage->from->from.image, names);
        add_names(graph, stage->from->from.platform, names);
        for (size_t j = 0; j < stage->n_instructions; j++) {
            const struct instruction *arg = &stage->instructions[j];
            for (size_t k = 0; arg->kind == INSTRUCTION_ARG && k < arg->pairs.n_items; k++)
                if (!arg->pairs.items[k].value)
                    strvec_push(names, arg->pairs.items[k].key);
            if (arg->kind == INSTRUCTION_COPY)
                add_names(graph, arg->copy.from, names);
        }
    }
    /* a default may name earlier globals: from the last to the first */
    const struct dockerfile *dockerfile = graph->dockerfile;
    for (size_t i = dockerfile->stages[0].from; i-- > 0;) {
        const struct pairs_body *pairs = &dockerfile->instructions[i].pairs;
        for (size_t j = pairs->n_items; j-- > 0;)
            if (strvec_has(names, pairs->items[j].key))
                add_names(graph, pairs->items[j].value, names);
    }
}

/* An import of a global ARG or of one that the builder sets. */
static bool is_global(const struct stage_graph *graph, const struct key_value *pair)
{
    return !pair->value && (globals_is_declared(graph->globals, pair->key) ||
                            globals_value(graph->globals, pair->key));
}

static void add_globals(const struct stage_graph *graph, struct outline *ret)
{
    AUTO(strvec_release) struct strvec used = STRVEC_INIT;
    const struct dockerfile *dockerfile = graph->dockerfile;
    collect_used(graph, &used);
    for (size_t i = 0; i < dockerfile->stages[0].from; i++) {
        const struct instruction *arg = &dockerfile->instructions[i];
        for (size_t j = 0; j < arg->pairs.n_items; j++)
            if (strvec_has(&used, arg->pairs.items[j].key))
                add_arg(graph, arg, &arg->pairs.items[j], ret);
    }
}

void outline_of(const struct stage_graph *graph, struct outline *ret)
{
    add_globals(graph, ret);
    for (size_t i = 0; i < graph->n_stages; i++) {
        const struct stage *stage = &graph->stages[i];
        for (size_t j = 0; stage->is_needed && j < stage->n_instructions; j++) {
            const struct instruction *instruction = &stage->instructions[j];
            if (instruction->kind == INSTRUCTION_RUN)
                add_mounts(instruction, ret);
            if (instruction->kind != INSTRUCTION_ARG)
                continue;
            for (size_t k = 0; k < instruction->pairs.n_items; k++)
                if (!is_global(graph, &instruction->pairs.items[k]))
                    add_arg(graph, instruction, &instruction->pairs.items[k], ret);
        }
    }
}
