/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/app.h"
#include "layers/image_check.h"
#include "oci/store_tags.h"
#include "registry/pull.h"

#include <stdio.h>

static const struct command_help help = {
    .usage = "cbuild pull [OPTIONS] NAME[:TAG|@DIGEST]",
    .summary = "Gets an image from a registry into the store.",
};

static int pull(struct app *app, const struct reference *reference, const struct platform *platform,
                bool all, struct error **err)
{
    struct pull_request request = { .reference = reference,
                                    .platform = platform,
                                    .flags = all ? PULL_ALL_PLATFORMS : 0,
                                    .watcher = &image_check_watcher };
    AUTO(descriptor_release) struct descriptor target = { 0 };
    if (registry_pull(app_session(app), app->store, &request, &target, NULL, err) < 0)
        return -1;
    if (image_check(app->store, &target, err) < 0)
        return -1;
    int stored = reference->tag ? store_tag_set(app->store, reference, &target, err)
                                : store_tag_keep(app->store, &target, err);
    if (stored < 0)
        return -1;
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&target.digest, digest);
    if (app->progress)
        progress_note(app->progress, 0, "Digest: %s", digest);
    AUTO(free) char *name = reference_format(reference);
    printf("%s\n", name);
    return 0;
}

int cmd_pull(struct app *app, char *const *argv, struct error **err)
{
    const char *platform_text = NULL, *progress = NULL;
    bool quiet = false, all = false;
    const struct option options[] = {
        OPT_STRING(0, "platform", "OS/ARCH", &platform_text,
                   "image to choose from an index, by default this machine's"),
        OPT_FLAG(0, "all-platforms", &all, "pull the whole index"),
        OPT_FLAG('q', "quiet", &quiet, "print the name only"),
        OPT_STRING(0, "progress", "STYLE", &progress, "auto, plain, tty, rawjson, quiet or none"),
        APP_REGISTRY_OPTIONS(app),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 1, 1, err);
    if (parsed <= 0)
        return parsed;
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(platform_release) struct platform platform = { 0 };
    if (app_set_progress(app, quiet ? "quiet" : progress, err) < 0)
        return -1;
    if (reference_parse(operands.items[0], &reference, err) < 0 ||
        (platform_text && platform_parse(platform_text, &platform, err) < 0)) {
        error_recode(err, ERR_USAGE);
        return -1;
    }
    reference_default_tag(&reference);
    if (!app_store(app, err))
        return -1;
    if (pull(app, &reference, platform_text ? &platform : NULL, all, err) < 0)
        return error_wrap(err, "pulling %s", operands.items[0]);
    return 0;
}
