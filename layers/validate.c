/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/validate.h"

#include "base/hashmap.h"
#include "base/mem.h"
#include "layers/blob_source.h"
#include "layers/compress.h"
#include "oci/image_config.h"
#include "oci/index.h"
#include "oci/manifest.h"

#include <inttypes.h>
#include <string.h>

struct validation {
    const struct validate_request *request;
    struct transport *from;
    struct validate_result result;
    struct hashmap seen; /* digests of blobs and documents */
};

static bool is_new(struct validation *validation, const struct digest *digest)
{
    if (hashmap_getn(&validation->seen, digest->bytes, SHA256_SIZE))
        return false;
    hashmap_putn(&validation->seen, digest->bytes, SHA256_SIZE, validation);
    return true;
}

/* A thing that is wrong is told, and the rest looked at; what keeps from looking is an error. */
static int settle(struct validation *validation, const char *kind, const struct digest *digest,
                  struct error **err)
{
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    AUTO(free) char *what = xasprintf("%s %s", kind, text);
    if (!error_is(*err, ERR_DIGEST) && !error_is(*err, ERR_INVALID) && !error_is(*err, ERR_LIMIT) &&
        !error_is(*err, ERR_NOT_FOUND) && !error_is(*err, ERR_UNSUPPORTED))
        return error_wrap(err, "%s", what);
    validation->result.n_problems++;
    validation->request->problem(validation->request->data, what, *err);
    error_clear(err);
    return 0;
}

/* Blobs */

static int check_diff_id(struct validation *validation, const struct descriptor *layer,
                         const struct digest *diff_id, struct error **err)
{
    uint8_t hash[SHA256_SIZE];
    struct source *blob = blob_source_new(validation->from, layer, err);
    if (!blob)
        return -1;
    AUTO(source_free) struct source *tar = decompress_source_new(blob, 0);
    AUTO(sink_free) struct sink *sink = sink_sha256_new(NULL, hash, NULL);
    if (source_pump(tar, sink, NULL, err) < 0 || sink_finish(sink, err) < 0)
        return -1;
    struct digest got = digest_from_sha256(hash);
    if (digest_equal(&got, diff_id))
        return 0;
    char got_text[DIGEST_TEXT_SIZE], text[DIGEST_TEXT_SIZE];
    digest_format(&got, got_text);
    digest_format(diff_id, text);
    return error_set(err, ERR_DIGEST, "its content has the diff_id %s, the config says %s",
                     got_text, text);
}

static int check_blob(struct validation *validation, const struct descriptor *blob,
                      const struct digest *diff_id, struct error **err)
{
    struct transport *from = validation->from;
    bool there = false;
    if (validation->request->fast) {
        if (from->ops->has_blob(from, blob, &there, err) < 0)
            return -1;
        return there ? 0 : error_set(err, ERR_NOT_FOUND, "it isn't there, or of another size");
    }
    if (diff_id)
        return check_diff_id(validation, blob, diff_id, err);
    AUTO(sink_free) struct sink *nowhere = sink_null_new(NULL);
    return transport_read_verified(from, blob, nowhere, err);
}

/* diff_id NULL: nothing is said of its content */
static int visit_blob(struct validation *validation, const char *kind,
                      const struct descriptor *blob, const struct digest *diff_id,
                      struct error **err)
{
    if (!is_new(validation, &blob->digest))
        return 0;
    validation->result.n_blobs++;
    validation->result.size += blob->size;
    if (check_blob(validation, blob, diff_id, err) == 0)
        return 0;
    return settle(validation, kind, &blob->digest, err);
}

/* Images */

static int read_config(struct validation *validation, const struct manifest *manifest,
                       const struct platform *platform, struct image_config *config,
                       struct error **err)
{
    const struct descriptor *desc = &manifest->config;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT_CAPPED(IMAGE_CONFIG_MAX_SIZE);
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(&text);
    if (transport_read_verified(validation->from, desc, sink, err) < 0 ||
        image_config_parse(text.data, text.size, config, err) < 0 ||
        image_config_check_layers(config, manifest->n_layers, err) < 0)
        return -1;
    const struct platform *own = &config->platform;
    if (!platform->os || !own->os ||
        (strcmp(platform->os, own->os) == 0 && own->architecture &&
         strcmp(platform->architecture, own->architecture) == 0))
        return 0;
    AUTO(strbuf_release) struct strbuf says = STRBUF_INIT, is = STRBUF_INIT;
    platform_format(platform, &says);
    platform_format(own, &is);
    return error_set(err, ERR_INVALID, "it is for %s, the index says %s", is.data, says.data);
}

