/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/mem.h"
#include "cli/app.h"
#include "cli/image_info.h"
#include "cli/inspect_place.h"
#include "cli/remote.h"
#include "cli/template.h"
#include "oci/store_tags.h"

#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild inspect [OPTIONS] IMAGE...",
    .summary = "Shows what is known of images as JSON, with docker's member names.",
    .more = "--format takes a template: '{{.Id}}', '{{json .Config.Labels}}', '{{index "
            ".RepoDigests 0}}', '{{range .RepoTags}}{{println .}}{{end}}'.\n\n"
            "An image with a transport (docker://NAME, oci:DIR and what else `cbuild copy` has) is "
            "shown as skopeo shows it: .Name .Digest .RepoTags .Created .Labels .Architecture .Os "
            ".Layers .LayersData .Env.",
};

static int add_names(struct app *app, const struct descriptor *target, json_t *object,
                     struct error **err)
{
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    if (store_tags_list(app->store, &tags, err) < 0)
        return -1;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(strvec_release) struct strvec digests = STRVEC_INIT;
    char text[DIGEST_TEXT_SIZE];
    digest_format(&target->digest, text);
    for (size_t i = 0; i < tags.n_tags; i++) {
        AUTO(reference_release) struct reference reference = { 0 };
        if (!tags.tags[i].name || !digest_equal(&tags.tags[i].descriptor.digest, &target->digest))
            continue;
        if (reference_parse(tags.tags[i].name, &reference, err) < 0)
            return -1;
        strvec_take(&names, reference_familiar(&reference));
        AUTO(free) char *repository = reference_familiar_repository(&reference);
        AUTO(free) char *digest = xasprintf("%s@%s", repository, text);
        if (!strvec_has(&digests, digest))
            strvec_push(&digests, digest);
    }
    json_set(object, "RepoTags", json_from_strvec(&names));
    json_set(object, "RepoDigests", json_from_strvec(&digests));
    return 0;
}

static json_t *root_fs(const struct image_config *config)
{
    json_t *layers = json_array();
    for (size_t i = 0; i < config->n_diff_ids; i++) {
        char text[DIGEST_TEXT_SIZE];
        digest_format(&config->diff_ids[i], text);
        (void)json_array_append_new(layers, json_from_string(text));
    }
    json_t *object = json_object();
    json_set(object, "Type", json_from_string("layers"));
    json_set(object, "Layers", layers);
    return object;
}

/* Scripts ask for members of docker's that an image may lack: they are null then. */
static json_t *container_config(const struct image_config *config)
{
    static const char *const members[] = { "Cmd",    "Entrypoint", "Env",     "ExposedPorts",
                                           "Labels", "OnBuild",    "Volumes", "Healthcheck" };
    static const char *const texts[] = { "User", "WorkingDir", "StopSignal" };
    json_t *object = image_config_container_json(config);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (!json_object_get(object, members[i]))
            json_set(object, members[i], json_null());
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (!json_object_get(object, texts[i]))
            json_set(object, texts[i], json_from_string(""));
    return object;
}

static json_t *text_or_empty(const char *text)
{
    return json_from_string(text ? text : "");
}

static int inspect(struct app *app, const char *name, const struct platform *platform, json_t **ret,
                   struct error **err)
{
    AUTO(descriptor_release) struct descriptor target = { 0 };
    AUTO(image_release) struct image image = { 0 };
    if (store_resolve(app->store, name, &target, NULL, err) < 0 ||
        image_read(app->store, &target, platform->os ? platform : NULL, &image, err) < 0)
        return -1;
    AUTO(json_decref) json_t *object = json_object();
    char text[DIGEST_TEXT_SIZE];
    digest_format(&target.digest, text);
    json_set(object, "Id", json_from_string(text));
    if (add_names(app, &target, object, err) < 0)
        return -1;
    digest_format(&image.manifest.config.digest, text);
    json_set(object, "ConfigDigest", json_from_string(text));
    json_set(object, "Created", text_or_empty(image.config.created));
    json_set(object, "Author", text_or_empty(image.config.author));
    json_set(object, "Architecture", text_or_empty(image.config.platform.architecture));
    if (image.config.platform.variant)
        json_set(object, "Variant", text_or_empty(image.config.platform.variant));
    json_set(object, "Os", text_or_empty(image.config.platform.os));
    json_set(object, "Config", container_config(&image.config));
    json_set(object, "RootFS", root_fs(&image.config));
    uint64_t size;
    if (image_unpacked_size(app->store, &image.manifest, &size, err) < 0)
        return -1;
    json_set(object, "Size", json_integer((json_int_t)size));
    json_set(object, "Descriptor", descriptor_to_json(&image.descriptor));
    *ret = TAKE(object);
    return 0;
}

/* As docker: all as one list, or with a template each image on a line. */
static int print(const json_t *images, const char *format, struct error **err)
{
    if (!format || !strcmp(format, "json"))
        return remote_print_value(images, format, err);
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    AUTO(template_free) struct template *template = template_parse(format, err);
    if (!template)
        return -1;
    size_t i;
    json_t *image;
    json_array_foreach(images, i, image)
    {
        if (template_run(template, image, &out, err) < 0)
            return -1;
        strbuf_addc(&out, '\n');
    }
    (void)fwrite(out.data, 1, out.size, stdout);
    return 0;
}

static int inspect_stored(struct app *app, const struct strvec *names,
                          const struct inspect_options *options, struct error **err)
{
    AUTO(platform_release) struct platform platform = { 0 };
    AUTO(json_decref) json_t *images = json_array();
    if (remote_parse_platform(options->platform, &platform, err) < 0 || !app_store(app, err))
        return -1;
    for (size_t i = 0; i < names->n; i++) {
        json_t *image = NULL;
        if (inspect(app, names->items[i], &platform, &image, err) < 0)
            return -1;
        (void)json_array_append_new(images, image);
    }
    return print(images, options->format, err);
}

int cmd_inspect(struct app *app, char *const *argv, struct error **err)
{
    const char *type = NULL;
    struct inspect_options opts = { .format = NULL };
    AUTO(place_release) struct place place = PLACE_INIT;
    const struct option options[] = {
        OPT_STRING('f', "format", "FORMAT", &opts.format, "json, or a template for each image"),
        OPT_STRING(0, "platform", "OS/ARCH", &opts.platform,
                   "of an index this image, by default this machine's"),
        OPT_FLAG(0, "raw", &opts.raw, "the manifest or index, byte for byte"),
        OPT_FLAG(0, "config", &opts.config, "the config; with --raw byte for byte"),
        OPT_FLAG('n', "no-tags", &opts.no_tags, "don't list the repository's tags"),
        OPT_STRING(0, "type", "image", &type, NULL), /* images are all there is */
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 1, SIZE_MAX, err);
    if (parsed <= 0)
        return parsed;
    if (!inspect_is_of_place(&opts, operands.items[0]))
        return inspect_stored(app, &operands, &opts, err);
    if (operands.n > 1)
        return error_set(err, ERR_USAGE, "one image at a time, where it isn't the store's");
    return inspect_place(app, operands.items[0], &opts, &place, err);
}
