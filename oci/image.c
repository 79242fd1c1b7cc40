/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image.h"

#include "oci/index.h"

#include <inttypes.h>

void image_release(struct image *image)
{
    descriptor_release(&image->target);
    descriptor_release(&image->descriptor);
    manifest_release(&image->manifest);
    image_config_release(&image->config);
}

int image_read_document(struct store *store, const struct descriptor *desc, size_t max,
                        struct strbuf *buf, struct error **err)
{
    if (store_read_blob(store, &desc->digest, max, buf, err) < 0)
        return -1;
    if (buf->size == desc->size)
        return 0;
    char text[DIGEST_TEXT_SIZE];
    digest_format(&desc->digest, text);
    return error_set(err, ERR_DIGEST, "%s: its descriptor says %" PRIu64 " bytes, it has %zu", text,
                     desc->size, buf->size);
}

/* desc is an index: what it has for the platform. */
static int select_in_index(const char *data, size_t size, const struct descriptor *desc,
                           const struct platform *platform, struct descriptor *ret,
                           struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    if (index_parse(data, size, desc->media_type, &index, err) < 0)
        return -1;
    const struct descriptor *found = index_select(&index, platform, err);
    if (!found)
        return -1;
    descriptor_copy(ret, found);
    return 0;
}

/* Follows indexes down to a manifest: its bytes in buf, its descriptor in desc. */
static int find_manifest(struct store *store, const struct platform *platform,
                         struct descriptor *desc, struct strbuf *buf, struct error **err)
{
    for (unsigned depth = 0;; depth++) {
        if (index_check_depth(depth, err) < 0)
            return -1;
        strbuf_reset(buf);
        enum media_kind kind;
        if (image_read_document(store, desc, MANIFEST_MAX_SIZE, buf, err) < 0 ||
            manifest_sniff(buf->data, buf->size, desc->media_type, &kind, err) < 0)
            return -1;
        if (kind != MEDIA_KIND_INDEX)
            return 0;
        AUTO(descriptor_release) struct descriptor next = { 0 };
        if (select_in_index(buf->data, buf->size, desc, platform, &next, err) < 0)
            return -1;
        descriptor_copy(desc, &next);
    }
}

static int read_config(struct store *store, struct image *image, struct error **err)
{
    const struct descriptor *desc = &image->manifest.config;
    if (media_type_kind(desc->media_type) != MEDIA_KIND_CONFIG)
        return error_set(err, ERR_UNSUPPORTED, "an artifact of type %s, not an image",
                         image->manifest.artifact_type ? image->manifest.artifact_type
                                                       : desc->media_type);
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    if (image_read_document(store, desc, IMAGE_CONFIG_MAX_SIZE, &buf, err) < 0 ||
        image_config_parse(buf.data, buf.size, &image->config, err) < 0)
        return error_wrap(err, "config");
    return image_config_check_layers(&image->config, image->manifest.n_layers, err);
}

static int read_image(struct store *store, const struct platform *platform, struct image *image,
                      struct error **err)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    descriptor_copy(&image->descriptor, &image->target);
    if (find_manifest(store, platform, &image->descriptor, &buf, err) < 0 ||
        manifest_parse(buf.data, buf.size, image->descriptor.media_type, &image->manifest, err) < 0)
        return -1;
    return read_config(store, image, err);
}

int image_read(struct store *store, const struct descriptor *desc, const struct platform *platform,
               struct image *ret, struct error **err)
{
    AUTO(platform_release) struct platform host = { 0 };
    if (!platform)
        platform_host(&host);
    AUTO(image_release) struct image image = { 0 };
    descriptor_copy(&image.target, desc);
    if (read_image(store, platform ? platform : &host, &image, err) < 0) {
        char text[DIGEST_TEXT_SIZE];
        digest_format(&desc->digest, text);
        return error_wrap(err, "image %s", text);
    }
    *ret = image;
    image = (struct image){ 0 };
    return 0;
}

int image_choose(struct store *store, const struct platform *platform, struct descriptor *desc,
                 struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(descriptor_release) struct descriptor chosen = { 0 };
    descriptor_copy(&chosen, desc);
    if (find_manifest(store, platform, &chosen, &text, err) < 0)
        return -1;
    descriptor_copy(desc, &chosen);
    return 0;
}
