/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/tempfile.h"
#include "cli/app.h"
#include "layers/archive.h"
#include "oci/store_tags.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild save [OPTIONS] IMAGE...",
    .summary = "Writes images to an archive, by default one that is both an OCI layout and a "
               "docker archive.",
};

struct images {
    struct archive_image *images;
    size_t n_images, images_capacity;
};

static void images_release(struct images *images)
{
    for (size_t i = 0; i < images->n_images; i++) {
        descriptor_release(&images->images[i].descriptor);
        free(images->images[i].name);
    }
    free(images->images);
}
DEFINE_AUTO_STRUCT(struct images, images_release)

static int add_image(struct app *app, struct images *images, const char *text, struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    struct archive_image *image = ARRAY_PUSH(images, images);
    if (store_resolve(app->store, text, &image->descriptor, &reference, err) < 0)
        return -1;
    if (reference.path && reference.tag && !reference.digest.is_set)
        image->name = reference_format(&reference);
    return 0;
}

static int write_to(struct app *app, const struct images *images, enum archive_format format,
                    int fd, const char *what, struct error **err)
{
    AUTO(sink_free) struct sink *sink = sink_fd_new(fd, what);
    if (archive_save(app->store, images->images, images->n_images, format, sink, err) < 0)
        return -1;
    return sink_finish(sink, err);
}

/* A file appears under its name only complete; a pipe or device is written as it is. */
static int write_file(struct app *app, const struct images *images, enum archive_format format,
                      const char *path, struct error **err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        AUTO(close) int fd = fs_open(AT_FDCWD, path, O_WRONLY, 0, err);
        return fd < 0 ? -1 : write_to(app, images, format, fd, path, err);
    }
    AUTO(free) char *directory = path_dir(path);
    AUTO(close)
    int dir_fd = fs_open(AT_FDCWD,
                         *directory     ? directory
                         : *path == '/' ? "/"
                                        : ".",
                         O_RDONLY | O_DIRECTORY, 0, err);
    if (dir_fd < 0)
        return -1;
    AUTO(tempfile_free) struct tempfile *file = tempfile_new(dir_fd, ".cbuild-save", err);
    if (!file || write_to(app, images, format, tempfile_fd(file), path, err) < 0)
        return -1;
    mode_t mask = umask(0);
    (void)umask(mask);
    (void)fchmod(tempfile_fd(file), 0666 & ~mask);
    return tempfile_commit(file, dir_fd, path_base(path), err);
}

int cmd_save(struct app *app, char *const *argv, struct error **err)
{
    const char *output = NULL, *format_text = NULL;
    const struct option options[] = {
        OPT_STRING('o', "output", "FILE", &output,
                   "file to write; standard output where it isn't given"),
        OPT_STRING(0, "format", "FORMAT", &format_text,
                   "only an OCI layout (oci) or only a docker archive (docker)"),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse(options, &help, argv, &operands, err);
    if (parsed != 0)
        return parsed < 0 ? -1 : 0;
    enum archive_format format = ARCHIVE_BOTH;
    if (format_text && (!strcmp(format_text, "oci") || !strcmp(format_text, "oci-archive")))
        format = ARCHIVE_OCI;
    else if (format_text &&
             (!strcmp(format_text, "docker") || !strcmp(format_text, "docker-archive")))
        format = ARCHIVE_DOCKER;
    else if (format_text)
        return error_set(err, ERR_USAGE, "--format=%s: oci and docker are what there is",
                         format_text);
    if (options_check_operands(&help, &operands, 1, SIZE_MAX, err) < 0)
        return -1;
    if (!output && isatty(STDOUT_FILENO)) {
        error_set_(err, ERR_USAGE, "an archive isn't written to a terminal");
        error_hint(err, "name a file with -o, or redirect the output");
        return -1;
    }
    if (!app_store(app, err))
        return -1;
    AUTO(images_release) struct images images = { 0 };
    for (size_t i = 0; i < operands.n; i++)
        if (add_image(app, &images, operands.items[i], err) < 0)
            return -1;
    if (output && strcmp(output, "-") != 0)
        return write_file(app, &images, format, output, err);
    return write_to(app, &images, format, STDOUT_FILENO, "standard output", err);
}
