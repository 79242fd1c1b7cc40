/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inspect_place.h"

#include "base/mem.h"
#include "cli/remote.h"
#include "oci/image_config.h"
#include "oci/manifest.h"
#include "registry/lists.h"

bool inspect_is_of_place(const struct inspect_options *options, const char *text)
{
    AUTO(transport_name_release) struct transport_name name = { .is_bare = true };
    AUTO(error_free) struct error *ignored = NULL; /* an id of the store, perhaps */
    if (options->raw || options->config)
        return true;
    if (transport_name_parse(text, &name, &ignored) < 0)
        return error_hint_text(ignored) != NULL; /* another tool's transport: it is explained */
    return !name.is_bare;
}

static json_t *layers_data(const struct manifest *manifest)
{
    json_t *list = json_array();
    for (size_t i = 0; i < manifest->n_layers; i++) {
        const struct descriptor *layer = &manifest->layers[i];
        json_t *object = json_object();
        char digest[DIGEST_TEXT_SIZE];
        digest_format(&layer->digest, digest);
        json_set(object, "MIMEType", json_from_string(layer->media_type));
        json_set(object, "Digest", json_from_string(digest));
        json_set(object, "Size", json_integer((json_int_t)layer->size));
        json_set(object, "Annotations",
                 layer->annotations ? json_deep_copy(layer->annotations) : json_null());
        (void)json_array_append_new(list, object);
    }
    return list;
}

static json_t *layer_digests(const struct manifest *manifest)
{
    json_t *list = json_array();
    for (size_t i = 0; i < manifest->n_layers; i++) {
        char digest[DIGEST_TEXT_SIZE];
        digest_format(&manifest->layers[i].digest, digest);
        (void)json_array_append_new(list, json_from_string(digest));
    }
    return list;
}

/* A member of the config's "config", else null */
static json_t *of_container(const struct image_config *config, const char *key)
{
    AUTO(json_decref) json_t *container = image_config_container_json(config);
    json_t *value = json_object_get(container, key);
    return value ? json_incref(value) : json_null();
}

/* A repository's tags are an extra: that they can't be listed is no reason to fail. */
static json_t *repo_tags(struct app *app, struct place *place)
{
    AUTO(strvec_release) struct strvec tags = STRVEC_INIT;
    AUTO(error_free) struct error *trouble = NULL;
    if (tags_list(place->session, &place->name.reference, &tags, &trouble) < 0)
        progress_warning(app->progress, 0, "RepoTags: %s", error_message(trouble));
    return json_from_strvec(&tags);
}

static json_t *text_or_empty(const char *text)
{
    return json_from_string(text ? text : "");
}

static int describe(struct app *app, struct place *place, const struct inspect_options *options,
                    const struct digest *top, const struct document *document,
                    const struct strbuf *text, struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    AUTO(image_config_release) struct image_config config = { 0 };
    image_config_init(&config);
    if (manifest_parse(document->body.data, document->body.size, document->descriptor.media_type,
                       &manifest, err) < 0)
        return -1;
    if (media_type_kind(manifest.config.media_type) == MEDIA_KIND_CONFIG &&
        image_config_parse(text->data, text->size, &config, err) < 0)
        return error_wrap(err, "config");
    AUTO(json_decref) json_t *object = json_object();
    char digest[DIGEST_TEXT_SIZE];
    digest_format(top, digest);
    bool is_remote = place->name.kind == TRANSPORT_REGISTRY && place->session;
    if (is_remote) {
        AUTO(free) char *name = reference_repository(&place->name.reference);
        json_set(object, "Name", json_from_string(name));
    }
    json_set(object, "Digest", json_from_string(digest));
    json_set(object, "RepoTags",
             is_remote && !options->no_tags ? repo_tags(app, place) : json_array());
    json_set(object, "Created", text_or_empty(config.created));
    json_set(object, "DockerVersion", json_from_string(""));
    json_set(object, "Labels", of_container(&config, "Labels"));
    json_set(object, "Architecture", text_or_empty(config.platform.architecture));
    if (config.platform.variant)
        json_set(object, "Variant", json_from_string(config.platform.variant));
    json_set(object, "Os", text_or_empty(config.platform.os));
    json_set(object, "Layers", layer_digests(&manifest));
    json_set(object, "LayersData", layers_data(&manifest));
    json_set(object, "Env", of_container(&config, "Env"));
    return remote_print_value(object, options->format, err);
}

static int inspect(struct app *app, const char *text, const struct inspect_options *options,
                   struct place *place, struct error **err)
{
    AUTO(platform_release) struct platform platform = { 0 };
    AUTO(document_release) struct document document = DOCUMENT_INIT;
    AUTO(strbuf_release) struct strbuf config = STRBUF_INIT;
    bool manifest_only = options->raw && !options->config;
    if (remote_parse_platform(options->platform, &platform, err) < 0 ||
        place_open_local_first(app, text, place, err) < 0 ||
        remote_get(place, &platform, REMOTE_AS_IT_IS, &document, err) < 0)
        return -1;
    if (manifest_only)
        return remote_print(&document.body, options->format, err);
    const struct digest top = document.descriptor.digest; /* as skopeo has it: the index's */
    if (transport_choose_image(place->transport, platform.os ? &platform : NULL, &document, err) <
            0 ||
        remote_get_config(place, &document, &config, err) < 0)
        return -1;
    if (options->config)
        return remote_print(&config, options->raw || options->format ? options->format : "pretty",
                            err);
    return describe(app, place, options, &top, &document, &config, err);
}

int inspect_place(struct app *app, const char *text, const struct inspect_options *options,
                  struct place *place, struct error **err)
{
    return inspect(app, text, options, place, err) < 0 ? error_wrap(err, "inspecting %s", text) : 0;
}
