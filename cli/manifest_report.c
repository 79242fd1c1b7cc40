/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/manifest_report.h"

#include "base/mem.h"
#include "oci/image_config.h"
#include "oci/index.h"
#include "registry/base64.h"

#include <string.h>

/* docker.io/library/app:1, or what was typed for another place */
static char *name_of(const struct place *place, const char *text)
{
    if (!place->session)
        return xstrdup(text);
    AUTO(reference_release) struct reference reference = { 0 };
    reference_copy(&reference, &place->name.reference);
    reference_default_tag(&reference);
    return reference_format(&reference);
}

/* In place of the digest that it may have */
static char *name_with_digest(const char *name, const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];
    const char *sign = strstr(name, "@sha256:");
    digest_format(digest, text);
    return xasprintf("%.*s@%s", (int)(sign ? (size_t)(sign - name) : strlen(name)), name, text);
}

static bool is_index(const struct document *document)
{
    return media_type_kind(document->descriptor.media_type) == MEDIA_KIND_INDEX;
}

/* What its config says; an artifact's says nothing. */
static int get_platform(struct place *place, const struct document *document, struct platform *ret,
                        struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(image_config_release) struct image_config config = { 0 };
    AUTO(error_free) struct error *no_image = NULL; /* a config of another type */
    image_config_init(&config);
    if (remote_get_config(place, document, &text, err) < 0)
        return -1;
    if (image_config_parse(text.data, text.size, &config, &no_image) == 0 && config.platform.os)
        platform_copy(ret, &config.platform);
    return 0;
}

static json_t *verbose_entry(const char *name, const struct document *document,
                             const struct descriptor *descriptor, struct error **err)
{
    AUTO(json_decref)
    json_t *body = json_parse_object(document->body.data, document->body.size, err);
    if (!body)
        return NULL;
    AUTO(strbuf_release) struct strbuf raw = STRBUF_INIT;
    base64_encode(&raw, document->body.data, document->body.size);
    json_t *object = json_object();
    bool is_docker = media_type_is_docker(descriptor->media_type);
    json_set(object, "Ref", json_from_string(name));
    json_set(object, "Descriptor", descriptor_to_json(descriptor));
    json_set(object, "Raw", json_from_string(raw.data));
    json_set(object, is_docker ? "SchemaV2Manifest" : "OCIManifest", json_incref(body));
    return object;
}

static int add_children(struct place *place, const char *name, const struct document *document,
                        unsigned depth, json_t *list, struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    if (document_parse_index(document, depth, &index, err) < 0)
        return -1;
    for (size_t i = 0; i < index.n_manifests; i++) {
        AUTO(document_release) struct document child = DOCUMENT_INIT;
        AUTO(free) char *child_name = name_with_digest(name, &index.manifests[i].digest);
        if (transport_get_child(place->transport, &index.manifests[i], &child, err) < 0)
            return error_wrap(err, "%s", child_name);
        if (is_index(&child)) {
            if (add_children(place, name, &child, depth + 1, list, err) < 0)
                return -1;
            continue;
        }
        json_t *entry = verbose_entry(child_name, &child, &index.manifests[i], err);
        if (!entry)
            return error_wrap(err, "%s", child_name);
        (void)json_array_append_new(list, entry);
    }
    return 0;
}

int manifest_report_verbose(struct place *place, const char *text, const struct document *document,
                            json_t **ret, struct error **err)
{
    AUTO(free) char *name = name_of(place, text);
    if (is_index(document)) {
        AUTO(json_decref) json_t *list = json_array();
        if (add_children(place, name, document, 0, list, err) < 0)
            return -1;
        *ret = TAKE(list);
        return 0;
    }
    AUTO(descriptor_release) struct descriptor descriptor = { 0 };
    descriptor_copy(&descriptor, &document->descriptor);
    if (get_platform(place, document, &descriptor.platform, err) < 0)
        return -1;
    *ret = verbose_entry(name, document, &descriptor, err);
    return *ret ? 0 : -1;
}

/* Values */

