/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/check.h"

#include "base/mem.h"
#include "builder/build_input.h"
#include "builder/context_remote.h"
#include "builder/precheck.h"
#include "builder/ssh_agents.h"

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

static int lint(struct build *build, const struct build_input *input, struct lint_findings *ret,
                struct error **err)
{
    const struct build_options *options = build->options;
    AUTO(dockerignore_free) struct dockerignore *own = NULL;
    if (!build->context && build_input_read_ignore(build, input, &own, err) < 0)
        return -1;
    const struct lint_options lint_options = {
        .graph = build->graph,
        .ignore = build->context ? context_ignore(build->context) : own,
        .target = options->target,
        .platform = options->platform,
        .all_stages = !options->target,
    };
    return lint_run(&lint_options, ret, err);
}

static int run(struct build *build, struct build_check *ret, struct error **err)
{
    AUTO(build_input_release) struct build_input input = BUILD_INPUT_INIT;
    if (build_input_read(build, &input, err) < 0 || build_parse(build, &input, err) < 0 ||
        precheck_words(build->graph, !build->options->target, err) < 0)
        return -1;
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
    check.globals = build.globals;
    check.graph = build.graph;
    context_free(build.context);
    ssh_agents_release(&build);
    check_options_release(&build.own_check);
    if (status < 0)
        build_check_release(&check);
    else
        *ret = check;
    return status;
}
