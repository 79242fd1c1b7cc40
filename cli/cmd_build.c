/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/mem.h"
#include "base/output_file.h"
#include "builder/values.h"
#include "cli/build_command.h"
#include "cli/build_outputs.h"
#include "cli/cmd_check.h"
#include "cli/last_build.h"
#include "registry/base64.h"
#include "registry/login.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild [build] [OPTIONS] CONTEXT|URL|-",
    .summary = "Builds an image from a Dockerfile.",
    .more = "CONTEXT is a directory, a git repository (URL[?ref=REF&subdir=DIR] or URL#REF:DIR), "
            "or the URL of a\n"
            "tarball or Dockerfile; \"-\" reads standard input: a tarball, or a Dockerfile, with "
            "no context then.\n"
            "Without -f it is read from Dockerfile, dockerfile or Containerfile there.\n"
            "SOURCE_DATE_EPOCH in the environment, or as --build-arg, fixes the image's times.",
};

/* As buildx writes them, and where: with BUILDX_METADATA_WARNINGS=1. */
static json_t *warnings_json(const struct build_result *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < result->n_warnings; i++) {
        const struct build_warning *warning = &result->warnings[i];
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        base64_encode(&text, warning->text, strlen(warning->text));
        json_t *object = json_object();
        json_set(object, "level", json_integer(1));
        json_set(object, "short", json_from_string(text.data));
        if (warning->line) {
            json_t *line = json_object();
            json_t *range = json_object();
            json_t *ranges = json_array();
            json_set(line, "line", json_integer((json_int_t)warning->line));
            json_set(range, "start", json_deep_copy(line));
            json_set(range, "end", line);
            json_array_append_new(ranges, range);
            json_set(object, "range", ranges);
        }
        json_array_append_new(list, object);
    }
    return list;
}

static int write_metadata(const struct build_command *command, const struct build_result *result,
                          struct error **err)
{
    AUTO(json_decref) json_t *root = json_object();
    char text[DIGEST_TEXT_SIZE];
    if (result->config.is_set) {
        digest_format(&result->config, text);
        json_set(root, "containerimage.config.digest", json_from_string(text));
    }
    digest_format(&result->image.digest, text);
    json_set(root, "containerimage.digest", json_from_string(text));
    /* builder/node/build, as scripts split it: the result names the build */
    AUTO(free) char *ref = xasprintf("cbuild/cbuild/%.25s", strchr(text, ':') + 1);
    json_set(root, "buildx.build.ref", json_from_string(ref));
    const char *with_warnings = getenv("BUILDX_METADATA_WARNINGS");
    bool wanted = false;
    AUTO(error_free) struct error *ignored = NULL; /* buildx takes what it can't read for no */
    if (with_warnings && bool_parse(with_warnings, &wanted, &ignored) == 0 && wanted)
        json_set(root, "buildx.build.warnings", warnings_json(result));
    json_set(root, "containerimage.descriptor", descriptor_to_json(&result->image));
    AUTO(strbuf_release) struct strbuf names = STRBUF_INIT;
    for (size_t i = 0; i < command->n_references; i++) {
        AUTO(free) char *name = reference_format(&command->references[i]);
        strbuf_addf(&names, "%s%s", i ? "," : "", name);
    }
    if (names.size)
        json_set(root, "image.name", json_from_string(names.data));
    AUTO(strbuf_release) struct strbuf json = STRBUF_INIT;
    json_format_pretty(root, &json);
    strbuf_addc(&json, '\n');
    if (output_file_put(command->metadata_file, json.data, json.size, err) < 0)
        return error_wrap(err, "--metadata-file");
    return 0;
}

/* Before the build: a script that doesn't look at its status mustn't find an older image's. */
static int clear_results(const struct build_command *command, struct error **err)
{
    if (command->iidfile && output_file_clear(command->iidfile, err) < 0)
        return error_wrap(err, "--iidfile");
    if (command->metadata_file && output_file_clear(command->metadata_file, err) < 0)
        return error_wrap(err, "--metadata-file");
    return 0;
}

static int write_results(struct app *app, const struct build_command *command,
                         const struct build_result *result, struct error **err)
{
    char id[DIGEST_TEXT_SIZE];
    digest_format(&result->image.digest, id);
    if (command->iidfile && output_file_put(command->iidfile, id, strlen(id), err) < 0)
        return error_wrap(err, "--iidfile");
    if (command->metadata_file && write_metadata(command, result, err) < 0)
        return -1;
    bool is_elsewhere = command->options.push_only;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    for (size_t i = 0; i < command->n_references; i++)
        strvec_take(&names, reference_format(&command->references[i]));
    if (names.n && !is_elsewhere && last_build_write(app->store, app->uid, &names, err) < 0)
        return error_wrap(err, "remembering the tags for push");
    if (command->quiet) {
        printf("%s\n", id);
        return 0;
    }
    progress_note(app->progress, 0, "%s", id);
    for (size_t i = 0; i < names.n; i++)
        progress_note(app->progress, 0, "%s %s", is_elsewhere ? "pushed" : "tagged",
                      names.items[i]);
    return 0;
}

int cmd_build(struct app *app, char *const *argv, struct error **err)
{
    AUTO(build_command_release) struct build_command command = BUILD_COMMAND_INIT;
    int parsed = build_command_parse(app, &help, argv, &command, err);
    if (parsed != 0)
        return parsed < 0 ? -1 : 0;
    struct call call = { .kind = command.check ? CALL_CHECK : CALL_BUILD };
    if (command.call && call_parse(command.call, &call, err) < 0)
        return -1;
    if (call.kind != CALL_BUILD)
        return call_run(app, &call, &command.options, err);
    if (build_outputs_check(&command, err) < 0 || clear_results(&command, err) < 0 ||
        !app_store(app, err) ||
        registry_config_proxies(app_session(app), &command.proxies, err) < 0)
        return -1;
    AUTO(build_result_release) struct build_result result = { 0 };
    if (build_run(app->store, app->session, &command.options, app->progress, &result, err) < 0)
        return -1;
    if (!result.has_image)
        return 0;
    return build_outputs_write(app, &command, &result.image, err) < 0
               ? -1
               : write_results(app, &command, &result, err);
}