static json_t *get_config(struct place *place, const struct document *document, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (remote_get_config(place, document, &text, err) < 0)
        return NULL;
    return json_parse_object(text.data, text.size, err);
}

/* Of each image of an index, by its platform. Attestations aren't images. */
static int get_configs(struct place *place, const struct index *index, json_t *object,
                       struct error **err)
{
    for (size_t i = 0; i < index->n_manifests; i++) {
        const struct descriptor *entry = &index->manifests[i];
        AUTO(document_release) struct document child = DOCUMENT_INIT;
        AUTO(strbuf_release) struct strbuf platform = STRBUF_INIT;
        if (!index_is_candidate(entry) || !entry->platform.os)
            continue;
        if (transport_get_child(place->transport, entry, &child, err) < 0)
            return -1;
        if (is_index(&child))
            continue;
        json_t *config = get_config(place, &child, err);
        if (!config)
            return -1;
        platform_format(&entry->platform, &platform);
        json_set(object, platform.data, config);
    }
    return 0;
}

static json_t *entries_of(const struct index *index)
{
    json_t *list = json_array();
    for (size_t i = 0; i < index->n_manifests; i++)
        (void)json_array_append_new(list, descriptor_to_json(&index->manifests[i]));
    return list;
}

int manifest_report_value(struct place *place, const char *text, const struct document *document,
                          json_t **ret, struct error **err)
{
    AUTO(free) char *name = name_of(place, text);
    AUTO(json_decref) json_t *value = json_object();
    AUTO(json_decref) json_t *image = NULL;
    json_t *manifest = descriptor_to_json(&document->descriptor);
    json_set(value, "Name", json_from_string(name));
    json_set(value, "Manifest", manifest);
    if (is_index(document)) {
        AUTO(index_release) struct index index = { 0 };
        image = json_object();
        if (document_parse_index(document, 0, &index, err) < 0 ||
            get_configs(place, &index, image, err) < 0)
            return -1;
        json_set(manifest, "schemaVersion", json_integer(2));
        json_set(manifest, "manifests", entries_of(&index));
    } else {
        image = get_config(place, document, err);
    }
    if (!image)
        return -1;
    json_set(value, "Image", TAKE(image));
    *ret = TAKE(value);
    return 0;
}

/* Text */

static void add_line(struct strbuf *out, const char *label, const char *value)
{
    AUTO(free) char *clean = remote_clean(value);
    strbuf_addf(out, "%-13s%s\n", label, clean);
}

static void add_entry(struct strbuf *out, const char *name, const struct descriptor *entry)
{
    AUTO(free) char *full = name_with_digest(name, &entry->digest);
    const char *key;
    json_t *value;
    add_line(out, "  Name:", full);
    add_line(out, "  MediaType:", entry->media_type);
    if (entry->artifact_type)
        add_line(out, "  Artifact:", entry->artifact_type);
    if (entry->platform.os) {
        AUTO(strbuf_release) struct strbuf platform = STRBUF_INIT;
        platform_format(&entry->platform, &platform);
        add_line(out, "  Platform:", platform.data);
    }
    if (entry->annotations)
        strbuf_adds(out, "  Annotations:\n");
    json_object_foreach(entry->annotations, key, value)
    {
        AUTO(free) char *line = xasprintf("%s: %s", key, json_string_value(value));
        add_line(out, "", line);
    }
}

int manifest_report_text(const struct place *place, const char *text,
                         const struct document *document, struct strbuf *out, struct error **err)
{
    AUTO(free) char *name = name_of(place, text);
    AUTO(index_release) struct index index = { 0 };
    char digest[DIGEST_TEXT_SIZE];
    if (is_index(document) && document_parse_index(document, 0, &index, err) < 0)
        return -1;
    digest_format(&document->descriptor.digest, digest);
    add_line(out, "Name:", name);
    add_line(out, "MediaType:", document->descriptor.media_type);
    add_line(out, "Digest:", digest);
    if (is_index(document))
        strbuf_adds(out, "\nManifests:");
    for (size_t i = 0; i < index.n_manifests; i++) {
        strbuf_addc(out, '\n');
        add_entry(out, name, &index.manifests[i]);
    }
    return 0;
}
