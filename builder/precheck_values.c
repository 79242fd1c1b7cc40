/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/precheck_values.h"

#include "base/mem.h"
#include "builder/copy_remote.h"
#include "builder/values.h"
#include "builder/words.h"
#include "oci/reference.h"

#include <string.h>

/* The value of a word that holds no variable; else NULL. */
static char *constant(const struct stage_graph *graph, const char *word)
{
    struct words_expander expander = { .escape = graph->dockerfile->escape };
    AUTO(error_free) struct error *ignored = NULL; /* of the word itself others tell */
    char *value = NULL;
    if (strchr(word, '$') || words_expand(&expander, word, &value, &ignored) < 0)
        return NULL;
    return value;
}

/* False: one of them isn't constant. */
static bool constants(const struct stage_graph *graph, const struct strvec *words,
                      struct strvec *ret)
{
    for (size_t i = 0; i < words->n; i++) {
        AUTO(free) char *value = constant(graph, words->items[i]);
        if (!value)
            return false;
        strvec_push(ret, value);
    }
    return true;
}

/* --- images ---------------------------------------------------------------------------------- */

static int check_reference(const struct stage_graph *graph, const struct stage *stage,
                           const char *name, struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    if (reference_parse(name, &reference, err) == 0)
        return 0;
    AUTO(free) char *near = stage_graph_suggestion(graph, name, stage->index);
    if (*near) /* " (did you mean the stage ...?)" */
        error_hint(err, "%.*s", (int)strlen(near) - 3, near + 2);
    return -1;
}

int precheck_base(const struct stage_graph *graph, const struct stage *stage, struct error **err)
{
    return stage->base.kind == STAGE_SOURCE_IMAGE
               ? check_reference(graph, stage, stage->base.name, err)
               : 0;
}

static int check_from(const struct stage_graph *graph, const struct stage *stage, const char *from,
                      struct error **err)
{
    AUTO(stage_source_release) struct stage_source source = { 0 };
    if (stage_graph_resolve(graph, from, stage->index, &source, err) < 0)
        return -1;
    if (source.kind == STAGE_SOURCE_IMAGE && check_reference(graph, stage, source.name, err) < 0)
        return error_wrap(err, "from=%s", from);
    return 0;
}

/* --- COPY and ADD ---------------------------------------------------------------------------- */

static int check_source(const struct stage_graph *graph, const struct instruction *instruction,
                        const char *word, struct error **err)
{
    const struct copy_body *copy = &instruction->copy;
    AUTO(free) char *source = constant(graph, word);
    if (!source)
        return 0;
    if (copy_check_source(instruction->kind, source, err) < 0)
        return -1;
    AUTO(free) char *destination = constant(graph, copy->destination);
    if (!destination || copy_source_kind(source) != COPY_SOURCE_HTTP)
        return 0;
    return copy_check_url_name(source, destination, err);
}

static int check_copy(const struct stage_graph *graph, const struct stage *stage,
                      const struct instruction *instruction, struct error **err)
{
    const struct copy_body *copy = &instruction->copy;
    if (copy->from && *copy->from && check_from(graph, stage, copy->from, err) < 0)
        return error_wrap(err, "COPY");
    for (size_t i = 0; i < copy->sources.n; i++)
        if (check_source(graph, instruction, copy->sources.items[i], err) < 0)
            return -1;
    AUTO(free) char *checksum = copy->checksum ? constant(graph, copy->checksum) : NULL;
    AUTO(strvec_release) struct strvec sources = STRVEC_INIT;
    if (!checksum || !constants(graph, &copy->sources, &sources))
        return 0;
    return copy_check_checksum(checksum, &sources, err);
}

/* --- the others ------------------------------------------------------------------------------ */

static int check_run(const struct stage_graph *graph, const struct stage *stage,
                     const struct instruction *run, struct error **err)
{
    for (size_t i = 0; i < run->run.n_mounts; i++)
        if (run->run.mounts[i].from && check_from(graph, stage, run->run.mounts[i].from, err) < 0)
            return error_wrap(err, "RUN --mount");
    return 0;
}

static int check_expose(const struct stage_graph *graph, const struct instruction *expose,
                        struct error **err)
{
    AUTO(strvec_release) struct strvec values = STRVEC_INIT;
    AUTO(strvec_release) struct strvec ports = STRVEC_INIT;
    if (!constants(graph, &expose->words.words, &values))
        return 0;
    for (size_t i = 0; i < values.n; i++)
        words_split_blanks(values.items[i], &ports);
    AUTO(strvec_release) struct strvec exposed = STRVEC_INIT;
    for (size_t i = 0; i < ports.n; i++)
        if (expose_parse(ports.items[i], &exposed, err) < 0)
            return error_wrap(err, "EXPOSE");
    return 0;
}

int precheck_values(const struct stage_graph *graph, const struct stage *stage,
                    const struct instruction *instruction, struct error **err)
{
    switch (instruction->kind) {
    case INSTRUCTION_ADD:
    case INSTRUCTION_COPY:
        return check_copy(graph, stage, instruction, err);
    case INSTRUCTION_RUN:
        return check_run(graph, stage, instruction, err);
    case INSTRUCTION_EXPOSE:
        return check_expose(graph, instruction, err);
    case INSTRUCTION_ARG:
    case INSTRUCTION_CMD:
    case INSTRUCTION_ENTRYPOINT:
    case INSTRUCTION_ENV:
    case INSTRUCTION_FROM:
    case INSTRUCTION_HEALTHCHECK:
    case INSTRUCTION_LABEL:
    case INSTRUCTION_MAINTAINER:
    case INSTRUCTION_ONBUILD:
    case INSTRUCTION_SHELL:
    case INSTRUCTION_STOPSIGNAL:
    case INSTRUCTION_USER:
    case INSTRUCTION_VOLUME:
    case INSTRUCTION_WORKDIR:
        break;
    }
    return 0;
}
