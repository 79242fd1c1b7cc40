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
    free(outline->secrets.items);
    free(outline->ssh.items);
    *outline = (struct outline){ 0 };
}

char *outline_description(const struct instruction *instruction, const char *name)
{
    const char *text = instruction_description(instruction, name);
    return text ? xstrndup(text, strcspn(text, "\n")) : NULL;
}

/* What has been found so far, by name; values are places in the outline's lists, from 1. */
struct finder {
    const struct stage_graph *graph;
    struct outline *outline;
    struct hashmap args, secrets, ssh;
};

static void finder_release(struct finder *finder)
{
    hashmap_release(&finder->args);
    hashmap_release(&finder->secrets);
    hashmap_release(&finder->ssh);
}
DEFINE_AUTO_STRUCT(struct finder, finder_release)

static void add_arg(struct finder *finder, const struct instruction *instruction,
                    const struct key_value *pair)
{
    if (hashmap_has(&finder->args, pair->key))
        return;
    hashmap_put(&finder->args, pair->key, NULL);
    const char *value = globals_build_arg(finder->graph->globals, pair->key);
    struct outline_arg *arg = ARRAY_PUSH(finder->outline, args);
    arg->name = pair->key;
    arg->description = instruction_description(instruction, pair->key);
    arg->value = xstrdup(value ? value : pair->value);
    arg->range = instruction->range;
}

static void add_mount(struct outline_mounts *list, struct hashmap *places, const char *id,
                      bool required, struct source_range range)
{
    uintptr_t place = (uintptr_t)hashmap_get(places, id);
    if (place) {
        list->items[place - 1].required |= required;
        return;
    }
    *ARRAY_PUSH(list, items) = (struct outline_mount){ id, required, range };
    hashmap_put(places, id, (void *)(uintptr_t)list->n_items);
}

static void add_mounts(struct finder *finder, const struct instruction *run)
{
    for (size_t i = 0; i < run->run.n_mounts; i++) {
        const struct run_mount *mount = &run->run.mounts[i];
        if (mount->type == RUN_MOUNT_SECRET && mount->id)
            add_mount(&finder->outline->secrets, &finder->secrets, mount->id, mount->required,
                      run->range);
        if (mount->type == RUN_MOUNT_SSH)
            add_mount(&finder->outline->ssh, &finder->ssh, mount->id ? mount->id : "default",
                      mount->required, run->range);
    }
}

/* --- global ARGs that are used --------------------------------------------------------------- */

static const char *lookup(void *context, const char *name)
{
    hashmap_put(context, name, NULL);
    return "x";
}

static void add_names(const struct stage_graph *graph, const char *word, struct hashmap *names)
{
    struct words_expander expander = { .escape = graph->dockerfile->escape,
                                       .lookup = lookup,
                                       .context = names };
    AUTO(free) char *value = NULL;
    AUTO(error_free) struct error *ignored = NULL; /* the plan reports it */
    if (word && words_expand(&expander, word, &value, &ignored) < 0)
        return;
}

static void collect_used(const struct stage_graph *graph, struct hashmap *names)
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
                    hashmap_put(names, arg->pairs.items[k].key, NULL);
            if (arg->kind == INSTRUCTION_COPY)
                add_names(graph, arg->copy.from, names);
        }
    }
    /* a default may name earlier globals: from the last to the first */
    const struct dockerfile *dockerfile = graph->dockerfile;
    for (size_t i = dockerfile->stages[0].from; i-- > 0;) {
        const struct pairs_body *pairs = &dockerfile->instructions[i].pairs;
        for (size_t j = pairs->n_items; j-- > 0;)
            if (hashmap_has(names, pairs->items[j].key))
                add_names(graph, pairs->items[j].value, names);
    }
}

/* An import of a global ARG or of one that the builder sets. */
static bool is_global(const struct stage_graph *graph, const struct key_value *pair)
{
    return !pair->value && (globals_is_declared(graph->globals, pair->key) ||
                            globals_value(graph->globals, pair->key));
}

static void add_globals(struct finder *finder)
{
    AUTO(hashmap_release) struct hashmap used = HASHMAP_INIT(NULL);
    const struct dockerfile *dockerfile = finder->graph->dockerfile;
    collect_used(finder->graph, &used);
    for (size_t i = 0; i < dockerfile->stages[0].from; i++) {
        const struct instruction *arg = &dockerfile->instructions[i];
        for (size_t j = 0; j < arg->pairs.n_items; j++)
            if (hashmap_has(&used, arg->pairs.items[j].key))
                add_arg(finder, arg, &arg->pairs.items[j]);
    }
}

void outline_of(const struct stage_graph *graph, struct outline *ret)
{
    AUTO(finder_release) struct finder finder = { .graph = graph, .outline = ret };
    add_globals(&finder);
    for (size_t i = 0; i < graph->n_stages; i++) {
        const struct stage *stage = &graph->stages[i];
        for (size_t j = 0; stage->is_needed && j < stage->n_instructions; j++) {
            const struct instruction *instruction = &stage->instructions[j];
            if (instruction->kind == INSTRUCTION_RUN)
                add_mounts(&finder, instruction);
            if (instruction->kind != INSTRUCTION_ARG)
                continue;
            for (size_t k = 0; k < instruction->pairs.n_items; k++)
                if (!is_global(graph, &instruction->pairs.items[k]))
                    add_arg(&finder, instruction, &instruction->pairs.items[k]);
        }
    }
}
