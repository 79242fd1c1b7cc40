/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Dockerfile parses or gives an error with a message; what parses keeps the invariants of
 * dockerfile.h, and is planned and checked as far as that needs neither disk nor network.
 */
#include "builder/chmod_spec.h"
#include "builder/lint.h"
#include "builder/outline.h"
#include "builder/precheck.h"
#include "builder/words.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A trigger must parse again from what the image stores. */
static void check_trigger(const struct dockerfile *dockerfile,
                          const struct instruction *instruction)
{
    AUTO(instruction_free) struct instruction *again = NULL;
    AUTO(error_free) struct error *err = NULL;
    (void)!instruction_parse_trigger(instruction->onbuild.text, dockerfile->escape, &again, &err);
}

static void check_mounts(const struct dockerfile *dockerfile, const struct run_body *run)
{
    AUTO(env_release) struct env env = ENV_INIT;
    env_set(&env, "A", "1");
    const struct words_expander expander = { .escape = dockerfile->escape,
                                             .lookup = words_lookup_env,
                                             .context = &env };
    for (size_t i = 0; i < run->mount_specs.n; i++) {
        AUTO(run_mount_release) struct run_mount mount = { 0 };
        AUTO(error_free) struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        if (run_mount_parse(run->mount_specs.items[i], &expander, &mount, &err) < 0)
            continue;
        if (mount.unexpanded)
            abort();
        run_mount_format(&mount, &text);
    }
}

static void check_mode(const struct copy_body *copy)
{
    AUTO(chmod_spec_release) struct chmod_spec spec = { 0 };
    AUTO(error_free) struct error *err = NULL;
    if (copy->chmod && chmod_spec_parse(copy->chmod, &spec, &err) == 0 &&
        (chmod_spec_apply(&spec, 0644, false) | chmod_spec_apply(&spec, 01755, true)) > 07777)
        abort();
}

static void check_instruction(const struct dockerfile *dockerfile,
                              const struct instruction *instruction)
{
    if (instruction->kind == INSTRUCTION_ONBUILD)
        check_trigger(dockerfile, instruction);
    if (instruction->kind == INSTRUCTION_RUN)
        check_mounts(dockerfile, &instruction->run);
    if (instruction->kind == INSTRUCTION_COPY || instruction->kind == INSTRUCTION_ADD)
        check_mode(&instruction->copy);
    AUTO(free) char *text = instruction_format_full(instruction);
}

static void check_invariants(const struct dockerfile *dockerfile)
{
    size_t last = 0;
    if (!dockerfile->n_stages)
        abort();
    for (size_t i = 0; i < dockerfile->n_instructions; i++) {
        const struct instruction *instruction = &dockerfile->instructions[i];
        if (instruction->range.first <= last || instruction->range.last < instruction->range.first)
            abort();
        last = instruction->range.last;
        if (i < dockerfile->stages[0].from && instruction->kind != INSTRUCTION_ARG)
            abort();
        check_instruction(dockerfile, instruction);
    }
    if (last > dockerfile->source->n_lines)
        abort();
}

static void lint(const struct stage_graph *graph)
{
    AUTO(lint_findings_release) struct lint_findings findings = { 0 };
    AUTO(error_free) struct error *err = NULL;
    const struct lint_options options = { .graph = graph, .all_stages = true };
    if (lint_run(&options, &findings, &err) < 0)
        return;
    for (size_t i = 0; i < findings.n_items; i++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        lint_format_long(graph->dockerfile, &findings.items[i], &text);
        AUTO(free) char *line = lint_format_short(graph->dockerfile, &findings.items[i]);
    }
}

static void plan(const struct dockerfile *dockerfile)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(globals_free) struct globals *globals = globals_new(dockerfile, NULL, NULL, NULL, &err);
    if (!globals)
        return;
    AUTO(strvec_release) struct strvec contexts = STRVEC_INIT;
    strvec_push(&contexts, "ctx=dir");
    strvec_push(&contexts, "img::linux/amd64=docker-image://busybox");
    AUTO(stage_graph_free)
    struct stage_graph *graph = stage_graph_new(dockerfile, globals, &contexts, NULL, &err);
    if (!graph)
        return;
    for (size_t i = 0; i < graph->n_stages; i++)
        for (size_t j = 0; j < graph->stages[i].n_needs; j++)
            if (graph->stages[i].needs[j] >= i)
                abort();
    AUTO(outline_release) struct outline outline = { 0 };
    outline_of(graph, &outline);
    lint(graph);
    (void)!precheck_words(graph, true, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(dockerfile_free) struct dockerfile *dockerfile = NULL;
    AUTO(error_free) struct error *err = NULL;
    if (dockerfile_parse("Dockerfile", (const char *)data, size, &dockerfile, &err) < 0) {
        if (!*error_message(err))
            abort();
        return 0;
    }
    check_invariants(dockerfile);
    plan(dockerfile);
    return 0;
}
