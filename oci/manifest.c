/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/manifest.h"

#include "base/array.h"
#include "base/json.h"
#include "oci/members.h"

#include <string.h>

void manifest_release(struct manifest *manifest)
{
    free(manifest->media_type);
    free(manifest->artifact_type);
    descriptor_release(&manifest->config);
    for (size_t i = 0; i < manifest->n_layers; i++)
        descriptor_release(&manifest->layers[i]);
    free(manifest->layers);
    json_decref(manifest->annotations);
    descriptor_release(&manifest->subject);
    *manifest = (struct manifest){ 0 };
}

void manifest_annotate(struct manifest *manifest, const char *key, const char *value)
{
    members_map_set(&manifest->annotations, key, value);
}

static bool is_document_kind(enum media_kind kind)
{
    return kind == MEDIA_KIND_INDEX || kind == MEDIA_KIND_MANIFEST || kind == MEDIA_KIND_SCHEMA1;
}

/* What the members say, whatever the document is called: UNKNOWN when nothing. */
static int kind_by_shape(const json_t *document, enum media_kind *kind, struct error **err)
{
    bool index = json_object_get(document, "manifests");
    bool manifest = json_object_get(document, "config") || json_object_get(document, "layers");
    if (index && manifest)
        return error_set(err, ERR_INVALID,
                         "both an index and a manifest: it has manifests and config or layers");
    *kind = index ? MEDIA_KIND_INDEX : manifest ? MEDIA_KIND_MANIFEST : MEDIA_KIND_UNKNOWN;
    if (!index && !manifest && json_object_get(document, "fsLayers"))
        *kind = MEDIA_KIND_SCHEMA1;
    return 0;
}

int manifest_classify(const json_t *document, const char *content_type, enum media_kind *kind,
                      struct error **err)
{
    const char *media_type = NULL;
    enum media_kind shape;
    if (json_get_string(document, "", "mediaType", JSON_OPTIONAL, &media_type, err) < 0 ||
        kind_by_shape(document, &shape, err) < 0)
        return -1;
    enum media_kind said = media_type_kind(content_type);
    if (media_type && is_document_kind(said) && !media_type_equal(media_type, content_type))
        return error_set(err, ERR_INVALID, "/mediaType: %.100s, but it came as %.100s", media_type,
                         content_type);
    enum media_kind named = media_type_kind(media_type);
    if (!is_document_kind(named))
        named = is_document_kind(said) ? said : shape;
    if (named == MEDIA_KIND_UNKNOWN)
        return error_set(err, ERR_INVALID, "neither a manifest nor an index");
    if (shape != MEDIA_KIND_UNKNOWN && shape != named && named != MEDIA_KIND_SCHEMA1)
        return error_set(err, ERR_INVALID, "/mediaType: it is called %s but has the members of %s",
                         named == MEDIA_KIND_INDEX ? "an index" : "a manifest",
                         shape == MEDIA_KIND_INDEX ? "an index" : "a manifest");
    *kind = named;
    return 0;
}

static json_t *parse_object(const char *data, size_t size, struct error **err)
{
    if (size > MANIFEST_MAX_SIZE)
        return error_set_null(err, ERR_LIMIT, "manifest of %zu bytes: more than %u", size,
                              MANIFEST_MAX_SIZE);
    return json_parse_object(data, size, err);
}

int manifest_sniff(const char *data, size_t size, const char *content_type, enum media_kind *kind,
                   struct error **err)
{
    AUTO(json_decref) json_t *document = parse_object(data, size, err);
    if (!document)
        return -1;
    return manifest_classify(document, content_type, kind, err);
}

int manifest_check_version(const json_t *document, struct error **err)
{
    int64_t version = 0;
    if (json_get_int64(document, "", "schemaVersion", JSON_REQUIRED, &version, err) < 0)
        return -1;
    if (version != 2)
        return error_set(err, ERR_INVALID, "/schemaVersion: expected 2");
    return 0;
}

char *manifest_name_type(const json_t *document, const char *content_type, enum media_kind kind)
{
    const char *text = json_string_value(json_object_get(document, "mediaType"));
    if (text && *text)
        return xstrdup(text);
    if (media_type_kind(content_type) == kind)
        return xstrndup(content_type, strcspn(content_type, "; \t"));
    return xstrdup(kind == MEDIA_KIND_INDEX ? MEDIA_TYPE_OCI_INDEX : MEDIA_TYPE_OCI_MANIFEST);
}

