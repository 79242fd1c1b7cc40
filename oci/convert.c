/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/convert.h"

#include "base/json.h"
#include "base/mem.h"
#include "oci/index.h"
#include "oci/manifest.h"

#include <string.h>

static const struct {
    const char *oci, *docker;
} pairs[] = {
    { MEDIA_TYPE_OCI_INDEX, MEDIA_TYPE_DOCKER_LIST },
    { MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_DOCKER_MANIFEST },
    { MEDIA_TYPE_OCI_CONFIG, MEDIA_TYPE_DOCKER_CONFIG },
    { MEDIA_TYPE_OCI_LAYER, MEDIA_TYPE_DOCKER_LAYER },
    { MEDIA_TYPE_OCI_LAYER_GZIP, MEDIA_TYPE_DOCKER_LAYER_GZIP },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar",
      "application/vnd.docker.image.rootfs.foreign.diff.tar" },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
      MEDIA_TYPE_DOCKER_FOREIGN_GZIP },
    /* seen, never specified: only ever read */
    { MEDIA_TYPE_OCI_LAYER_ZSTD, "application/vnd.docker.image.rootfs.diff.tar.zstd" },
};

int image_format_parse(const char *text, enum image_format *ret, struct error **err)
{
    static const struct {
        const char *name;
        enum image_format format;
    } names[] = {
        { "oci", IMAGE_FORMAT_OCI },
        { "v2s2", IMAGE_FORMAT_DOCKER },
        { "docker", IMAGE_FORMAT_DOCKER },
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(text, names[i].name) == 0) {
            *ret = names[i].format;
            return 0;
        }
    }
    return error_set(err, ERR_USAGE, "--format=%s: oci and v2s2 are what there is", text);
}

/* *media_type (owned) in the other format's words */
static int convert_type(char **media_type, enum image_format format, struct error **err)
{
    bool to_docker = format == IMAGE_FORMAT_DOCKER;
    if (to_docker == media_type_is_docker(*media_type))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        const char *from = to_docker ? pairs[i].oci : pairs[i].docker;
        if (!media_type_equal(*media_type, from) ||
            (to_docker && strcmp(from, MEDIA_TYPE_OCI_LAYER_ZSTD) == 0))
            continue;
        free(*media_type);
        *media_type = xstrdup(to_docker ? pairs[i].docker : pairs[i].oci);
        return 0;
    }
    if (!to_docker) /* what OCI doesn't name is any artifact's own affair */
        return 0;
    error_set_(err, ERR_UNSUPPORTED, "Docker's format has no word for \"%.100s\"", *media_type);
    error_hint(err, "copy it as it is, or --platform only the images that can be converted");
    return -1;
}

static int convert_manifest(const struct document *from, enum image_format format,
                            struct strbuf *body, struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    if (manifest_parse(from->body.data, from->body.size, from->descriptor.media_type, &manifest,
                       err) < 0)
        return -1;
    if (format == IMAGE_FORMAT_DOCKER && (manifest.subject.media_type || manifest.artifact_type))
        return error_set(err, ERR_UNSUPPORTED, "an artifact can't be put in Docker's format");
    if (convert_type(&manifest.media_type, format, err) < 0 ||
        convert_type(&manifest.config.media_type, format, err) < 0)
        return -1;
    for (size_t i = 0; i < manifest.n_layers; i++)
        if (convert_type(&manifest.layers[i].media_type, format, err) < 0)
            return error_wrap(err, "layer %zu", i + 1);
    if (format == IMAGE_FORMAT_DOCKER) { /* which has no annotations */
        json_decref(manifest.annotations);
        manifest.annotations = NULL;
    }
    manifest_format(&manifest, body);
    return 0;
}

static int convert_index(const struct document *from, enum image_format format, convert_child child,
                         void *data, struct strbuf *body, struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    if (index_parse(from->body.data, from->body.size, from->descriptor.media_type, &index, err) < 0)
        return -1;
    bool changed = media_type_is_docker(index.media_type) != (format == IMAGE_FORMAT_DOCKER);
    if (convert_type(&index.media_type, format, err) < 0)
        return -1;
    for (size_t i = 0; i < index.n_manifests; i++) {
        struct descriptor *entry = &index.manifests[i];
        const struct descriptor *now = child(data, &entry->digest);
        if (!now)
            continue;
        changed = true;
        entry->digest = now->digest;
        entry->size = now->size;
        free(entry->media_type);
        entry->media_type = xstrdup(now->media_type);
    }
    if (format == IMAGE_FORMAT_DOCKER) {
        json_decref(index.annotations);
        index.annotations = NULL;
    }
    if (changed)
        index_format(&index, body);
    return 0;
}

int document_convert(struct document *document, enum image_format format, convert_child child,
                     void *data, struct error **err)
{
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
    struct descriptor *desc = &document->descriptor;
    bool is_index = media_type_kind(desc->media_type) == MEDIA_KIND_INDEX;
    bool same = media_type_is_docker(desc->media_type) == (format == IMAGE_FORMAT_DOCKER);
    if (format == IMAGE_FORMAT_KEEP || (same && !is_index))
        return 0;
    int result = is_index ? convert_index(document, format, child, data, &body, err)
                          : convert_manifest(document, format, &body, err);
    if (result < 0)
        return -1;
    if (!body.size)
        return 0;
    enum media_kind kind;
    struct digest digest = digest_of(body.data, body.size);
    strbuf_reset(&document->body);
    strbuf_add(&document->body, body.data, body.size);
    return document_describe(document, NULL, &digest, &kind, err);
}
