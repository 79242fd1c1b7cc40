/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/remote.h"
#include "layers/archive.h"
#include "oci/image.h"
#include "oci/store_tags.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild load [OPTIONS]",
    .summary = "Reads the images of an archive (OCI or docker, any compression) into the store.",
};

struct load {
    struct app *app;
    const struct platform *platform; /* NULL: all that the archive has */
};

/* A single image has to be for the platform, too: what runs elsewhere isn't what was asked for. */
static int choose(const struct load *load, struct descriptor *image, struct error **err)
{
    AUTO(image_release) struct image chosen = { 0 };
    struct store *store = load->app->store;
    if (!load->platform)
        return 0;
    if (image_choose(store, load->platform, image, err) < 0 ||
        image_read(store, image, NULL, &chosen, err) < 0)
        return -1;
    const struct platform *have = &chosen.config.platform;
    if (!have->os || platform_match(load->platform, have) > 0)
        return 0;
    AUTO(strbuf_release) struct strbuf wanted = STRBUF_INIT, text = STRBUF_INIT;
    platform_format(load->platform, &wanted);
    platform_format(have, &text);
    return error_set(err, ERR_NOT_FOUND, "no image for platform %s: it is for %s", wanted.data,
                     text.data);
}

static int loaded(void *data, const struct archive_image *image, struct error **err)
{
    const struct load *load = data;
    struct app *app = load->app;
    AUTO(descriptor_release) struct descriptor chosen = { 0 };
    char digest[DIGEST_TEXT_SIZE];
    descriptor_copy(&chosen, &image->descriptor);
    if (choose(load, &chosen, err) < 0)
        return error_wrap(err, "%s", image->name ? image->name : "an image without a name");
    digest_format(&chosen.digest, digest);
    if (!image->name) {
        if (store_tag_keep(app->store, &chosen, err) < 0)
            return -1;
        printf("Loaded image ID: %s\n", digest);
        return 0;
    }
    AUTO(reference_release) struct reference reference = { 0 };
    if (reference_parse(image->name, &reference, err) < 0)
        return -1;
    reference_default_tag(&reference);
    if (store_tag_set(app->store, &reference, &chosen, err) < 0)
        return -1;
    AUTO(free) char *name = reference_familiar(&reference);
    printf("Loaded image: %s\n", name);
    return 0;
}

int cmd_load(struct app *app, char *const *argv, struct error **err)
{
    const char *input = NULL, *platform_text = NULL;
    bool quiet = false;
    const struct option options[] = {
        OPT_STRING('i', "input", "FILE", &input,
                   "archive to read; standard input where it isn't given"),
        OPT_STRING(0, "platform", "OS/ARCH", &platform_text,
                   "of indexes this image only, by default all that is there"),
        OPT_FLAG('q', "quiet", &quiet, NULL), /* there is no progress to silence */
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 0, 0, err);
    if (parsed <= 0)
        return parsed;
    bool is_stdin = !input || !strcmp(input, "-");
    if (is_stdin && isatty(STDIN_FILENO)) {
        error_set_(err, ERR_USAGE, "no archive: standard input is a terminal");
        error_hint(err, "name a file with -i");
        return -1;
    }
    AUTO(platform_release) struct platform platform = { 0 };
    if (remote_parse_platform(platform_text, &platform, err) < 0 || !app_store(app, err))
        return -1;
    struct load load = { app, platform_text ? &platform : NULL };
    AUTO(close) int fd = is_stdin ? -1 : fs_open(AT_FDCWD, input, O_RDONLY, 0, err);
    if (!is_stdin && fd < 0)
        return -1;
    const char *what = is_stdin ? "standard input" : input;
    struct source *source = source_fd_new(is_stdin ? STDIN_FILENO : fd, false, what);
    if (archive_load(app->store, source, loaded, &load, err) < 0)
        return error_wrap(err, "loading %s", what);
    return 0;
}
