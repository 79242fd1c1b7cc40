/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/app.h"
#include "layers/layer.h"
#include "oci/image.h"
#include "oci/index.h"
#include "oci/store_tags.h"
#include "registry/pull.h"

#include <stdio.h>

static const struct command_help help = {
    .usage = "cbuild pull [OPTIONS] NAME[:TAG|@DIGEST]",
    .summary = "Gets an image from a registry into the store.",
};

/*
 * Every layer decompresses whole to what the config calls it (RELIABILITY 13): nobody finds a bad
 * image only when it is used. What is learned on the way, the entry list, is kept for the first
 * build on it.
 */
static int check_image(struct store *store, const struct descriptor *desc, struct error **err)
{
    AUTO(image_release) struct image image = { 0 };
    AUTO(error_free) struct error *unreadable = NULL;
    if (image_read(store, desc, NULL, &image, &unreadable) < 0) {
        if (error_is(unreadable, ERR_UNSUPPORTED)) /* an artifact: opaque */
            return 0;
        error_move(err, TAKE(unreadable));
        return -1;
    }
    for (size_t i = 0; i < image.manifest.n_layers; i++) {
        const struct descriptor *blob = &image.manifest.layers[i];
        if (media_type_kind(blob->media_type) != MEDIA_KIND_LAYER)
            continue;
        AUTO(layer_unref)
        struct layer *layer = layer_from_blob(store, blob, &image.config.diff_ids[i], NULL);
        if (!layer_entries(layer, err))
            return error_wrap(err, "layer %zu", i + 1);
    }
    return 0;
}

static int check_pulled(struct store *store, const struct descriptor *target, struct error **err)
{
    if (media_type_kind(target->media_type) != MEDIA_KIND_INDEX)
        return check_image(store, target, err);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(index_release) struct index index = { 0 };
    if (store_read_blob(store, &target->digest, MANIFEST_MAX_SIZE, &text, err) < 0 ||
        index_parse(text.data, text.size, target->media_type, &index, err) < 0)
        return -1;
    for (size_t i = 0; i < index.n_manifests; i++) {
        const struct descriptor *entry = &index.manifests[i];
        if (media_type_kind(entry->media_type) == MEDIA_KIND_MANIFEST &&
            !platform_is_unknown(&entry->platform) && check_image(store, entry, err) < 0)
            return -1;
    }
    return 0;
}

static int pull(struct app *app, const struct reference *reference, const struct platform *platform,
                bool all, struct error **err)
{
    struct pull_request request = { .reference = reference,
                                    .platform = platform,
                                    .flags = all ? PULL_ALL_PLATFORMS : 0 };
    AUTO(descriptor_release) struct descriptor target = { 0 };
    if (registry_pull(app_session(app), app->store, &request, &target, NULL, err) < 0)
        return -1;
    if (check_pulled(app->store, &target, err) < 0)
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
    int parsed = options_parse(options, &help, argv, &operands, err);
    if (parsed != 0)
        return parsed < 0 ? -1 : 0;
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(platform_release) struct platform platform = { 0 };
    if (options_check_operands(&help, &operands, 1, 1, err) < 0 ||
        app_set_progress(app, quiet ? "quiet" : progress, err) < 0)
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
