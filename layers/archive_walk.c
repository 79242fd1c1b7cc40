/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/archive_walk.h"

#include "base/mem.h"
#include "oci/index.h"

#include <inttypes.h>

void archive_walk_init(struct archive_walk *walk, struct store *store)
{
    *walk = (struct archive_walk){ .store = store };
    hashmap_init(&walk->blobs, free);
    hashmap_init(&walk->documents, NULL);
}

void archive_walk_release(struct archive_walk *walk)
{
    hashmap_release(&walk->blobs);
    hashmap_release(&walk->documents);
}

static int visit_blob(struct archive_walk *walk, const struct descriptor *desc, struct error **err)
{
    char text[DIGEST_TEXT_SIZE], hex[DIGEST_HEX_SIZE];
    uint64_t size;
    digest_format(&desc->digest, text);
    digest_format_hex(&desc->digest, hex);
    if (store_lease(walk->store, &desc->digest, err) < 0)
        return -1;
    if (!store_has_blob(walk->store, &desc->digest, &size))
        return error_set(err, ERR_NOT_FOUND, "blob %s is missing", text);
    if (size != desc->size)
        return error_set(err, ERR_DIGEST,
                         "blob %s: %" PRIu64 " bytes, its descriptor says %" PRIu64, text, size,
                         desc->size);
    hashmap_put(&walk->blobs, hex, xmemdup(&size, sizeof(size)));
    return 0;
}

static int visit_manifest(struct archive_walk *walk, const struct strbuf *text,
                          const char *media_type, struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    if (manifest_parse(text->data, text->size, media_type, &manifest, err) < 0 ||
        visit_blob(walk, &manifest.config, err) < 0)
        return -1;
    for (size_t i = 0; i < manifest.n_layers; i++) {
        const struct descriptor *layer = &manifest.layers[i];
        if (media_type_kind(layer->media_type) == MEDIA_KIND_FOREIGN_LAYER &&
            !store_has_blob(walk->store, &layer->digest, NULL))
            continue;
        if (visit_blob(walk, layer, err) < 0)
            return -1;
    }
    return walk->manifest ? walk->manifest(walk, &manifest, err) : 0;
}

static int visit(struct archive_walk *walk, const struct descriptor *desc, unsigned depth,
                 struct error **err);

static bool is_image(const struct descriptor *desc)
{
    return !desc->platform.os || !platform_is_unknown(&desc->platform);
}

static int visit_index(struct archive_walk *walk, const struct strbuf *text, const char *media_type,
                       unsigned depth, struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    AUTO(error_free) struct error *missing = NULL; /* the first */
    if (index_parse(text->data, text->size, media_type, &index, err) < 0)
        return -1;
    bool any = false;
    for (size_t i = 0; i < index.n_manifests; i++) {
        struct error *error = NULL;
        if (visit(walk, &index.manifests[i], depth + 1, &error) == 0) {
            any |= is_image(&index.manifests[i]);
        } else if (!error_is(error, ERR_NOT_FOUND)) {
            error_move(err, error);
            return -1;
        } else if (missing || !is_image(&index.manifests[i])) {
            error_free(error);
        } else {
            missing = error;
        }
    }
    if (!any && missing) {
        error_move(err, TAKE(missing));
        return -1;
    }
    return 0;
}

static int visit_document(struct archive_walk *walk, const struct descriptor *desc, unsigned depth,
                          struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    enum media_kind kind;
    if (store_read_blob(walk->store, &desc->digest, MANIFEST_MAX_SIZE, &text, err) < 0 ||
        manifest_sniff(text.data, text.size, desc->media_type, &kind, err) < 0)
        return -1;
    if (kind == MEDIA_KIND_INDEX)
        return visit_index(walk, &text, desc->media_type, depth, err);
    return visit_manifest(walk, &text, desc->media_type, err);
}

/* In an index may stand what is neither manifest nor index: a blob. */
static bool is_document(const struct descriptor *desc, unsigned depth)
{
    enum media_kind kind = media_type_kind(desc->media_type);
    return depth == 0 || kind == MEDIA_KIND_MANIFEST || kind == MEDIA_KIND_INDEX;
}

static int visit(struct archive_walk *walk, const struct descriptor *desc, unsigned depth,
                 struct error **err)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&desc->digest, hex);
    if (index_check_depth(depth, err) < 0)
        return -1;
    if (hashmap_has(&walk->documents, hex))
        return 0;
    if (visit_blob(walk, desc, err) < 0)
        return -1;
    if (!is_document(desc, depth))
        return 0;
    if (visit_document(walk, desc, depth, err) < 0) {
        (void)hashmap_remove(&walk->blobs, hex); /* it was there */
        return error_wrap(err, "manifest sha256:%s", hex);
    }
    hashmap_put(&walk->documents, hex, walk);
    return 0;
}

int archive_walk_image(struct archive_walk *walk, const struct descriptor *desc, struct error **err)
{
    return visit(walk, desc, 0, err);
}
