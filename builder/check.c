/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/check.h"

#include "base/mem.h"
#include "builder/build_input.h"
#include "builder/context_remote.h"
#include "builder/executor.h"
#include "builder/lint_bases.h"
#include "builder/precheck.h"
#include "builder/ssh_agents.h"
#include "oci/image.h"

#include <string.h>

void build_check_release(struct build_check *check)
{
    lint_findings_release(&check->findings);
    stage_graph_free(check->graph);
    globals_free(check->globals);
    dockerfile_free(check->dockerfile);
}

bool build_check_needs_store(const struct build_options *options)
{
    const char *file = options->dockerfile;
    return (strcmp(options->context, "-") != 0 &&
            context_place_kind(options->context) != PLACE_DIRECTORY) ||
           (file && context_place_kind(file) == PLACE_HTTP);
}

/* --- the checks ------------------------------------------------------------------------------ */

static int lint_target(struct build *build, const struct build_target *target,
                       const struct dockerignore *ignore, struct lint_findings *ret,
                       struct error **err)
{
    const struct build_options *options = build->options;
    AUTO(lint_findings_release) struct lint_findings findings = { 0 };
    AUTO(lint_bases_release) struct lint_bases bases = { .store = NULL };
    lint_bases_init(&bases, build->store, target->graph);
    const struct lint_options lint_options = {
        .graph = target->graph,
        .ignore = ignore,
        .target = options->target,
        .platform = &target->globals->target_platform,
        .all_stages = !options->target,
        .checking = true,
        .base_config = lint_bases_config,
        .data = &bases,
    };
    if (lint_run(&lint_options, &findings, err) < 0)
        return -1;
    lint_findings_join(ret, &findings);
    return 0;
}

static int lint(struct build *build, const struct build_input *input, struct lint_findings *ret,
                struct error **err)
{
    AUTO(dockerignore_free) struct dockerignore *own = NULL;
    if (!build->context && build_input_read_ignore(build, input, &own, err) < 0)
        return -1;
    const struct dockerignore *ignore = build->context ? context_ignore(build->context) : own;
    for (size_t i = 0; i < build->n_targets; i++)
        if (lint_target(build, &build->targets[i], ignore, ret, err) < 0)
            return i ? target_wrap(&build->targets[i], build, err) : -1;
    return 0;
}

static int run(struct build *build, struct build_check *ret, struct error **err)
{
    AUTO(build_input_release) struct build_input input = BUILD_INPUT_INIT;
    if (build_input_read(build, &input, err) < 0 || build_parse(build, &input, err) < 0)
        return -1;
    for (size_t i = 0; i < build->n_targets; i++)
        if (precheck_words(build->targets[i].graph, !build->options->target, err) < 0)
            return i ? target_wrap(&build->targets[i], build, err) : -1;
    return lint(build, &input, &ret->findings, err);
}

int build_check_run(struct store *store, struct registry_session *session,
                    const struct build_options *options, struct build_check *ret,
                    struct error **err)
{
    struct build_result result = { 0 };
    struct build build = {
        .store = store, .session = session, .options = options, .result = &result
    };
    struct build_check check = { 0 };
    int status = run(&build, &check, err);
    check.dockerfile = build.dockerfile;
    if (build.n_targets) { /* what is told of the Dockerfile is told of the first platform's */
        check.globals = TAKE(build.targets[0].globals);
        check.graph = TAKE(build.targets[0].graph);
    }
    targets_release(&build);
    context_free(build.context);
    ssh_agents_release(&build);
    check_options_release(&build.own_check);
    if (status < 0)
        build_check_release(&check);
    else
        *ret = check;
    return status;
}
