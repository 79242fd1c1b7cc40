/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/shell_point.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int find_stage(const struct stage_graph *graph, const char *name, struct shell_point *ret,
                      struct error **err)
{
    ssize_t found = stage_names_before(&graph->names, name, graph->n_stages);
    if (found >= 0) {
        *ret = (struct shell_point){ .stage = (size_t)found };
        return 0;
    }
    error_set_(err, ERR_NOT_FOUND, "no stage of %s has that name", graph->dockerfile->source->name);
    error_hint(err, "a stage's name or a line's number is what it takes");
    return -1;
}

/* The first of its instructions that ends there or below; NULL: none does. */
static const struct instruction *find_in_stage(const struct stage *stage, size_t line)
{
    for (size_t i = 0; i < stage->n_instructions; i++)
        if (stage->instructions[i].range.last >= line)
            return &stage->instructions[i];
    return NULL;
}

static int find_line(const struct stage_graph *graph, size_t line, struct shell_point *ret,
                     struct error **err)
{
    const struct source_text *source = graph->dockerfile->source;
    size_t stage = graph->n_stages;
    if (!line || line > source->n_lines)
        return error_set(err, ERR_NOT_FOUND, "%s has %zu line%s", source->name, source->n_lines,
                         source->n_lines == 1 ? "" : "s");
    while (stage > 0 && graph->stages[stage - 1].from->range.first > line)
        stage--;
    if (!stage || graph->stages[stage - 1].from->range.last >= line) {
        error_set_(err, ERR_USAGE, "nothing is there before a FROM");
        error_hint(err, "name the line of an instruction below it, or the stage for its end");
        return -1;
    }
    stage--;
    *ret = (struct shell_point){ .stage = stage,
                                 .before = find_in_stage(&graph->stages[stage], line) };
    return 0;
}

int shell_point_find(const struct stage_graph *graph, const char *text, struct shell_point *ret,
                     struct error **err)
{
    if (!*text || strspn(text, "0123456789") != strlen(text))
        return find_stage(graph, text, ret, err);
    errno = 0;
    unsigned long line = strtoul(text, NULL, 10);
    return find_line(graph, errno ? 0 : line, ret, err);
}
