/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/json.h"
#include "layers/archive.h"
#include "layers/archive_members.h"
#include "layers/archive_walk.h"
#include "layers/entries.h"
#include "oci/image_config.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "oci/store_ingest.h"

#include <string.h>

#define REF_NAME "org.opencontainers.image.ref.name"
#define CONTAINERD_NAME "io.containerd.image.name"

struct load {
    struct store *store;
    struct archive_members members;
    json_t *docker; /* manifest.json, an array; or NULL */
    int (*loaded)(void *data, const struct archive_image *image, struct error **err);
    void *data;
};

/* The content of a layer's blob must be what the config says. */
static int verify_layer(struct store *store, const struct digest *blob,
                        const struct digest *diff_id, struct error **err)
{
    if (digest_equal(blob, diff_id))
        return 0; /* not compressed, and the blob was verified */
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    AUTO(error_free) struct error *absent = NULL;
    if (entries_read(store, blob, &entries, &absent) < 0 &&
        entries_scan(store, blob, &entries, err) < 0)
        return -1;
    if (digest_equal(&entries.diff_id, diff_id))
        return 0;
    char name[DIGEST_TEXT_SIZE], got[DIGEST_TEXT_SIZE], expected[DIGEST_TEXT_SIZE];
    digest_format(blob, name);
    digest_format(&entries.diff_id, got);
    digest_format(diff_id, expected);
    return error_set(err, ERR_DIGEST,
                     "layer %s: its content has the diff_id %s, the config says %s", name, got,
                     expected);
}

static int read_config(struct store *store, const struct digest *digest, size_t n_layers,
                       struct image_config *ret, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (store_read_blob(store, digest, IMAGE_CONFIG_MAX_SIZE, &text, err) < 0)
        return -1;
    if (image_config_parse(text.data, text.size, ret, err) < 0)
        return error_wrap(err, "config");
    return image_config_check_layers(ret, n_layers, err);
}

static int verify_manifest(struct archive_walk *walk, const struct manifest *manifest,
                           struct error **err)
{
    AUTO(image_config_release) struct image_config config = { 0 };
    if (media_type_kind(manifest->config.media_type) != MEDIA_KIND_CONFIG)
        return 0; /* an artifact: its blobs are opaque */
    if (read_config(walk->store, &manifest->config.digest, manifest->n_layers, &config, err) < 0)
        return -1;
    for (size_t i = 0; i < manifest->n_layers; i++) {
        const struct descriptor *layer = &manifest->layers[i];
        if (media_type_kind(layer->media_type) != MEDIA_KIND_LAYER)
            continue;
        if (verify_layer(walk->store, &layer->digest, &config.diff_ids[i], err) < 0)
            return -1;
    }
    return 0;
}

/* Names */

/* NULL where text isn't a name that a tag can have. */
static char *normal_name(const char *text)
{
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* such a name is as good as none */
    if (!text || reference_parse(text, &reference, &ignored) < 0 || reference.digest.is_set)
        return NULL;
    reference_default_tag(&reference);
    return reference_format(&reference);
}

static int tell(struct load *load, const struct descriptor *desc, const char *name,
                struct error **err)
{
    AUTO(descriptor_release) struct descriptor copy = { 0 };
    AUTO(free) char *normal = normal_name(name);
    descriptor_set(&copy, desc->media_type, &desc->digest, desc->size);
    AUTO(free) char *tag = xstrdup(descriptor_annotation(desc, REF_NAME));
    const struct archive_image image = { copy, normal, tag };
    return load->loaded(load->data, &image, err);
}

static int tell_tags(struct load *load, const struct descriptor *desc, const struct strvec *tags,
                     struct error **err)
{
    for (size_t i = 0; i < tags->n; i++)
        if (tell(load, desc, tags->items[i], err) < 0)
            return -1;
    return tags->n ? 0 : tell(load, desc, NULL, err);
}

/* manifest.json */

struct docker_item {
    const char *config;
    struct strvec tags, layers;
};

