/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/app.h"
#include "layers/archive.h"
#include "oci/store_tags.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild load [OPTIONS]",
    .summary = "Reads the images of an archive (OCI or docker, any compression) into the store.",
};

static int loaded(void *data, const struct archive_image *image, struct error **err)
{
    struct app *app = data;
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&image->descriptor.digest, digest);
    if (!image->name) {
        if (store_tag_keep(app->store, &image->descriptor, err) < 0)
            return -1;
        printf("Loaded image ID: %s\n", digest);
        return 0;
    }
    AUTO(reference_release) struct reference reference = { 0 };
    if (reference_parse(image->name, &reference, err) < 0)
        return -1;
    reference_default_tag(&reference);
    if (store_tag_set(app->store, &reference, &image->descriptor, err) < 0)
        return -1;
    AUTO(free) char *name = reference_familiar(&reference);
    printf("Loaded image: %s\n", name);
    return 0;
}

int cmd_load(struct app *app, char *const *argv, struct error **err)
{
    const char *input = NULL;
    bool quiet = false;
    const struct option options[] = {
        OPT_STRING('i', "input", "FILE", &input,
                   "archive to read; standard input where it isn't given"),
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
    if (!app_store(app, err))
        return -1;
    AUTO(close) int fd = is_stdin ? -1 : fs_open(AT_FDCWD, input, O_RDONLY, 0, err);
    if (!is_stdin && fd < 0)
        return -1;
    const char *what = is_stdin ? "standard input" : input;
    struct source *source = source_fd_new(is_stdin ? STDIN_FILENO : fd, false, what);
    if (archive_load(app->store, source, loaded, app, err) < 0)
        return error_wrap(err, "loading %s", what);
    return 0;
}