static int visit_manifest(struct validation *validation, const struct document *document,
                          const struct platform *platform, struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    AUTO(image_config_release) struct image_config config;
    image_config_init(&config);
    if (manifest_parse(document->body.data, document->body.size, document->descriptor.media_type,
                       &manifest, err) < 0)
        return settle(validation, "manifest", &document->descriptor.digest, err);
    bool is_image = media_type_kind(manifest.config.media_type) == MEDIA_KIND_CONFIG &&
                    !platform_is_unknown(platform);
    bool has_config = is_image;
    if (!is_image) {
        if (visit_blob(validation, "config", &manifest.config, NULL, err) < 0)
            return -1;
    } else if (is_new(validation, &manifest.config.digest)) {
        validation->result.n_blobs++;
        validation->result.size += manifest.config.size;
    }
    if (is_image && read_config(validation, &manifest, platform, &config, err) < 0) {
        has_config = config.n_diff_ids == manifest.n_layers && error_is(*err, ERR_INVALID);
        if (settle(validation, "config", &manifest.config.digest, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < manifest.n_layers; i++) {
        const struct descriptor *layer = &manifest.layers[i];
        enum media_kind kind = media_type_kind(layer->media_type);
        if (kind == MEDIA_KIND_FOREIGN_LAYER && json_array_size(layer->urls))
            continue; /* elsewhere */
        bool has_diff_id = has_config && kind == MEDIA_KIND_LAYER;
        if (visit_blob(validation, "layer", layer, has_diff_id ? &config.diff_ids[i] : NULL, err) <
            0)
            return -1;
    }
    return 0;
}

static int visit_document(struct validation *validation, const struct document *document,
                          const struct platform *platform, unsigned depth, struct error **err);

static int get_entry(struct validation *validation, const struct descriptor *entry,
                     struct document *document, struct error **err)
{
    if (validation->from->ops->get_document(validation->from, &entry->digest, document, err) < 0)
        return -1;
    if (document->body.size == entry->size)
        return 0;
    return error_set(err, ERR_DIGEST, "%zu bytes where the index says %" PRIu64,
                     document->body.size, entry->size);
}

static int visit_entry(struct validation *validation, const struct descriptor *entry,
                       unsigned depth, struct error **err)
{
    enum media_kind kind = media_type_kind(entry->media_type);
    AUTO(document_release) struct document document = DOCUMENT_INIT;
    if (kind != MEDIA_KIND_INDEX && kind != MEDIA_KIND_MANIFEST)
        return visit_blob(validation, "blob", entry, NULL, err);
    if (!is_new(validation, &entry->digest))
        return 0;
    if (get_entry(validation, entry, &document, err) < 0)
        return settle(validation, "manifest", &entry->digest, err);
    return visit_document(validation, &document, &entry->platform, depth, err);
}

static int visit_index(struct validation *validation, const struct document *document,
                       unsigned depth, struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    if (document_parse_index(document, depth, &index, err) < 0)
        return settle(validation, "index", &document->descriptor.digest, err);
    for (size_t i = 0; i < index.n_manifests; i++)
        if (visit_entry(validation, &index.manifests[i], depth + 1, err) < 0)
            return -1;
    return 0;
}

static int visit_document(struct validation *validation, const struct document *document,
                          const struct platform *platform, unsigned depth, struct error **err)
{
    validation->result.n_documents++;
    if (media_type_kind(document->descriptor.media_type) == MEDIA_KIND_INDEX)
        return visit_index(validation, document, depth, err);
    return visit_manifest(validation, document, platform, err);
}

int validate_image(const struct validate_request *request, struct validate_result *ret,
                   struct error **err)
{
    struct validation validation = { .request = request, .from = request->from };
    AUTO(document_release) struct document top = DOCUMENT_INIT;
    const struct platform any = { NULL, NULL, NULL, NULL, NULL };
    if (request->from->ops->get_document(request->from, NULL, &top, err) < 0)
        return -1;
    hashmap_init(&validation.seen, NULL);
    int result = visit_document(&validation, &top, &any, 0, err);
    hashmap_release(&validation.seen);
    if (result < 0)
        return -1;
    validation.result.digest = top.descriptor.digest;
    *ret = validation.result;
    return 0;
}
