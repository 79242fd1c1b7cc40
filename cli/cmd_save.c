/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/mem.h"
#include "base/output_file.h"
#include "cli/app.h"
#include "cli/remote.h"
#include "layers/archive.h"
#include "oci/image.h"
#include "oci/store_tags.h"

#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild save [OPTIONS] IMAGE...",
    .summary = "Writes images to an archive, by default one that is both an OCI layout and a "
               "docker archive.",
};

struct save {
    struct store *store;
    enum archive_format format;
    struct archive_images *images;
};

/* platform NULL: all */
static int add_image(struct app *app, struct archive_images *images, const char *text,
                     const struct platform *platform, struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    struct archive_image *image = ARRAY_PUSH(images, images);
    if (store_resolve(app->store, text, &image->descriptor, &reference, err) < 0)
        return -1;
    if (platform && image_choose(app->store, platform, &image->descriptor, err) < 0)
        return error_wrap(err, "%s", text);
    if (reference.path && reference.tag && !reference.digest.is_set)
        image->name = reference_format(&reference);
    return 0;
}

static int write_archive(void *data, struct sink *to, struct error **err)
{
    const struct save *save = data;
    return archive_save(save->store, save->images->images, save->images->n_images, save->format, to,
                        err);
}

int cmd_save(struct app *app, char *const *argv, struct error **err)
{
    const char *output = NULL, *format_text = NULL, *platform_text = NULL;
    const struct option options[] = {
        OPT_STRING('o', "output", "FILE", &output,
                   "file to write; standard output where it isn't given"),
        OPT_STRING(0, "format", "FORMAT", &format_text,
                   "only an OCI layout (oci) or only a docker archive (docker)"),
        OPT_STRING(0, "platform", "OS/ARCH", &platform_text,
                   "of indexes this image only, by default all that is there"),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 1, SIZE_MAX, err);
    if (parsed <= 0)
        return parsed;
    enum archive_format format = ARCHIVE_BOTH;
    if (format_text && (!strcmp(format_text, "oci") || !strcmp(format_text, "oci-archive")))
        format = ARCHIVE_OCI;
    else if (format_text &&
             (!strcmp(format_text, "docker") || !strcmp(format_text, "docker-archive")))
        format = ARCHIVE_DOCKER;
    else if (format_text)
        return error_set(err, ERR_USAGE, "--format=%s: oci and docker are what there is",
                         format_text);
    if (!output && isatty(STDOUT_FILENO)) {
        error_set_(err, ERR_USAGE, "an archive isn't written to a terminal");
        error_hint(err, "name a file with -o, or redirect the output");
        return -1;
    }
    AUTO(platform_release) struct platform platform = { 0 };
    if (remote_parse_platform(platform_text, &platform, err) < 0 || !app_store(app, err))
        return -1;
    AUTO(archive_images_release) struct archive_images images = { .images = NULL };
    for (size_t i = 0; i < operands.n; i++)
        if (add_image(app, &images, operands.items[i], platform_text ? &platform : NULL, err) < 0)
            return -1;
    struct save save = { app->store, format, &images };
    if (output_file_write(output, write_archive, &save, err) == 0)
        return 0;
    if (error_is(*err, ERR_NOT_FOUND) && !error_hint_text(*err) && format != ARCHIVE_OCI)
        error_hint(err, "a docker archive holds one platform: name it with --platform; --format "
                        "oci holds all");
    return -1;
}
