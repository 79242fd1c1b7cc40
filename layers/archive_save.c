/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in the archive, in this order (which is also the order of names):
 *
 *     both, oci   blobs/ blobs/sha256/ blobs/sha256/HEX ... index.json manifest.json oci-layout
 *     docker      HEX.json (configs), HEX.tar (layers by diff_id, not compressed), manifest.json
 *
 * Every blob is hashed again as it leaves: a rotten store makes no archive.
 */
#include "base/array.h"
#include "base/cancel.h"
#include "base/json.h"
#include "layers/archive.h"
#include "layers/archive_walk.h"
#include "layers/entries.h"
#include "layers/tar_write.h"
#include "oci/image.h"
#include "oci/index.h"

#include <string.h>

#define BUFFER_SIZE ((size_t)128 * 1024)
#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define REF_NAME "org.opencontainers.image.ref.name"
#define CONTAINERD_NAME "io.containerd.image.name"

struct save {
    struct store *store;
    const struct archive_image *images;
    size_t n_images;
    struct tar_writer *tar;
};

static int save_directory(struct save *save, const char *path, struct error **err)
{
    AUTO(free) char *copy = xstrdup(path);
    const struct entry entry = { .path = copy, .type = ENTRY_DIRECTORY, .mode = 0755 };
    return tar_writer_entry(save->tar, &entry, err);
}

static int save_text(struct save *save, const char *path, const void *data, size_t size,
                     struct error **err)
{
    AUTO(free) char *copy = xstrdup(path);
    const struct entry entry = { .path = copy, .mode = 0644, .size = size };
    if (tar_writer_entry(save->tar, &entry, err) < 0)
        return -1;
    return tar_writer_data(save->tar, data, size, err);
}

/* `size` bytes of source (owned), which must have this digest. */
static int save_stream(struct save *save, const char *path, struct source *source, uint64_t size,
                       const struct digest *digest, struct error **err)
{
    AUTO(source_free) struct source *owned = source;
    AUTO(free) char *copy = xstrdup(path);
    AUTO(free) char *buffer = xmalloc(BUFFER_SIZE);
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    const struct entry entry = { .path = copy, .mode = 0644, .size = size };
    if (tar_writer_entry(save->tar, &entry, err) < 0)
        return -1;
    for (;;) {
        ssize_t n = cancel_check(err) < 0 ? -1 : source_read(owned, buffer, BUFFER_SIZE, err);
        if (n < 0)
            return -1;
        if (n == 0 || (uint64_t)n > size)
            break;
        sha256_update(hash, buffer, (size_t)n);
        size -= (uint64_t)n;
        if (tar_writer_data(save->tar, buffer, (size_t)n, err) < 0)
            return -1;
    }
    uint8_t got[SHA256_SIZE];
    sha256_finish(hash, got);
    if (size || memcmp(got, digest->bytes, sizeof(got)) != 0)
        return error_set(err, ERR_DIGEST, "%s: its content changed in the store", path);
    return 0;
}

static int save_blob(struct save *save, const char *path, const struct digest *digest,
                     uint64_t size, struct error **err)
{
    int fd = store_open_blob(save->store, digest, err);
    if (fd < 0)
        return -1;
    return save_stream(save, path, source_fd_new(fd, true, path), size, digest, err);
}

static int save_blobs(struct save *save, const struct archive_walk *walk, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&walk->blobs, e));)
        strvec_push(&names, e->key);
    strvec_sort(&names);
    if (save_directory(save, "blobs", err) < 0 || save_directory(save, "blobs/sha256", err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        AUTO(free) char *path = xasprintf("blobs/sha256/%s", names.items[i]);
        struct digest digest = { .is_set = true };
        if (!sha256_from_hex(names.items[i], strlen(names.items[i]), digest.bytes))
            abort(); /* we made it of a digest */
        const uint64_t *size = hashmap_get(&walk->blobs, names.items[i]);
        if (save_blob(save, path, &digest, *size, err) < 0)
            return -1;
    }
    return 0;
}

