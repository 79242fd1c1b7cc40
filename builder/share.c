/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/share.h"

#include "base/mem.h"

#include <string.h>

static struct share_stage *cell(const struct share *share, size_t graph, size_t stage)
{
    return &share->stages[graph * share->n_stages + stage];
}

const struct share_stage *share_get(const struct share *share, size_t graph, size_t stage)
{
    return cell(share, graph, stage);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* To its end. */
static bool is_whole(const struct share *share, size_t a, size_t b, size_t stage)
{
    size_t leader = cell(share, a, stage)->leader;
    return leader == cell(share, b, stage)->leader &&
           cell(share, leader, stage)->n_same ==
               share->graphs[leader]->stages[stage].n_instructions;
}

static bool same_source(const struct share *share, size_t a, size_t b,
                        const struct stage_source *of_a, const struct stage_source *of_b)
{
    if (of_a->kind != of_b->kind || !same_text(of_a->name, of_b->name))
        return false;
    return of_a->kind != STAGE_SOURCE_STAGE ||
           (of_a->stage == of_b->stage && is_whole(share, a, b, of_a->stage));
}

static bool same_from(const struct share *share, size_t a, size_t b, size_t stage)
{
    const struct stage *of_a = &share->graphs[a]->stages[stage];
    const struct stage *of_b = &share->graphs[b]->stages[stage];
    return platform_equal(&of_a->platform, &of_b->platform) &&
           of_a->is_replaced == of_b->is_replaced && !of_a->n_after && !of_b->n_after &&
           same_source(share, a, b, &of_a->base, &of_b->base);
}

/* What --from=TEXT means for both. */
static bool same_files(const struct share *share, size_t a, size_t b, size_t stage,
                       const char *text)
{
    AUTO(stage_source_release) struct stage_source of_a = { 0 };
    AUTO(stage_source_release) struct stage_source of_b = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* told when the stage comes to it */
    return stage_graph_resolve(share->graphs[a], text, stage, &of_a, &ignored) == 0 &&
           stage_graph_resolve(share->graphs[b], text, stage, &of_b, &ignored) == 0 &&
           same_source(share, a, b, &of_a, &of_b);
}

static bool same_args(const struct share *share, size_t a, size_t b,
                      const struct instruction *instruction)
{
    const struct globals *of_a = share->graphs[a]->globals, *of_b = share->graphs[b]->globals;
    for (size_t i = 0; i < instruction->pairs.n_items; i++) {
        const char *name = instruction->pairs.items[i].key;
        /* a default in the instruction takes the global value's place, but is that too rare to
         * matter: a name with a variable in it likewise */
        if (strchr(name, '$') || !same_text(globals_value(of_a, name), globals_value(of_b, name)))
            return false;
    }
    return true;
}

static bool same_instruction(const struct share *share, size_t a, size_t b, size_t stage,
                             const struct instruction *instruction)
{
    if (instruction->kind == INSTRUCTION_ARG)
        return same_args(share, a, b, instruction);
    if (instruction->kind == INSTRUCTION_COPY && instruction->copy.from)
        return same_files(share, a, b, stage, instruction->copy.from);
    if (instruction->kind == INSTRUCTION_RUN)
        for (size_t i = 0; i < instruction->run.n_mounts; i++)
            if (instruction->run.mounts[i].from &&
                !same_files(share, a, b, stage, instruction->run.mounts[i].from))
                return false;
    return true;
}

bool share_differs(const struct share *share, size_t leader, size_t stage,
                   const struct instruction *instruction)
{
    for (size_t i = leader + 1; i < share->n_graphs; i++)
        if (cell(share, i, stage)->leader == leader &&
            !same_instruction(share, leader, i, stage, instruction))
            return true;
    return false;
}

/* The leaders of a stage; whose n_same is then as much as its followers allow. */
static void init_stage(struct share *share, size_t stage)
{
    for (size_t i = 0; i < share->n_graphs; i++) {
        struct share_stage *own = cell(share, i, stage);
        own->leader = i;
        for (size_t j = 0; j < i && own->leader == i; j++) {
            if (cell(share, j, stage)->leader != j || !share->graphs[i]->stages[stage].is_needed ||
                !share->graphs[j]->stages[stage].is_needed || !same_from(share, j, i, stage))
                continue;
            own->leader = j;
            cell(share, j, stage)->is_followed = true;
        }
    }
    for (size_t i = 0; i < share->n_graphs; i++) {
        const struct stage *of = &share->graphs[i]->stages[stage];
        struct share_stage *leader = cell(share, i, stage);
        if (!leader->is_followed)
            continue;
        while (leader->n_same < of->n_instructions &&
               !share_differs(share, i, stage, &of->instructions[leader->n_same]))
            leader->n_same++;
    }
}

void share_init(struct share *share, const struct stage_graph *const *graphs, size_t n_graphs)
{
    share->graphs = graphs;
    share->n_graphs = n_graphs;
    share->n_stages = graphs[0]->n_stages;
    share->stages = xcalloc(n_graphs * share->n_stages, sizeof(*share->stages));
    for (size_t i = 0; i < share->n_stages; i++) /* needs point to earlier stages */
        init_stage(share, i);
}

void share_release(struct share *share)
{
    free(share->stages);
    *share = (struct share){ 0 };
}
