/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/precheck.h"

#include "base/mem.h"
#include "builder/instruction_words.h"
#include "builder/precheck_values.h"
#include "builder/words.h"
#include "oci/manifest.h"

#include <string.h>

struct precheck {
    const struct stage_graph *graph;
    char *culprit; /* the word that failed */
};

/* Everything is set and not empty: ${v:?} depends on what the executor will know. */
static const char *permissive(void *context UNUSED, const char *name UNUSED)
{
    return "x";
}

static int check_word(void *data, const char *word, unsigned flags, char escape, struct error **err)
{
    struct precheck *check = data;
    struct words_expander expander = { .escape = escape, .flags = flags, .lookup = permissive };
    AUTO(free) char *value = NULL;
    AUTO(error_free) struct error *error = NULL;
    if (words_expand(&expander, word, &value, &error) == 0 || !error_is(error, ERR_SYNTAX))
        return 0; /* a limit may hold for the real values only: the executor sees */
    check->culprit = xstrdup(word);
    error_move(err, TAKE(error));
    return -1;
}

/* A default is not looked at when --build-arg takes its place. */
static int check_arg(struct precheck *check, const struct instruction *arg, struct error **err)
{
    char escape = check->graph->dockerfile->escape;
    for (size_t i = 0; i < arg->pairs.n_items; i++) {
        const struct key_value *pair = &arg->pairs.items[i];
        if (check_word(check, pair->key, 0, escape, err) < 0)
            return -1;
        if (pair->value && !globals_build_arg(check->graph->globals, pair->key) &&
            check_word(check, pair->value, 0, escape, err) < 0)
            return -1;
    }
    return 0;
}

static int check_instruction(struct precheck *check, const struct instruction *instruction,
                             struct error **err)
{
    int result = instruction->kind == INSTRUCTION_ARG
                     ? check_arg(check, instruction, err)
                     : instruction_each_word(instruction, check->graph->dockerfile->escape,
                                             check_word, check, err);
    if (result == 0)
        return 0;
    (void)dockerfile_locate(check->graph->dockerfile, instruction, check->culprit, err);
    free(check->culprit);
    return -1;
}

bool precheck_makes_layer(const struct instruction *instruction)
{
    return instruction->kind == INSTRUCTION_RUN || instruction->kind == INSTRUCTION_COPY ||
           instruction->kind == INSTRUCTION_ADD;
}

/* Counts into layers[], by stage. A WORKDIR may make none, and the base's aren't known yet. */
static int check_layers(const struct stage_graph *graph, const struct stage *stage, size_t *layers,
                        struct error **err)
{
    size_t *n = &layers[stage->index];
    *n = stage->base.kind == STAGE_SOURCE_STAGE ? layers[stage->base.stage] : 0;
    for (size_t i = 0; i < stage->n_instructions; i++) {
        if (!precheck_makes_layer(&stage->instructions[i]) || ++*n <= MANIFEST_MAX_LAYERS)
            continue;
        error_set_(err, ERR_LIMIT, "layer %zu of stage %s: more than %d can't be mounted", *n,
                   stage->label, MANIFEST_MAX_LAYERS);
        error_hint(err, "join RUN and COPY steps");
        return dockerfile_locate(graph->dockerfile, &stage->instructions[i], NULL, err);
    }
    return 0;
}

int precheck_words(const struct stage_graph *graph, bool all_stages, struct error **err)
{
    struct precheck check = { .graph = graph };
    for (size_t i = 0; i < graph->n_stages; i++) {
        const struct stage *stage = &graph->stages[i];
        if (!all_stages && !stage->is_needed)
            continue;
        if (stage->is_needed && precheck_base(graph, stage, err) < 0)
            return dockerfile_locate(graph->dockerfile, stage->from, NULL, err);
        for (size_t j = 0; j < stage->n_instructions; j++) {
            const struct instruction *instruction = &stage->instructions[j];
            if (check_instruction(&check, instruction, err) < 0)
                return -1;
            if (precheck_values(graph, stage, instruction, err) < 0)
                return dockerfile_locate(graph->dockerfile, instruction, NULL, err);
        }
    }
    return 0;
}

int precheck_layers(const struct stage_graph *graph, struct error **err)
{
    AUTO(free) size_t *layers = xcalloc(graph->n_stages, sizeof(*layers));
    for (size_t i = 0; i < graph->n_stages; i++)
        if (graph->stages[i].is_needed && check_layers(graph, &graph->stages[i], layers, err) < 0)
            return -1;
    return 0;
}