/* index.json: an entry per name. Loaders read the tag, containerd's the whole name. */
static int save_index(struct save *save, struct error **err)
{
    AUTO(index_release) struct index index = { .media_type = xstrdup(MEDIA_TYPE_OCI_INDEX) };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < save->n_images; i++) {
        const struct archive_image *image = &save->images[i];
        struct descriptor *desc = ARRAY_PUSH(&index, manifests);
        descriptor_copy(desc, &image->descriptor);
        if (image->tag)
            descriptor_annotate(desc, REF_NAME, image->tag);
        if (!image->name)
            continue;
        AUTO(reference_release) struct reference reference = { 0 };
        if (reference_parse(image->name, &reference, err) < 0)
            return -1;
        descriptor_annotate(desc, CONTAINERD_NAME, image->name);
        if (reference.tag && !image->tag)
            descriptor_annotate(desc, REF_NAME, reference.tag);
    }
    index_format(&index, &text);
    return save_text(save, "index.json", text.data, text.size, err);
}

/* manifest.json */

struct docker_item {
    char *config;
    struct strvec tags, layers;
};

struct docker_items {
    struct docker_item *items;
    size_t n_items, items_capacity;
};

static void docker_items_release(struct docker_items *list)
{
    for (size_t i = 0; i < list->n_items; i++) {
        free(list->items[i].config);
        strvec_release(&list->items[i].tags);
        strvec_release(&list->items[i].layers);
    }
    free(list->items);
}
DEFINE_AUTO_STRUCT(struct docker_items, docker_items_release)

/* Whole names, as skopeo writes them: docker takes either, podman makes localhost/app of a short
 * one. */
static void add_tag(struct docker_item *item, const char *name)
{
    if (name && !strvec_has(&item->tags, name))
        strvec_push(&item->tags, name);
}

/* Names of one image stand together. */
static struct docker_item *find_item(struct docker_items *list, const char *config,
                                     const struct strvec *layers)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (strcmp(list->items[i].config, config) == 0 &&
            strvec_equal(&list->items[i].layers, layers))
            return &list->items[i];
    struct docker_item *item = ARRAY_PUSH(list, items);
    item->config = xstrdup(config);
    strvec_copy(&item->layers, layers);
    return item;
}

static int save_docker_items(struct save *save, const struct docker_items *list, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(json_decref) json_t *array = json_array();
    for (size_t i = 0; i < list->n_items; i++) {
        const struct docker_item *item = &list->items[i];
        json_t *object = json_object();
        json_set(object, "Config", json_from_string(item->config));
        json_set(object, "Layers", json_from_strvec(&item->layers));
        json_set(object, "RepoTags", item->tags.n ? json_from_strvec(&item->tags) : json_null());
        json_array_append_new(array, object);
    }
    json_format_canonical(array, &text);
    return save_text(save, "manifest.json", text.data, text.size, err);
}

/* Of an index, docker's part is the image for this machine: none is no reason to give up. */
static int is_no_docker_image(struct error **err)
{
    if (!error_is(*err, ERR_UNSUPPORTED) && !error_is(*err, ERR_NOT_FOUND))
        return -1;
    error_clear(err);
    return 0;
}

/* manifest.json that points into blobs/ */
static int save_pointing(struct save *save, struct error **err)
{
    AUTO(docker_items_release) struct docker_items list = { NULL, 0, 0 };
    for (size_t i = 0; i < save->n_images; i++) {
        AUTO(image_release) struct image image = { 0 };
        AUTO(strvec_release) struct strvec layers = STRVEC_INIT;
        if (image_read(save->store, &save->images[i].descriptor, NULL, &image, err) < 0) {
            if (is_no_docker_image(err) < 0)
                return -1;
            continue;
        }
        char hex[DIGEST_HEX_SIZE];
        for (size_t k = 0; k < image.manifest.n_layers; k++) {
            digest_format_hex(&image.manifest.layers[k].digest, hex);
            strvec_pushf(&layers, "blobs/sha256/%s", hex);
        }
        digest_format_hex(&image.manifest.config.digest, hex);
        AUTO(free) char *config = xasprintf("blobs/sha256/%s", hex);
        add_tag(find_item(&list, config, &layers), save->images[i].name);
    }
    return list.n_items ? save_docker_items(save, &list, err) : 0;
}

static int save_layout(struct save *save, enum archive_format format, struct error **err)
{
    AUTO(archive_walk_release) struct archive_walk walk = { 0 };
    archive_walk_init(&walk, save->store);
    for (size_t i = 0; i < save->n_images; i++)
        if (archive_walk_image(&walk, &save->images[i].descriptor, err) < 0)
            return -1;
    if (save_blobs(save, &walk, err) < 0 || save_index(save, err) < 0)
        return -1;
    if (format == ARCHIVE_BOTH && save_pointing(save, err) < 0)
        return -1;
    return save_text(save, "oci-layout", LAYOUT, strlen(LAYOUT), err);
}