static void docker_item_release(struct docker_item *item)
{
    strvec_release(&item->tags);
    strvec_release(&item->layers);
}
DEFINE_AUTO_STRUCT(struct docker_item, docker_item_release)

static int parse_item(const json_t *docker, size_t i, struct docker_item *item, struct error **err)
{
    AUTO(free) char *pointer = xasprintf("/%zu", i);
    const json_t *object = json_array_get(docker, i);
    if (!json_is_object(object))
        return error_set(err, ERR_INVALID, "manifest.json: %s: expected an object", pointer);
    if (json_get_string(object, pointer, "Config", JSON_REQUIRED, &item->config, err) < 0 ||
        json_get_strings(object, pointer, "RepoTags", JSON_OPTIONAL, &item->tags, err) < 0 ||
        json_get_strings(object, pointer, "Layers", JSON_OPTIONAL, &item->layers, err) < 0)
        return error_wrap(err, "manifest.json");
    if (item->layers.n > MANIFEST_MAX_LAYERS)
        return error_set(err, ERR_LIMIT, "manifest.json: %s: %zu layers", pointer, item->layers.n);
    return 0;
}

static const struct archive_file *find_file(const struct load *load, const char *path,
                                            struct error **err)
{
    const struct archive_file *file = archive_members_find(&load->members, path);
    return file ? file
                : error_set_null(err, ERR_INVALID, "manifest.json: \"%s\" isn't in the archive",
                                 path);
}

/* By what it holds, whatever it is called. */
static int layer_media_type(struct load *load, const struct digest *digest, const char **ret,
                            struct error **err)
{
    char head[10];
    AUTO(close) int fd = store_open_blob(load->store, digest, err);
    if (fd < 0)
        return -1;
    AUTO(source_free) struct source *source = source_fd_new(fd, false, "layer");
    ssize_t n = source_read_full(source, head, sizeof(head), err);
    if (n < 0)
        return -1;
    switch (compression_detect(head, (size_t)n)) {
    case FOUND_PLAIN:
        *ret = MEDIA_TYPE_OCI_LAYER;
        return 0;
    case FOUND_GZIP:
        *ret = MEDIA_TYPE_OCI_LAYER_GZIP;
        return 0;
    case FOUND_ZSTD:
        *ret = MEDIA_TYPE_OCI_LAYER_ZSTD;
        return 0;
    case FOUND_BZIP2:
    case FOUND_XZ:
        break;
    }
    return error_set(err, ERR_UNSUPPORTED, "a layer in bzip2 or xz: images can't have such");
}

static int add_layer(struct load *load, struct manifest *manifest, const char *path,
                     const struct digest *diff_id, struct error **err)
{
    const char *media_type;
    const struct archive_file *file = find_file(load, path, err);
    if (!file)
        return -1;
    if (layer_media_type(load, &file->digest, &media_type, err) < 0 ||
        verify_layer(load->store, &file->digest, diff_id, err) < 0)
        return error_wrap(err, "%s", path);
    descriptor_set(ARRAY_PUSH(manifest, layers), media_type, &file->digest, file->size);
    return 0;
}

static int load_docker_item(struct load *load, const struct docker_item *item, struct error **err)
{
    AUTO(image_config_release) struct image_config config = { 0 };
    AUTO(manifest_release) struct manifest manifest = { 0 };
    const struct archive_file *file = find_file(load, item->config, err);
    if (!file)
        return -1;
    if (read_config(load->store, &file->digest, item->layers.n, &config, err) < 0)
        return error_wrap(err, "%s", item->config);
    manifest.media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST);
    descriptor_set(&manifest.config, MEDIA_TYPE_OCI_CONFIG, &file->digest, file->size);
    for (size_t i = 0; i < item->layers.n; i++)
        if (add_layer(load, &manifest, item->layers.items[i], &config.diff_ids[i], err) < 0)
            return -1;

    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(descriptor_release)
    struct descriptor desc = { .media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST) };
    manifest_format(&manifest, &text);
    if (store_put_blob(load->store, text.data, text.size, &desc, err) < 0)
        return -1;
    return tell_tags(load, &desc, &item->tags, err);
}

