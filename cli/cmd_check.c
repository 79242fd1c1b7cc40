/* SPDX-License-Identifier: Apache-2.0 */
/* build --check and --call: what a Dockerfile says about itself, on stdout. */
#include "cli/cmd_check.h"

#include "base/mem.h"
#include "builder/lint_rules.h"
#include "builder/outline.h"
#include "cli/table.h"
#include "registry/base64.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int call_parse(const char *text, struct call *ret, struct error **err)
{
    static const struct {
        const char *name;
        enum call_kind kind;
    } kinds[] = { { "build", CALL_BUILD },
                  { "check", CALL_CHECK },
                  { "lint", CALL_CHECK },
                  { "outline", CALL_OUTLINE },
                  { "targets", CALL_TARGETS } };
    size_t size = strcspn(text, ",");
    *ret = (struct call){ 0 };
    if (text[size] && !strcmp(text + size, ",format=json"))
        ret->json = true;
    else if (text[size] && strcmp(text + size, ",format=text") != 0)
        return error_set(err, ERR_USAGE, "--call=%s: format=json and format=text may follow", text);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (strlen(kinds[i].name) == size && !strncmp(kinds[i].name, text, size)) {
            ret->kind = kinds[i].kind;
            return 0;
        }
    }
    return error_set(err, ERR_USAGE,
                     "--call=%s: build, check, outline and targets are what there is", text);
}

static json_t *location(struct source_range range)
{
    json_t *ranges = json_array();
    json_t *both = json_object();
    const struct {
        const char *name;
        size_t line;
    } ends[] = { { "start", range.first }, { "end", range.last } };
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        json_t *end = json_object();
        json_set(end, "line", json_integer((json_int_t)ends[i].line));
        json_set(both, ends[i].name, end);
    }
    json_array_append_new(ranges, both);
    json_t *object = json_object();
    json_set(object, "ranges", ranges);
    return object;
}

static void set_text(json_t *object, const char *name, const char *text)
{
    if (text)
        json_set(object, name, json_from_string(text));
}

/* With the Dockerfile in it, in the way that buildx has it: as an object, or its text alone. */
static void print_json(const struct build_check *check, json_t *root, bool with_names)
{
    const struct source_text *text_read = check->dockerfile->source;
    AUTO(strbuf_release) struct strbuf data = STRBUF_INIT;
    base64_encode(&data, text_read->data, text_read->size);
    json_t *sources = json_array();
    if (with_names) {
        json_t *source = json_object();
        set_text(source, "filename", text_read->name);
        set_text(source, "data", data.data);
        set_text(source, "language", "Dockerfile");
        json_array_append_new(sources, source);
    } else {
        json_array_append_new(sources, json_from_string(data.data));
    }
    json_set(root, "sources", sources);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    json_format_pretty(root, &text);
    printf("%s\n", text.data);
}

/* --- check ----------------------------------------------------------------------------------- */

static json_t *finding_json(const struct lint_finding *finding)
{
    json_t *object = json_object();
    const struct lint_rule *rule = lint_rule_find(finding->rule);
    AUTO(free) char *url = rule ? lint_rule_url(rule) : NULL;
    set_text(object, "ruleName", finding->rule);
    set_text(object, "description", rule ? rule->description : NULL);
    set_text(object, "url", url);
    set_text(object, "detail", finding->text);
    set_text(object, "correction", finding->fix);
    json_set(object, "location", location(finding->range));
    return object;
}

static int print_check(const struct build_check *check, bool json, struct error **err)
{
    const struct lint_findings *findings = &check->findings;
    AUTO(json_decref) json_t *root = json_object();
    json_t *warnings = json_array();
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < findings->n_items; i++) {
        json_array_append_new(warnings, finding_json(&findings->items[i]));
        lint_format_long(check->dockerfile, &findings->items[i], &text);
        strbuf_addc(&text, '\n');
    }
    json_set(root, "warnings", warnings);
    if (json)
        print_json(check, root, true);
    else if (findings->n_items)
        printf("%s", text.data);
    else
        printf("Check complete, no warnings found.\n");
    if (!findings->n_items)
        return 0;
    return error_set(err, ERR_CHECKS, "%s: %zu finding%s", check->dockerfile->source->name,
                     findings->n_items, findings->n_items == 1 ? "" : "s");
}

/* --- targets --------------------------------------------------------------------------------- */

static void print_targets(const struct build_check *check, bool json)
{
    const struct stage_graph *graph = check->graph;
    AUTO(json_decref) json_t *root = json_object();
    json_t *targets = json_array();
    AUTO(table_release) struct table table = { .n_columns = 2 };
    strvec_push(&table.cells, "TARGET");
    strvec_push(&table.cells, "DESCRIPTION");
    for (size_t i = 0; i < graph->n_stages; i++) {
        const struct stage *stage = &graph->stages[i];
        bool is_default = i + 1 == graph->n_stages;
        AUTO(free)
        char *description = stage->name ? outline_description(stage->from, stage->name) : NULL;
        json_t *object = json_object();
        set_text(object, "name", stage->name);
        if (is_default)
            json_set(object, "default", json_true());
        set_text(object, "description", description);
        set_text(object, "base", stage->from->from.image);
        set_text(object, "platform", stage->from->from.platform);
        json_set(object, "location", location(stage->from->range));
        json_array_append_new(targets, object);
        if (!stage->name && !is_default)
            continue; /* can't be named */
        strvec_pushf(&table.cells, "%s%s", stage->name ? stage->name : "",
                     is_default ? stage->name ? " (default)" : "(default)" : "");
        strvec_push(&table.cells, description ? description : "");
    }
    json_set(root, "targets", targets);
    if (json)
        print_json(check, root, false);
    else
        table_print(&table);
}