int manifest_get_artifact_type(const json_t *document, char **ret, struct error **err)
{
    if (members_get_text(document, "", "artifactType", ret, err) < 0)
        return -1;
    if (*ret && !media_type_is_valid(*ret))
        return error_set(err, ERR_INVALID, "/artifactType: \"%.100s\" is no media type", *ret);
    return 0;
}

int manifest_get_subject(const json_t *document, struct descriptor *ret, struct error **err)
{
    const json_t *subject = json_object_get(document, "subject");
    if (!subject || json_is_null(subject))
        return 0;
    return descriptor_from_json(subject, "/subject", ret, err);
}

static int get_layers(const json_t *document, struct manifest *manifest, struct error **err)
{
    const json_t *layers = NULL; /* null: an empty list as Go writes it */
    if (json_get_array(document, "", "layers", JSON_OPTIONAL, &layers, err) < 0)
        return -1;
    size_t n = json_array_size(layers);
    if (n > MANIFEST_MAX_LAYERS)
        return error_set(err, ERR_LIMIT, "/layers: %zu layers, at most %d are supported", n,
                         MANIFEST_MAX_LAYERS);
    for (size_t i = 0; i < n; i++) {
        AUTO(free) char *pointer = xasprintf("/layers/%zu", i);
        if (descriptor_from_json(json_array_get(layers, i), pointer, ARRAY_PUSH(manifest, layers),
                                 err) < 0)
            return -1;
    }
    return 0;
}

static int from_json(const json_t *document, const char *content_type, struct manifest *manifest,
                     struct error **err)
{
    enum media_kind kind;
    if (manifest_classify(document, content_type, &kind, err) < 0)
        return -1;
    if (kind == MEDIA_KIND_SCHEMA1)
        return error_set(err, ERR_UNSUPPORTED, "a manifest of Docker's schema 1: not supported");
    if (kind != MEDIA_KIND_MANIFEST)
        return error_set(err, ERR_INVALID, "an index where a manifest is expected");
    if (manifest_check_version(document, err) < 0)
        return -1;
    manifest->media_type = manifest_name_type(document, content_type, MEDIA_KIND_MANIFEST);
    const json_t *config = NULL;
    if (json_get_object(document, "", "config", JSON_REQUIRED, &config, err) < 0 ||
        descriptor_from_json(config, "/config", &manifest->config, err) < 0 ||
        get_layers(document, manifest, err) < 0 ||
        manifest_get_artifact_type(document, &manifest->artifact_type, err) < 0 ||
        members_get_map(document, "", "annotations", &manifest->annotations, err) < 0)
        return -1;
    return manifest_get_subject(document, &manifest->subject, err);
}

int manifest_parse(const char *data, size_t size, const char *content_type, struct manifest *ret,
                   struct error **err)
{
    AUTO(json_decref) json_t *document = parse_object(data, size, err);
    if (!document)
        return error_wrap(err, "manifest");
    AUTO(manifest_release) struct manifest manifest = { 0 };
    if (from_json(document, content_type, &manifest, err) < 0) {
        if (error_is(*err, ERR_UNSUPPORTED))
            error_hint(err, "ask the registry's owner to push the image again with a current tool");
        return error_wrap(err, "manifest");
    }
    *ret = manifest;
    manifest = (struct manifest){ 0 };
    return 0;
}

void manifest_format(const struct manifest *manifest, struct strbuf *buf)
{
    AUTO(json_decref) json_t *document = json_object();
    json_set(document, "schemaVersion", json_integer(2));
    members_set_text(document, "mediaType", manifest->media_type);
    members_set_text(document, "artifactType", manifest->artifact_type);
    json_set(document, "config", descriptor_to_json(&manifest->config));
    json_t *layers = json_array();
    for (size_t i = 0; i < manifest->n_layers; i++)
        json_array_append_new(layers, descriptor_to_json(&manifest->layers[i]));
    json_set(document, "layers", layers);
    if (manifest->annotations)
        json_set(document, "annotations", json_deep_copy(manifest->annotations));
    if (manifest->subject.media_type)
        json_set(document, "subject", descriptor_to_json(&manifest->subject));
    json_format_canonical(document, buf);
}