static int load_docker(struct load *load, struct error **err)
{
    for (size_t i = 0; i < json_array_size(load->docker); i++) {
        AUTO(docker_item_release) struct docker_item item = { NULL, STRVEC_INIT, STRVEC_INIT };
        if (parse_item(load->docker, i, &item, err) < 0 || load_docker_item(load, &item, err) < 0)
            return -1;
    }
    return 0;
}

/* index.json */

/* Names that manifest.json has for the image of this manifest. */
static int docker_tags(struct load *load, const struct descriptor *desc, struct strvec *tags,
                       struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(manifest_release) struct manifest manifest = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* an index, which has no config */
    if (store_read_blob(load->store, &desc->digest, MANIFEST_MAX_SIZE, &text, err) < 0)
        return -1;
    if (manifest_parse(text.data, text.size, desc->media_type, &manifest, &ignored) < 0)
        return 0;
    for (size_t i = 0; i < json_array_size(load->docker); i++) {
        AUTO(docker_item_release) struct docker_item item = { NULL, STRVEC_INIT, STRVEC_INIT };
        if (parse_item(load->docker, i, &item, err) < 0)
            return -1;
        const struct archive_file *config = archive_members_find(&load->members, item.config);
        if (config && digest_equal(&config->digest, &manifest.config.digest))
            strvec_append(tags, &item.tags);
    }
    return 0;
}

/* Docker and containerd write the whole name apart; others put it where the tag should be. */
static const char *annotated_name(const struct descriptor *desc)
{
    const char *name = descriptor_annotation(desc, CONTAINERD_NAME);
    if (name)
        return name;
    name = descriptor_annotation(desc, REF_NAME);
    return name && strpbrk(name, "/:") ? name : NULL;
}

static int load_oci_image(struct load *load, struct archive_walk *walk,
                          const struct descriptor *desc, struct error **err)
{
    const char *name = annotated_name(desc);
    AUTO(strvec_release) struct strvec tags = STRVEC_INIT;
    if (archive_walk_image(walk, desc, err) < 0)
        return -1;
    if (name)
        strvec_push(&tags, name);
    else if (docker_tags(load, desc, &tags, err) < 0)
        return -1;
    return tell_tags(load, desc, &tags, err);
}

static int load_oci(struct load *load, struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    AUTO(archive_walk_release) struct archive_walk walk = { 0 };
    archive_walk_init(&walk, load->store);
    walk.manifest = verify_manifest;
    if (index_parse(load->members.index.data, load->members.index.size, MEDIA_TYPE_OCI_INDEX,
                    &index, err) < 0)
        return error_wrap(err, "index.json");
    for (size_t i = 0; i < index.n_manifests; i++)
        if (load_oci_image(load, &walk, &index.manifests[i], err) < 0)
            return -1;
    return 0;
}

static int load_all(struct load *load, struct source *from, struct error **err)
{
    struct archive_members *members = &load->members;
    if (archive_members_read(members, load->store, from, err) < 0)
        return -1;
    if (members->has_manifest) {
        load->docker = json_parse(members->manifest.data, members->manifest.size, err);
        if (!load->docker)
            return error_wrap(err, "manifest.json");
        if (!json_is_array(load->docker))
            return error_set(err, ERR_INVALID, "manifest.json: expected an array");
    }
    if (members->has_index)
        return load_oci(load, err);
    if (load->docker)
        return load_docker(load, err);
    error_set_(err, ERR_INVALID,
               "not an image archive: it has neither index.json nor manifest.json");
    error_hint(err, "a root file system is read by `cbuild import`");
    return -1;
}

int archive_load(struct store *store, struct source *from,
                 int (*loaded)(void *data, const struct archive_image *image, struct error **err),
                 void *data, struct error **err)
{
    struct load load = { .store = store, .loaded = loaded, .data = data };
    archive_members_init(&load.members);
    int result = load_all(&load, from, err);
    archive_members_release(&load.members);
    json_decref(load.docker);
    return result;
}