/* --- outline --------------------------------------------------------------------------------- */

static json_t *mounts_json(const struct outline_mounts *mounts)
{
    json_t *list = json_array();
    for (size_t i = 0; i < mounts->n_items; i++) {
        json_t *object = json_object();
        set_text(object, "name", mounts->items[i].id);
        if (mounts->items[i].required)
            json_set(object, "required", json_true());
        json_set(object, "location", location(mounts->items[i].range));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *args_json(const struct outline *outline)
{
    json_t *list = json_array();
    for (size_t i = 0; i < outline->n_args; i++) {
        const struct outline_arg *arg = &outline->args[i];
        AUTO(free)
        char *description =
            arg->description ? xstrndup(arg->description, strcspn(arg->description, "\n")) : NULL;
        json_t *object = json_object();
        set_text(object, "name", arg->name);
        set_text(object, "description", description);
        set_text(object, "value", arg->value);
        json_set(object, "location", location(arg->range));
        json_array_append_new(list, object);
    }
    return list;
}

static void print_args(const struct outline *outline)
{
    AUTO(table_release) struct table table = { .n_columns = 3 };
    strvec_push(&table.cells, "BUILD ARG");
    strvec_push(&table.cells, "VALUE");
    strvec_push(&table.cells, "DESCRIPTION");
    for (size_t i = 0; i < outline->n_args; i++) {
        const struct outline_arg *arg = &outline->args[i];
        strvec_push(&table.cells, arg->name);
        strvec_push(&table.cells, arg->value ? arg->value : "");
        strvec_pushf(&table.cells, "%.*s",
                     arg->description ? (int)strcspn(arg->description, "\n") : 0,
                     arg->description ? arg->description : "");
    }
    printf("\n");
    table_print(&table);
}

static void print_mounts(const char *title, const struct outline_mounts *mounts)
{
    if (!mounts->n_items)
        return;
    AUTO(table_release) struct table table = { .n_columns = 2 };
    strvec_push(&table.cells, title);
    strvec_push(&table.cells, "REQUIRED");
    for (size_t i = 0; i < mounts->n_items; i++) {
        strvec_push(&table.cells, mounts->items[i].id);
        strvec_push(&table.cells, mounts->items[i].required ? "true" : "false");
    }
    printf("\n");
    table_print(&table);
}

static void print_outline(const struct build_check *check, bool json)
{
    const struct stage *target = &check->graph->stages[check->graph->target];
    AUTO(outline_release) struct outline outline = { 0 };
    outline_of(check->graph, &outline);
    AUTO(free)
    char *description = target->name ? outline_description(target->from, target->name) : NULL;
    if (json) {
        AUTO(json_decref) json_t *root = json_object();
        set_text(root, "name", target->name);
        set_text(root, "description", description);
        if (outline.n_args)
            json_set(root, "args", args_json(&outline));
        if (outline.secrets.n_items)
            json_set(root, "secrets", mounts_json(&outline.secrets));
        if (outline.ssh.n_items)
            json_set(root, "ssh", mounts_json(&outline.ssh));
        print_json(check, root, false);
        return;
    }
    printf("TARGET:        %s\n", target->name ? target->name : "default");
    if (description)
        printf("DESCRIPTION:   %s\n", description);
    if (outline.n_args)
        print_args(&outline);
    print_mounts("SECRET", &outline.secrets);
    print_mounts("SSH", &outline.ssh);
}

/* It knows base images. One that isn't there is not made, and one of others not asked for. */
static bool is_store_there(const struct app *app)
{
    AUTO(error_free) struct error *ignored = NULL;
    AUTO(free) char *path = app->root ? xstrdup(app->root) : store_default_path(&ignored);
    return path && access(path, W_OK) == 0;
}

static int get_store(struct app *app, const struct build_options *options, struct error **err)
{
    AUTO(error_free)
    struct error *ignored = NULL; /* an archive on standard input needs it, a Dockerfile doesn't */
    if (!strcmp(options->context, "-") && !app_store(app, &ignored))
        return 0;
    if (!build_check_needs_store(options) && (!is_store_there(app) || !app_store(app, &ignored)))
        return 0;
    return !build_check_needs_store(options) || app_store(app, err) ? 0 : -1;
}

int call_run(struct app *app, const struct call *call, const struct build_options *options,
             struct error **err)
{
    AUTO(build_check_release) struct build_check check = { 0 };
    if (get_store(app, options, err) < 0 ||
        build_check_run(app->store, app_session(app), options, &check, err) < 0)
        return -1;
    switch (call->kind) {
    case CALL_CHECK:
        return print_check(&check, call->json, err);
    case CALL_OUTLINE:
        print_outline(&check, call->json);
        return 0;
    case CALL_TARGETS:
        print_targets(&check, call->json);
        return 0;
    case CALL_BUILD:
        break;
    }
    return 0;
}