/* The classic docker archive */

struct docker_file {
    char *path;
    struct digest blob, content; /* as stored; as written (a layer's diff_id) */
    uint64_t size;               /* as written */
};

static int layer_size(struct save *save, const struct descriptor *layer,
                      const struct digest *diff_id, uint64_t *size, struct error **err)
{
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    AUTO(error_free) struct error *absent = NULL;
    if (entries_read(save->store, &layer->digest, &entries, &absent) < 0 &&
        entries_scan(save->store, &layer->digest, &entries, err) < 0)
        return -1;
    char name[DIGEST_TEXT_SIZE];
    digest_format(&layer->digest, name);
    if (!digest_equal(&entries.diff_id, diff_id))
        return error_set(err, ERR_DIGEST, "layer %s: not the diff_id that its config says", name);
    *size = entries.tar_size;
    return 0;
}

static void add_file(struct hashmap *files, const char *path, const struct digest *blob,
                     const struct digest *content, uint64_t size)
{
    struct docker_file *file = NEW(struct docker_file);
    file->path = xstrdup(path);
    file->blob = *blob;
    file->content = *content;
    file->size = size;
    hashmap_put(files, path, file);
}

static void docker_file_free(void *data)
{
    struct docker_file *file = data;
    free(file->path);
    free(file);
}

static int add_docker_image(struct save *save, const struct archive_image *source,
                            struct hashmap *files, struct docker_items *list, struct error **err)
{
    AUTO(image_release) struct image image = { 0 };
    AUTO(strvec_release) struct strvec layers = STRVEC_INIT;
    char hex[DIGEST_HEX_SIZE];
    if (image_read(save->store, &source->descriptor, NULL, &image, err) < 0)
        return -1;
    for (size_t i = 0; i < image.manifest.n_layers; i++) {
        const struct descriptor *layer = &image.manifest.layers[i];
        const struct digest *diff_id = &image.config.diff_ids[i];
        uint64_t size;
        digest_format_hex(diff_id, hex);
        strvec_pushf(&layers, "%s.tar", hex);
        if (hashmap_has(files, layers.items[i]))
            continue;
        if (layer_size(save, layer, diff_id, &size, err) < 0)
            return -1;
        add_file(files, layers.items[i], &layer->digest, diff_id, size);
    }
    const struct descriptor *config = &image.manifest.config;
    digest_format_hex(&config->digest, hex);
    AUTO(free) char *name = xasprintf("%s.json", hex);
    add_file(files, name, &config->digest, &config->digest, config->size);
    add_tag(find_item(list, name, &layers), source->name);
    return 0;
}

static int save_docker_file(struct save *save, const struct docker_file *file, struct error **err)
{
    if (digest_equal(&file->blob, &file->content))
        return save_blob(save, file->path, &file->blob, file->size, err);
    int fd = store_open_blob(save->store, &file->blob, err);
    if (fd < 0)
        return -1;
    struct source *source = decompress_source_new(source_fd_new(fd, true, file->path), 0);
    return save_stream(save, file->path, source, file->size, &file->content, err);
}

static int save_docker(struct save *save, struct error **err)
{
    AUTO(hashmap_release) struct hashmap files = HASHMAP_INIT(docker_file_free);
    AUTO(docker_items_release) struct docker_items list = { NULL, 0, 0 };
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    for (size_t i = 0; i < save->n_images; i++)
        if (add_docker_image(save, &save->images[i], &files, &list, err) < 0)
            return -1;
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&files, e));)
        strvec_push(&names, e->key);
    strvec_sort(&names);
    for (size_t i = 0; i < names.n; i++)
        if (save_docker_file(save, hashmap_get(&files, names.items[i]), err) < 0)
            return -1;
    return save_docker_items(save, &list, err);
}

int archive_save(struct store *store, const struct archive_image *images, size_t n_images,
                 enum archive_format format, struct sink *to, struct error **err)
{
    AUTO(tar_writer_free) struct tar_writer *tar = tar_writer_new(to);
    struct save save = { store, images, n_images, tar };
    int result =
        format == ARCHIVE_DOCKER ? save_docker(&save, err) : save_layout(&save, format, err);
    return result < 0 ? -1 : tar_writer_finish(tar, err);
}

void archive_images_release(struct archive_images *images)
{
    for (size_t i = 0; i < images->n_images; i++) {
        descriptor_release(&images->images[i].descriptor);
        free(images->images[i].name);
        free(images->images[i].tag);
    }
    free(images->images);
}
