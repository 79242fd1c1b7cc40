/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/oci_layout.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/source.h"
#include "base/strvec.h"
#include "oci/image.h"
#include "oci/index.h"
#include "oci/store_ingest.h"
#include "oci/store_tags.h"

#include <fcntl.h>
#include <string.h>

#define MAX_DEPTH 4 /* of indexes in indexes */
#define REF_NAME "org.opencontainers.image.ref.name"

struct layout {
    struct store *store;
    int fd;
};

int oci_layout_parse(const char *text, char **dir, char **tag, char **digest, struct error **err)
{
    const char *at = strrchr(text, '@');
    const char *slash = strrchr(text, '/');
    if (at && slash && at < slash)
        at = NULL;
    const char *colon = at ? NULL : strchr(slash ? slash : text, ':');
    const char *end = at ? at : colon;
    size_t size = end ? (size_t)(end - text) : strlen(text);
    if (!size || (end && !end[1]))
        return error_set(err, ERR_USAGE, "oci-layout://%s: expected DIR[:TAG|@DIGEST]", text);
    *dir = xstrndup(text, size);
    *tag = xstrdup(colon ? colon + 1 : NULL);
    *digest = xstrdup(at ? at + 1 : NULL);
    return 0;
}

/* --- blobs ----------------------------------------------------------------------------------- */

/* By its digest alone: links that tools make of blobs may lead anywhere. */
static int open_blob(const struct layout *layout, const struct descriptor *desc, struct error **err)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&desc->digest, hex);
    AUTO(free) char *path = xasprintf("blobs/sha256/%s", hex);
    AUTO(close) int fd = fs_open(layout->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, err);
    struct stat st;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(err, ERR_INVALID, "%s: not a regular file", path);
    return take_fd(&fd);
}

static int copy_blob(const struct layout *layout, const struct descriptor *desc, struct error **err)
{
    uint64_t size;
    if (store_lease(layout->store, &desc->digest, err) < 0)
        return -1;
    if (store_has_blob(layout->store, &desc->digest, &size) && size == desc->size)
        return 0;
    int fd = open_blob(layout, desc, err);
    if (fd < 0)
        return -1;
    AUTO(source_free) struct source *source = source_fd_new(fd, true, "blob");
    AUTO(store_ingest_free)
    struct store_ingest *ingest = store_ingest_new(layout->store, desc, err);
    if (!ingest || source_pump(source, store_ingest_sink(ingest), NULL, err) < 0 ||
        sink_finish(store_ingest_sink(ingest), err) < 0)
        return -1;
    return store_ingest_commit(ingest, NULL, NULL, err);
}

static bool is_there(const struct layout *layout, const struct descriptor *desc)
{
    AUTO(error_free) struct error *missing = NULL;
    AUTO(close) int fd = open_blob(layout, desc, &missing);
    return fd >= 0 || store_has_blob(layout->store, &desc->digest, NULL);
}

/* --- documents ------------------------------------------------------------------------------- */

static int copy_manifest(const struct layout *layout, const struct descriptor *desc,
                         const struct strbuf *buf, struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    if (manifest_parse(buf->data, buf->size, desc->media_type, &manifest, err) < 0 ||
        copy_blob(layout, &manifest.config, err) < 0)
        return -1;
    for (size_t i = 0; i < manifest.n_layers; i++) {
        const struct descriptor *layer = &manifest.layers[i];
        bool foreign = media_type_kind(layer->media_type) == MEDIA_KIND_FOREIGN_LAYER;
        if ((!foreign || is_there(layout, layer)) && copy_blob(layout, layer, err) < 0)
            return error_wrap(err, "layer %zu", i + 1);
    }
    return 0;
}

