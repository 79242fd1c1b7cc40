/* SPDX-License-Identifier: Apache-2.0 */
/* buildx's `imagetools`: looking at images of registries. */
#include "cli/manifest_report.h"

#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild [buildx] imagetools inspect [OPTIONS] IMAGE",
    .summary = "Shows an image of a registry, of an index all its images.",
    .more = "IMAGE may have a transport, as `cbuild copy` has them. A template gets .Name, "
            ".Manifest (.MediaType .Digest .Size, of an index .Manifests) and .Image (the config; "
            "of an index one for each platform).",
};

static int print(struct place *place, const char *name, const struct document *document,
                 const char *format, struct error **err)
{
    if (format) {
        AUTO(json_decref) json_t *value = NULL;
        if (manifest_report_value(place, name, document, &value, err) < 0)
            return -1;
        return remote_print_value(value, format, err);
    }
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (manifest_report_text(place, name, document, &text, err) < 0)
        return -1;
    return remote_print(&text, NULL, err);
}

static int inspect(struct app *app, char *const *argv, struct error **err)
{
    const char *format = NULL;
    bool raw = false;
    AUTO(place_release) struct place place = PLACE_INIT;
    const struct option options[] = {
        OPT_STRING(0, "format", "FORMAT", &format, "json or a template"),
        OPT_FLAG(0, "raw", &raw, "the manifest or index, byte for byte"),
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    AUTO(document_release) struct document document = DOCUMENT_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 1, 1, err);
    if (parsed <= 0)
        return parsed;
    if (raw && format)
        return error_set(err, ERR_USAGE, "--raw and --format exclude each other");
    const char *name = operands.items[0];
    if (place_open(app, name, &place, err) < 0 ||
        remote_get(&place, NULL, REMOTE_AS_IT_IS, &document, err) < 0 ||
        (!raw && print(&place, name, &document, format, err) < 0))
        return error_wrap(err, "inspecting %s", name);
    return raw ? remote_print(&document.body, NULL, err) : 0;
}

int cmd_imagetools(struct app *app, char *const *argv, struct error **err)
{
    if (argv[1] && !strcmp(argv[1], "inspect"))
        return inspect(app, argv + 1, err);
    if (argv[1] && !strcmp(argv[1], "--help"))
        return inspect(app, argv, err);
    error_set_(err, ERR_USAGE, "imagetools %s: inspect is what there is", argv[1] ? argv[1] : "");
    error_hint(err, "`cbuild manifest create` makes an index of images, `manifest push` sends it");
    return -1;
}
