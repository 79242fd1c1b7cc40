/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of an image as bytes: a blob by its digest, the config. */
#include "base/mem.h"
#include "base/output_file.h"
#include "base/sha256.h"
#include "cli/remote.h"

#include <stdio.h>

static const struct command_help blob_help = {
    .usage = "cbuild blob [OPTIONS] REPOSITORY@DIGEST",
    .summary = "Writes a blob of a registry to standard output, verified as it passes.",
    .more = "The status isn't 0 where the content has another digest; a file of -o isn't written "
            "then.",
};

static const struct command_help config_help = {
    .usage = "cbuild config [OPTIONS] IMAGE",
    .summary = "Prints an image's config, byte for byte.",
    .more = "IMAGE is a registry's, or with a transport, as `cbuild copy` has them.",
};

static int write_blob(void *data, struct sink *to, struct error **err)
{
    struct place *place = data;
    struct transport *from = place->transport;
    struct descriptor blob = { .digest = place->name.reference.digest, .size = UINT64_MAX };
    uint8_t hash[SHA256_SIZE];
    uint64_t size = 0;
    AUTO(sink_free) struct sink *sink = sink_sha256_new(sink_borrow_new(to), hash, &size);
    if (from->ops->read_blob(from, &blob, 0, blob.size, sink, err) < 0 ||
        sink_finish(sink, err) < 0)
        return -1;
    blob.size = size; /* nobody said which it has */
    return transport_check(&blob, hash, size, err);
}

int cmd_blob(struct app *app, char *const *argv, struct error **err)
{
    const char *output = NULL;
    AUTO(place_release) struct place place = PLACE_INIT;
    const struct option options[] = {
        OPT_STRING('o', "output", "FILE", &output, "file to write instead"),
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &blob_help, argv, &operands, 1, 1, err);
    if (parsed <= 0)
        return parsed;
    if (remote_open(app, operands.items[0], &place, err) < 0)
        return -1;
    if (!place.name.reference.digest.is_set)
        return error_set(err, ERR_USAGE, "%s: a blob is named by its digest: REPOSITORY@sha256:...",
                         operands.items[0]);
    if (output_file_write(output, write_blob, &place, err) < 0)
        return error_wrap(err, "blob %s", operands.items[0]);
    return 0;
}

int cmd_config(struct app *app, char *const *argv, struct error **err)
{
    const char *platform_text = NULL, *format = NULL;
    AUTO(place_release) struct place place = PLACE_INIT;
    const struct option options[] = {
        OPT_STRING(0, "platform", "OS/ARCH", &platform_text,
                   "of an index this image's, by default this machine's"),
        OPT_STRING(0, "format", "FORMAT", &format, "raw, json, pretty or a template"),
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &config_help, argv, &operands, 1, 1, err);
    if (parsed <= 0)
        return parsed;
    AUTO(platform_release) struct platform platform = { 0 };
    AUTO(document_release) struct document document = DOCUMENT_INIT;
    AUTO(strbuf_release) struct strbuf config = STRBUF_INIT;
    if (remote_parse_platform(platform_text, &platform, err) < 0)
        return -1;
    if (place_open(app, operands.items[0], &place, err) < 0 ||
        remote_get(&place, &platform, REMOTE_IMAGE, &document, err) < 0 ||
        remote_get_config(&place, &document, &config, err) < 0)
        return error_wrap(err, "config of %s", operands.items[0]);
    return remote_print(&config, format, err);
}