static int copy_document(const struct layout *layout, const struct descriptor *desc, int depth,
                         struct error **err)
{
    enum media_kind kind = media_type_kind(desc->media_type);
    if (depth > MAX_DEPTH)
        return error_set(err, ERR_LIMIT, "indexes nested more than %d deep", MAX_DEPTH);
    if (copy_blob(layout, desc, err) < 0)
        return -1;
    if (kind != MEDIA_KIND_INDEX && kind != MEDIA_KIND_MANIFEST)
        return error_set(err, ERR_UNSUPPORTED, "%s is no image", desc->media_type);
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    if (image_read_document(layout->store, desc, MANIFEST_MAX_SIZE, &buf, err) < 0)
        return -1;
    if (kind == MEDIA_KIND_MANIFEST)
        return copy_manifest(layout, desc, &buf, err);
    AUTO(index_release) struct index index = { 0 };
    if (index_parse(buf.data, buf.size, desc->media_type, &index, err) < 0)
        return -1;
    size_t n = 0;
    for (size_t i = 0; i < index.n_manifests; i++) {
        const struct descriptor *entry = &index.manifests[i];
        if (!index_is_candidate(entry) || !is_there(layout, entry))
            continue;
        if (copy_document(layout, entry, depth + 1, err) < 0)
            return -1;
        n++;
    }
    return n ? 0 : error_set(err, ERR_NOT_FOUND, "an index none of whose images is there");
}

/* --- which image ----------------------------------------------------------------------------- */

static bool is_wanted(const struct descriptor *desc, const char *tag, const struct digest *digest)
{
    if (digest->is_set)
        return digest_equal(digest, &desc->digest);
    const char *name = descriptor_annotation(desc, REF_NAME);
    if (!name)
        return false;
    /* some write the whole name */
    const char *colon = strrchr(name, ':');
    return strcmp(name, tag) == 0 || (colon && strcmp(colon + 1, tag) == 0);
}

static const struct descriptor *choose(const struct index *index, const char *tag,
                                       const struct digest *digest, struct error **err)
{
    if (!tag && !digest->is_set && index->n_manifests == 1)
        return &index->manifests[0];
    AUTO(strbuf_release) struct strbuf names = STRBUF_INIT;
    for (size_t i = 0; i < index->n_manifests; i++) {
        const struct descriptor *desc = &index->manifests[i];
        if (is_wanted(desc, tag ? tag : "latest", digest))
            return desc;
        const char *name = descriptor_annotation(desc, REF_NAME);
        if (name && names.size < 1000)
            strbuf_addf(&names, "%s%s", names.size ? ", " : "", name);
    }
    if (digest->is_set)
        return error_set_null(err, ERR_NOT_FOUND, "no image of that digest in index.json");
    error_set_(err, ERR_NOT_FOUND, "no image tagged %s", tag ? tag : "latest");
    if (names.size)
        error_hint(err, "there are: %s", names.data);
    return NULL;
}

static int import(const struct layout *layout, const char *tag, const struct digest *digest,
                  char **name, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(index_release) struct index index = { 0 };
    if (fs_read_file(layout->fd, "index.json", &text, MANIFEST_MAX_SIZE, err) < 0 ||
        index_parse(text.data, text.size, NULL, &index, err) < 0)
        return error_wrap(err, "index.json");
    const struct descriptor *desc = choose(&index, tag, digest, err);
    /* kept as what is pulled by digest: an untagged image until rmi or prune */
    if (!desc || copy_document(layout, desc, 0, err) < 0 ||
        store_tag_keep(layout->store, desc, err) < 0)
        return -1;
    char text_of_digest[DIGEST_TEXT_SIZE];
    digest_format(&desc->digest, text_of_digest);
    *name = xasprintf("localhost/oci-layout@%s", text_of_digest);
    return 0;
}

int oci_layout_import(struct store *store, const char *text, char **name, struct error **err)
{
    AUTO(free) char *dir = NULL;
    AUTO(free) char *tag = NULL;
    AUTO(free) char *digest_text = NULL;
    struct digest digest = { 0 };
    if (oci_layout_parse(text, &dir, &tag, &digest_text, err) < 0)
        return -1;
    if (digest_text && digest_parse(digest_text, &digest, err) < 0)
        return error_wrap(err, "oci-layout://%s", text);
    AUTO(close) int fd = fs_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, err);
    const struct layout layout = { .store = store, .fd = fd };
    if (fd < 0 || import(&layout, tag, &digest, name, err) < 0)
        return error_wrap(err, "oci-layout://%s", text);
    return 0;
}
