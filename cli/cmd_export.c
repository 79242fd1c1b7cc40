/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/output_file.h"
#include "cli/remote.h"
#include "layers/export.h"
#include "oci/transport_store.h"
#include "registry/image_copy.h"

#include <string.h>
#include <unistd.h>

static const struct command_help help = {
    .usage = "cbuild export [OPTIONS] IMAGE [FILE|-]",
    .summary = "Writes the merged root file system of an image as one tar.",
    .more = "IMAGE is a name or id of the store, else a registry's; or with a transport, as "
            "`cbuild copy` has them.",
};

struct export_job {
    struct store *store;
    struct tree *tree;
};

static int write_tar(void *data, struct sink *to, struct error **err)
{
    const struct export_job *job = data;
    return export_tar(job->store, job->tree, to, err);
}

/* The image in the store, without a name there: what other places have comes into it. */
static int bring(struct app *app, struct place *from, const char *text,
                 const struct platform *platform, struct descriptor *ret, struct error **err)
{
    if (!app_store(app, err))
        return -1;
    AUTO(transport_free) struct transport *to = transport_store_create(app->store, NULL, NULL);
    AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
    AUTO(free) char *title = xasprintf("reading %s", text);
    const struct image_copy_request request = { .from = from->transport,
                                                .to = to,
                                                .scope = IMAGE_COPY_PLATFORM,
                                                .platform = platform,
                                                /* what is here already is no news */
                                                .progress = from->session ? app->progress : NULL,
                                                .title = title };
    if (image_copy(&request, &result, err) < 0)
        return -1;
    descriptor_copy(ret, &result.image);
    return 0;
}

static int export(struct app *app, struct place *from, const char *text,
                  const struct platform *platform, const char *output, struct error **err)
{
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(image_release) struct image image = { 0 };
    if (place_open_local_first(app, text, from, err) < 0 ||
        bring(app, from, text, platform, &desc, err) < 0 ||
        image_read(app->store, &desc, platform, &image, err) < 0)
        return error_wrap(err, "exporting %s", text);
    AUTO(tree_unref) struct tree *tree = export_tree(app->store, &image);
    struct export_job job = { app->store, tree };
    return output_file_write(output, write_tar, &job, err) < 0
               ? error_wrap(err, "exporting %s", text)
               : 0;
}

int cmd_export(struct app *app, char *const *argv, struct error **err)
{
    const char *output = NULL, *platform_text = NULL;
    AUTO(place_release) struct place from = PLACE_INIT;
    const struct option options[] = {
        OPT_STRING('o', "output", "FILE", &output,
                   "file to write; standard output where it isn't given"),
        OPT_STRING(0, "platform", "OS/ARCH", &platform_text,
                   "image to choose from an index, by default this machine's"),
        APP_REGISTRY_OPTIONS(app),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse(options, &help, argv, &operands, err);
    if (parsed != 0)
        return parsed < 0 ? -1 : 0;
    AUTO(platform_release) struct platform platform = { 0 };
    if (options_check_operands(&help, &operands, 1, output ? 1 : 2, err) < 0 ||
        remote_parse_platform(platform_text, &platform, err) < 0)
        return -1;
    if (operands.n == 2)
        output = operands.items[1];
    if ((!output || !strcmp(output, "-")) && isatty(STDOUT_FILENO)) {
        error_set_(err, ERR_USAGE, "a tar isn't written to a terminal");
        error_hint(err, "name a file with -o, or redirect the output");
        return -1;
    }
    return export(app, &from, operands.items[0], platform_text ? &platform : NULL, output, err);
}
