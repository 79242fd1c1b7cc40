/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "cli/app.h"
#include "layers/archive.h"
#include "oci/store_tags.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild import [OPTIONS] FILE|- [NAME[:TAG]]",
    .summary = "Makes an image of one layer from a root file system tar (any compression).",
    .more = "SOURCE_DATE_EPOCH in the environment is the image's creation time.",
};

static int creation_time(int64_t *ret, struct error **err)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    *ret = clock_now();
    if (epoch && *epoch && clock_parse_epoch(epoch, ret, err) < 0) {
        error_recode(err, ERR_USAGE);
        return error_wrap(err, "SOURCE_DATE_EPOCH");
    }
    return 0;
}

static int parse_name(const char *name, struct reference *ret, struct error **err)
{
    if (reference_parse(name, ret, err) < 0) {
        error_recode(err, ERR_USAGE);
        return -1;
    }
    if (ret->digest.is_set)
        return error_set(err, ERR_USAGE, "%s: a digest can't be chosen", name);
    reference_default_tag(ret);
    return 0;
}

/* `name` NULL: the image stays without one. */
static int import(struct app *app, const char *file, struct import_options *options,
                  const struct reference *name, struct error **err)
{
    bool is_stdin = !strcmp(file, "-");
    AUTO(close) int fd = is_stdin ? -1 : fs_open(AT_FDCWD, file, O_RDONLY, 0, err);
    if (!is_stdin && fd < 0)
        return -1;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    struct source *source =
        source_fd_new(is_stdin ? STDIN_FILENO : fd, false, is_stdin ? "standard input" : file);
    if (archive_import(app->store, source, options, &image, err) < 0)
        return error_wrap(err, "importing %s", is_stdin ? "standard input" : file);
    if ((name ? store_tag_set(app->store, name, &image, err)
              : store_tag_keep(app->store, &image, err)) < 0)
        return -1;
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&image.digest, digest);
    printf("%s\n", digest);
    return 0;
}

int cmd_import(struct app *app, char *const *argv, struct error **err)
{
    const char *message = NULL, *platform_text = NULL, *compression = NULL;
    struct import_options import_options = { 0 };
    const struct option options[] = {
        OPT_STRING('m', "message", "TEXT", &message, "comment of the history entry"),
        OPT_STRING(0, "platform", "OS/ARCH", &platform_text, "platform of the image"),
        OPT_STRING(0, "compression", "CODEC", &compression,
                   "of the layer: gzip[:1-12], zstd[:1-19], uncompressed"),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 1, 2, err);
    if (parsed <= 0)
        return parsed;
    AUTO(platform_release) struct platform platform = { 0 };
    AUTO(reference_release) struct reference name = { 0 };
    if (operands.n > 1 && parse_name(operands.items[1], &name, err) < 0)
        return -1;
    if ((platform_text && platform_parse(platform_text, &platform, err) < 0) ||
        (compression && compression_parse(compression, &import_options.compression, err) < 0)) {
        error_recode(err, ERR_USAGE);
        return -1;
    }
    if (creation_time(&import_options.created, err) < 0 || !app_store(app, err))
        return -1;
    import_options.message = message;
    import_options.platform = platform_text ? &platform : NULL;
    return import(app, operands.items[0], &import_options, operands.n > 1 ? &name : NULL, err);
}
