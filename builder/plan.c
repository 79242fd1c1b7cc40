/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the text of a Dockerfile to what the executor works on, and the checks of it. Nothing here
 * costs network: mistakes come out before a base image is asked for.
 */
#include "base/array.h"
#include "base/mem.h"
#include "builder/build_args.h"
#include "builder/build_input.h"
#include "builder/executor.h"
#include "builder/lint.h"
#include "builder/lint_bases.h"
#include "builder/precheck.h"

#include <string.h>
#include <strings.h>

int build_parse(struct build *build, const struct build_input *input, struct error **err)
{
    if (build_args_check(build, err) < 0 ||
        dockerfile_parse_as(input->name, input->text.data, input->text.size,
                            build_args_syntax(build), &build->dockerfile, err) < 0)
        return -1;
    return targets_init(build, err);
}

static void warn_unknown_filters(struct build *build)
{
    const struct strvec *names = build->options->no_cache_stages;
    for (size_t i = 0; names && i < names->n; i++) {
        bool known = false;
        for (size_t j = 0; j < build->graph->n_stages && !known; j++)
            known = build->graph->stages[j].name &&
                    strcasecmp(names->items[i], build->graph->stages[j].name) == 0;
        if (known)
            continue;
        AUTO(free)
        char *near = stage_graph_suggestion(build->graph, names->items[i], build->graph->n_stages);
        build_warn(build, NULL, NULL, "--no-cache-filter %s: no stage of that name%s",
                   names->items[i], near);
    }
}

/* Nothing but what leads there is needed. */
static int find_shell_point(struct build *build, struct error **err)
{
    const char *text = build->options->shell_at;
    if (build->n_targets > 1)
        return error_set(err, ERR_USAGE,
                         "--shell-at=%s: a build for several platforms has no such "
                         "place",
                         text);
    if (shell_point_find(build->graph, text, &build->shell_point, err) < 0)
        return error_wrap(err, "--shell-at=%s", text);
    stage_graph_aim(build->targets[0].graph, build->shell_point.stage);
    return 0;
}

int build_plan(struct build *build, const struct build_input *input, struct error **err)
{
    if (build_parse(build, input, err) < 0)
        return -1;
    for (size_t i = 0; i < build->n_targets; i++)
        if (precheck_words(build->targets[i].graph, false, err) < 0 ||
            (!build->forecast && precheck_layers(build->targets[i].graph, err) < 0))
            return i ? target_wrap(&build->targets[i], build, err) : -1;
    if (build->options->shell_at && find_shell_point(build, err) < 0)
        return -1;
    build_args_warn(build);
    warn_unknown_filters(build);
    targets_init_runs(build);
    return 0;
}

/* --- the checks ------------------------------------------------------------------------------ */

/* Of a stage that ran, or runs: what its base is has been found out. */
static const struct image_config *base_config(void *data, const struct stage *stage)
{
    const struct build_target *target = data;
    const struct stage_run *run = &target->runs[stage->index];
    return run->done && run->base ? &run->base->config : NULL;
}

/* Of a platform: before anything ran, of bases is known what the store has. */
static int lint_target(struct build *build, struct build_target *target, bool is_before,
                       struct lint_findings *ret, struct error **err)
{
    AUTO(lint_bases_release) struct lint_bases bases = { .store = NULL };
    AUTO(lint_findings_release) struct lint_findings findings = { 0 };
    lint_bases_init(&bases, build->store, target->graph);
    const struct lint_options options = {
        .graph = target->graph,
        .ignore = context_ignore(build->context),
        .target = build->options->target,
        .platform = &target->globals->target_platform,
        .base_config = is_before ? lint_bases_config : base_config,
        .data = is_before ? (void *)&bases : (void *)target,
    };
    if (lint_run(&options, &findings, err) < 0)
        return -1;
    lint_findings_join(ret, &findings);
    return 0;
}

/* Of all platforms: what is found for several is told once. */
static int lint(struct build *build, bool is_before, struct lint_findings *ret, struct error **err)
{
    for (size_t i = 0; i < build->n_targets; i++)
        if (lint_target(build, &build->targets[i], is_before, ret, err) < 0)
            return -1;
    return 0;
}

static int refuse(const struct build *build, const struct lint_findings *findings,
                  struct error **err)
{
    AUTO(strbuf_release) struct strbuf detail = STRBUF_INIT;
    for (size_t i = 0; i < findings->n_items; i++)
        lint_format_long(build->dockerfile, &findings->items[i], &detail);
    error_set_(err, ERR_CHECKS, "%s: %zu finding%s of the build checks, with error=true",
               build->dockerfile->source->name, findings->n_items,
               findings->n_items == 1 ? "" : "s");
    error_detail(err, "%s", detail.data);
    return -1;
}

int build_lint_before(struct build *build, struct error **err)
{
    if (!build->check->error)
        return 0;
    AUTO(lint_findings_release) struct lint_findings findings = { 0 };
    if (lint(build, true, &findings, err) < 0)
        return -1;
    return findings.n_items ? refuse(build, &findings, err) : 0;
}

int build_lint_after(struct build *build, struct error **err)
{
    AUTO(lint_findings_release) struct lint_findings findings = { 0 };
    if (lint(build, false, &findings, err) < 0)
        return -1;
    if (build->check->error && findings.n_items)
        return refuse(build, &findings, err);
    for (size_t i = 0; i < findings.n_items; i++) {
        const struct lint_finding *finding = &findings.items[i];
        if (!strcmp(finding->rule, "InvalidBaseImagePlatform")) /* was said when it was found */
            continue;
        struct instruction at = { .range = finding->range };
        AUTO(free) char *fix = finding->fix ? xasprintf(" (%s)", finding->fix) : xstrdup("");
        build_warn(build, &at, finding->rule, "%s: %s%s", finding->rule, finding->text, fix);
    }
    return 0;
}
