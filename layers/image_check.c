/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/image_check.h"

#include "base/mem.h"
#include "layers/entries.h"
#include "layers/layer.h"
#include "oci/image.h"
#include "oci/index.h"

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
        if (layer_check(layer, err) < 0)
            return error_wrap(err, "layer %zu", i + 1);
    }
    return 0;
}

int image_check(struct store *store, const struct descriptor *target, struct error **err)
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

/* Watching */

static void drop_entries(void *made)
{
    struct entries *entries = made;
    if (entries)
        entries_release(entries);
    free(entries);
}

static int scan_arriving(void *data UNUSED, const struct descriptor *blob UNUSED,
                         struct source *bytes, void **made, struct error **err)
{
    struct entries *entries = NEW(struct entries);
    *made = entries;
    return entries_scan_source(bytes, NULL, entries, err);
}

static void keep_entries(void *data UNUSED, struct store *store, const struct descriptor *blob,
                         void *made)
{
    AUTO(error_free) struct error *ignored = NULL; /* a cache: they are made again */
    int written = entries_write(store, &blob->digest, made, &ignored);
    (void)written;
    drop_entries(made);
}

const struct blob_watcher image_check_watcher = { scan_arriving, keep_entries, drop_entries, NULL };
