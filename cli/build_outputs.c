/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build_outputs.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/hashmap.h"
#include "base/mem.h"
#include "base/output_file.h"
#include "cli/output_delete.h"
#include "layers/apply.h"
#include "layers/archive.h"
#include "layers/export.h"
#include "oci/image.h"
#include "oci/index.h"
#include "oci/media_type.h"
#include "oci/transport_layout.h"
#include "oci/transport_store.h"
#include "registry/image_copy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_stdout(const struct output_value *output)
{
    return output->kind != OUTPUT_IMAGE && (!output->dest || strcmp(output->dest, "-") == 0);
}

static struct output_delete deletion_of(const struct build_command *command,
                                        const struct output_value *output)
{
    /* a URL or "-" is no directory, and holds nothing */
    return (struct output_delete){ .dest = output->dest,
                                   .context = command->options.context,
                                   .is_allowed =
                                       command->options.allow & BUILD_ALLOW_LOCAL_DELETE };
}

static int check_deletion(const struct build_command *command, const struct output_value *output,
                          struct error **err)
{
    const struct output_delete wish = deletion_of(command, output);
    if (output->deletes && output_delete_check(&wish, err) < 0)
        return error_wrap(err, "--output %s", output->dest);
    return 0;
}

int build_outputs_check(const struct build_command *command, struct error **err)
{
    size_t n = 0;
    for (size_t i = 0; i < command->n_outputs; i++)
        if (check_deletion(command, &command->outputs[i], err) < 0)
            return -1;
    for (size_t i = 0; i < command->n_outputs; i++)
        n += is_stdout(&command->outputs[i]);
    if (n + command->quiet > 1 && n)
        return error_set(err, ERR_USAGE, "--output: only one thing is written to standard output%s",
                         command->quiet ? ", and with -q that is the digest" : "");
    if (n && isatty(STDOUT_FILENO)) {
        error_set_(err, ERR_USAGE, "--output: an archive isn't written to a terminal");
        error_hint(err, "name a file with dest=, or redirect the output");
        return -1;
    }
    return 0;
}

/* --- archives of images ---------------------------------------------------------------------- */

struct archive_job {
    struct store *store;
    enum archive_format format;
    struct archive_images images;
};

static int write_archive(void *data, struct sink *to, struct error **err)
{
    const struct archive_job *job = data;
    return archive_save(job->store, job->images.images, job->images.n_images, job->format, to, err);
}

static int output_archive(struct app *app, const struct build_command *command,
                          const struct output_value *output, const struct descriptor *image,
                          struct error **err)
{
    struct archive_job job = { .store = app->store,
                               .format =
                                   output->kind == OUTPUT_OCI ? ARCHIVE_OCI : ARCHIVE_DOCKER };
    for (size_t i = 0; i < command->n_references || i == 0; i++) {
        struct archive_image *one = ARRAY_PUSH(&job.images, images);
        descriptor_copy(&one->descriptor, image);
        if (i < command->n_references)
            one->name = reference_format(&command->references[i]);
    }
    int status = output_file_write(output->dest, write_archive, &job, err);
    if (status < 0 && error_is(*err, ERR_NOT_FOUND) && output->kind == OUTPUT_DOCKER)
        error_hint(err, "a docker archive holds one platform, this machine's; type=oci holds all");
    archive_images_release(&job.images);
    return status;
}

/* As a layout in a directory, which others may have images in: under the names' tags */
static int output_layout(struct app *app, const struct build_command *command,
                         const struct output_value *output, const struct descriptor *image,
                         struct error **err)
{
    const struct reference *references = command->references;
    AUTO(strvec_release) struct strvec tags = STRVEC_INIT;
    AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
    for (size_t i = 1; i < command->n_references; i++)
        if (strcmp(references[i].tag, references[0].tag) != 0)
            strvec_push(&tags, references[i].tag);
    AUTO(transport_free) struct transport *from = transport_store_of(app->store, image);
    AUTO(transport_free)
    struct transport *to = transport_layout_create(
        output->dest, command->n_references ? references[0].tag : NULL, err);
    if (!to)
        return -1;
    const struct image_copy_request request = {
        .from = from, .to = to, .preserve_digests = true, .more_tags = &tags
    };
    return image_copy(&request, &result, err);
}

/* --- files of images ------------------------------------------------------------------------- */

/* The images of the result, and whether they are several's. */
struct parts {
    struct index index;
    bool are_platforms;
};

static int read_parts(struct app *app, const struct descriptor *image, struct parts *ret,
                      struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    ret->are_platforms = media_type_kind(image->media_type) == MEDIA_KIND_INDEX;
    if (!ret->are_platforms) {
        descriptor_copy(ARRAY_PUSH(&ret->index, manifests), image);
        return 0;
    }
    if (image_read_document(app->store, image, MANIFEST_MAX_SIZE, &text, err) < 0)
        return -1;
    return index_parse(text.data, text.size, image->media_type, &ret->index, err);
}

/* "linux_arm_v7", as BuildKit calls it; "" where there is no need for a folder. free() it. */
static char *folder_of(const struct parts *parts, const struct output_value *output, size_t i)
{
    AUTO(strbuf_release) struct strbuf name = STRBUF_INIT;
    if (!parts->are_platforms || !output->is_split)
        return xstrdup("");
    platform_format(&parts->index.manifests[i].platform, &name);
    for (char *p = name.data; *p; p++)
        if (*p == '/')
            *p = '_';
    return strbuf_detach(&name);
}

