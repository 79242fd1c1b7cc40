/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over an image's documents: what it needs, and whether all of that is there. */
#include "base/mem.h"
#include "oci/image_config.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "oci/store_internal.h"

/* Told of each blob that an image refers to. `data` is the walk's. */
struct walk {
    int (*blob)(struct walk *walk, const struct descriptor *desc, bool required,
                struct error **err);
    int (*config)(struct walk *walk, const struct image_config *config, struct error **err);
    const struct store *store;
    struct hashmap *names;
    bool tolerant; /* a document that is damaged or missing ends its own part only */
};

/* A fault of what is stored, not of storing. */
static bool is_fault_of_document(const struct error *error)
{
    return error_is(error, ERR_NOT_FOUND) || error_is(error, ERR_DIGEST) ||
           error_is(error, ERR_INVALID) || error_is(error, ERR_UNSUPPORTED) ||
           error_is(error, ERR_LIMIT);
}

static int tolerate(const struct walk *walk, struct error **err)
{
    if (!walk->tolerant || !is_fault_of_document(*err))
        return -1;
    error_clear(err);
    return 0;
}

static int walk_document(struct walk *walk, const struct descriptor *desc, unsigned depth,
                         struct error **err);

static int walk_config(struct walk *walk, const struct descriptor *desc, struct error **err)
{
    if (!walk->config || media_type_kind(desc->media_type) != MEDIA_KIND_CONFIG)
        return 0;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(image_config_release) struct image_config config = { 0 };
    if (store_read_blob(walk->store, &desc->digest, IMAGE_CONFIG_MAX_SIZE, &buf, err) < 0 ||
        image_config_parse(buf.data, buf.size, &config, err) < 0)
        return -1;
    return walk->config(walk, &config, err);
}

static int walk_manifest(struct walk *walk, const struct strbuf *buf, const char *media_type,
                         struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    if (manifest_parse(buf->data, buf->size, media_type, &manifest, err) < 0 ||
        walk->blob(walk, &manifest.config, true, err) < 0)
        return -1;
    for (size_t i = 0; i < manifest.n_layers; i++) {
        const struct descriptor *layer = &manifest.layers[i];
        bool foreign = media_type_kind(layer->media_type) == MEDIA_KIND_FOREIGN_LAYER;
        if (walk->blob(walk, layer, !foreign, err) < 0)
            return -1;
    }
    return walk_config(walk, &manifest.config, err);
}

/* Of an index only some platforms may have been pulled. */
static int walk_index(struct walk *walk, const struct strbuf *buf, const char *media_type,
                      unsigned depth, struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    if (index_parse(buf->data, buf->size, media_type, &index, err) < 0)
        return -1;
    for (size_t i = 0; i < index.n_manifests; i++) {
        const struct descriptor *entry = &index.manifests[i];
        if (walk->blob(walk, entry, false, err) < 0)
            return -1;
        if (store_has_blob(walk->store, &entry->digest, NULL) &&
            walk_document(walk, entry, depth + 1, err) < 0 && tolerate(walk, err) < 0)
            return -1;
    }
    return 0;
}

static int walk_document(struct walk *walk, const struct descriptor *desc, unsigned depth,
                         struct error **err)
{
    enum media_kind kind = media_type_kind(desc->media_type);
    if (kind != MEDIA_KIND_MANIFEST && kind != MEDIA_KIND_INDEX)
        return 0; /* opaque to us: a blob */
    if (index_check_depth(depth, err) < 0)
        return -1;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    if (store_read_blob(walk->store, &desc->digest, MANIFEST_MAX_SIZE, &buf, err) < 0)
        return -1;
    if (kind == MEDIA_KIND_MANIFEST)
        return walk_manifest(walk, &buf, desc->media_type, err);
    return walk_index(walk, &buf, desc->media_type, depth, err);
}

static void add_name(struct walk *walk, const struct digest *digest)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    hashmap_put(walk->names, hex, walk->names);
}

static int mark_blob(struct walk *walk, const struct descriptor *desc, bool required UNUSED,
                     struct error **err UNUSED)
{
    add_name(walk, &desc->digest);
    return 0;
}

static int mark_config(struct walk *walk, const struct image_config *config,
                       struct error **err UNUSED)
{
    struct digest chain = { 0 };
    for (size_t i = 0; i < config->n_diff_ids; i++) {
        chain = digest_chain_id(&chain, &config->diff_ids[i]);
        add_name(walk, &config->diff_ids[i]);
        add_name(walk, &chain);
    }
    return 0;
}

int store_mark_image(const struct store *store, const struct descriptor *desc,
                     struct hashmap *names, struct error **err)
{
    struct walk walk = {
        .blob = mark_blob,
        .config = mark_config,
        .store = store,
        .names = names,
        .tolerant = true,
    };
    add_name(&walk, &desc->digest);
    if (walk_document(&walk, desc, 0, err) < 0)
        return tolerate(&walk, err);
    return 0;
}

static int check_blob(struct walk *walk, const struct descriptor *desc, bool required,
                      struct error **err)
{
    uint64_t size;
    char text[DIGEST_TEXT_SIZE];
    digest_format(&desc->digest, text);
    if (!store_has_blob(walk->store, &desc->digest, &size)) {
        if (required)
            return error_set(err, ERR_NOT_FOUND, "blob %s: not in store %s", text,
                             store_path(walk->store));
        return 0;
    }
    if (size != desc->size)
        return error_set(err, ERR_DIGEST,
                         "blob %s: its size in store %s isn't what its descriptor says", text,
                         store_path(walk->store));
    return 0;
}

int store_check_image(const struct store *store, const struct descriptor *desc, struct error **err)
{
    struct walk walk = { .blob = check_blob, .store = store };
    if (check_blob(&walk, desc, true, err) < 0)
        return -1;
    return walk_document(&walk, desc, 0, err);
}