static struct tree *tree_of(struct app *app, const struct descriptor *manifest, struct error **err)
{
    AUTO(image_release) struct image image = { 0 };
    if (image_read(app->store, manifest, &manifest->platform, &image, err) < 0)
        return NULL;
    return export_tree(app->store, &image);
}

struct tar_job {
    struct app *app;
    const struct output_value *output;
    const struct parts *parts;
};

static int write_tar(void *data, struct sink *to, struct error **err)
{
    const struct tar_job *job = data;
    AUTO(tar_writer_free) struct tar_writer *tar = tar_writer_new(to);
    for (size_t i = 0; i < job->parts->index.n_manifests; i++) {
        AUTO(free) char *folder = folder_of(job->parts, job->output, i);
        AUTO(tree_unref)
        struct tree *tree = tree_of(job->app, &job->parts->index.manifests[i], err);
        if (!tree || export_tar_below(job->app->store, tree, folder, tar, err) < 0)
            return -1;
    }
    return tar_writer_finish(tar, err);
}

static int output_tar(struct app *app, const struct output_value *output, const struct parts *parts,
                      struct error **err)
{
    struct tar_job job = { app, output, parts };
    if (!output->is_split && parts->index.n_manifests > 1)
        return error_set(err, ERR_UNSUPPORTED,
                         "platform-split=false: several platforms in one tar have each name twice");
    return output_file_write(output->dest, write_tar, &job, err);
}

static int open_folder(int dir_fd, const char *name, struct error **err)
{
    if (fs_mkdirs_following(dir_fd, name, 0755, err) < 0)
        return -1;
    return fs_open(dir_fd, name, O_RDONLY | O_DIRECTORY, 0, err);
}

/* A platform's. Where things are deleted a link there may lead anywhere: it goes. */
static int open_platform(int dest, const char *folder, bool deletes, struct error **err)
{
    struct stat st;
    if (!*folder || !deletes)
        return open_folder(dest, *folder ? folder : ".", err);
    if (fstatat(dest, folder, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
        fs_unlink(dest, folder, err) < 0)
        return -1;
    if (fs_mkdirs(dest, folder, 0755, err) < 0)
        return -1;
    return fs_open_beneath(dest, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, err);
}

/* Folders of platforms aside */
static int delete_others(int dest, const struct parts *parts, const struct output_value *output,
                         struct error **err)
{
    AUTO(strvec_release) struct strvec folders = STRVEC_INIT, there = STRVEC_INIT;
    for (size_t i = 0; i < parts->index.n_manifests; i++)
        strvec_take(&folders, folder_of(parts, output, i));
    if (fs_list(dest, ".", &there, err) < 0)
        return -1;
    for (size_t i = 0; i < there.n; i++)
        if (!strvec_has(&folders, there.items[i]) && fs_remove_tree(dest, there.items[i], err) < 0)
            return error_wrap(err, "deleting");
    return 0;
}

static int output_local(struct app *app, const struct build_command *command,
                        const struct output_value *output, const struct parts *parts,
                        struct error **err)
{
    AUTO(hashmap_release) struct hashmap taken = HASHMAP_INIT(NULL);
    AUTO(close) int dest = open_folder(AT_FDCWD, output->dest, err);
    if (dest < 0)
        return -1;
    const struct output_delete wish = deletion_of(command, output);
    if (output->deletes &&
        output_delete_check_open(&wish, dest, store_dir_fd(app->store, STORE_ROOT), err) < 0)
        return -1;
    bool is_split = parts->are_platforms && output->is_split;
    if (output->deletes && is_split && delete_others(dest, parts, output, err) < 0)
        return -1;
    for (size_t i = 0; i < parts->index.n_manifests; i++) {
        AUTO(free) char *folder = folder_of(parts, output, i);
        AUTO(close) int fd = open_platform(dest, folder, output->deletes, err);
        AUTO(tree_unref) struct tree *tree = tree_of(app, &parts->index.manifests[i], err);
        /* of several in one directory the first deletes, before the others write */
        const struct apply_copy_options options = { .taken = is_split ? NULL : &taken,
                                                    .deletes =
                                                        output->deletes && (is_split || i == 0) };
        if (fd < 0 || !tree || apply_tree_copy(tree, fd, &options, err) < 0)
            return -1;
    }
    return 0;
}

/* --- all of them ----------------------------------------------------------------------------- */

static int write_one(struct app *app, const struct build_command *command,
                     const struct output_value *output, const struct descriptor *image,
                     struct error **err)
{
    struct parts parts = { .are_platforms = false };
    int status = 0;
    switch (output->kind) {
    case OUTPUT_IMAGE:
        return 0;
    case OUTPUT_OCI:
    case OUTPUT_DOCKER:
        if (output->is_layout)
            return output_layout(app, command, output, image, err);
        return output_archive(app, command, output, image, err);
    case OUTPUT_LOCAL:
    case OUTPUT_TAR:
        status = read_parts(app, image, &parts, err);
        if (status == 0)
            status = output->kind == OUTPUT_TAR ? output_tar(app, output, &parts, err)
                                                : output_local(app, command, output, &parts, err);
    }
    index_release(&parts.index);
    return status;
}

int build_outputs_write(struct app *app, const struct build_command *command,
                        const struct descriptor *image, struct error **err)
{
    for (size_t i = 0; i < command->n_outputs; i++) {
        const struct output_value *output = &command->outputs[i];
        if (write_one(app, command, output, image, err) < 0)
            return error_wrap(err, "--output %s", output->dest ? output->dest : "-");
    }
    return 0;
}
