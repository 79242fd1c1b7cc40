/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/transport_layout.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/lockfile.h"
#include "base/mem.h"
#include "oci/index.h"
#include "oci/manifest.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LAYOUT_VERSION "{\"imageLayoutVersion\":\"1.0.0\"}"

struct transport_layout {
    struct transport transport;
    int fd, blobs_fd; /* blobs/sha256 */
    char *tag;        /* NULL: none */
    struct digest digest;
};

/* Reading */

static bool is_wanted(const struct descriptor *desc, const char *tag, const struct digest *digest)
{
    if (digest->is_set)
        return digest_equal(digest, &desc->digest);
    const char *name = descriptor_annotation(desc, LAYOUT_REF_NAME);
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
        const char *name = descriptor_annotation(desc, LAYOUT_REF_NAME);
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

static int open_by_digest(const struct transport_layout *self, const struct digest *digest,
                          struct error **err)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    return transport_open_file(self->blobs_fd, hex, err);
}

static int get_top(struct transport_layout *self, struct document *ret, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(index_release) struct index index = { 0 };
    if (fs_read_file(self->fd, "index.json", &text, MANIFEST_MAX_SIZE, err) < 0 ||
        index_parse(text.data, text.size, MEDIA_TYPE_OCI_INDEX, &index, err) < 0)
        return error_wrap(err, "index.json");
    const struct descriptor *desc = choose(&index, self->tag, &self->digest, err);
    int fd = desc ? open_by_digest(self, &desc->digest, err) : -1;
    return fd < 0 ? -1 : transport_read_document(fd, &desc->digest, desc->media_type, ret, err);
}

static int layout_get_document(struct transport *transport, const struct digest *digest,
                               struct document *ret, struct error **err)
{
    struct transport_layout *self = (struct transport_layout *)transport;
    if (!digest)
        return get_top(self, ret, err);
    int fd = open_by_digest(self, digest, err);
    return fd < 0 ? -1 : transport_read_document(fd, digest, NULL, ret, err);
}

static int layout_open_blob(struct transport *transport, const struct descriptor *blob,
                            struct error **err)
{
    return open_by_digest((struct transport_layout *)transport, &blob->digest, err);
}

static int layout_read_blob(struct transport *transport, const struct descriptor *blob,
                            uint64_t offset, uint64_t size, struct sink *to, struct error **err)
{
    AUTO(close) int fd = layout_open_blob(transport, blob, err);
    return fd < 0 ? -1 : transport_send_file(fd, offset, size, to, err);
}

static int layout_has_blob(struct transport *transport, const struct descriptor *blob, bool *ret,
                           struct error **err UNUSED)
{
    struct transport_layout *self = (struct transport_layout *)transport;
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&blob->digest, hex);
    *ret = transport_has_file(self->blobs_fd, hex, blob->size);
    return 0;
}

/* Writing */

static int layout_put_blob(struct transport *transport, const struct descriptor *blob,
                           struct transport *from, enum transport_result *result,
                           struct error **err)
{
    struct transport_layout *self = (struct transport_layout *)transport;
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&blob->digest, hex);
    *result = TRANSPORT_PRESENT;
    if (transport_has_file(self->blobs_fd, hex, blob->size))
        return 0;
    *result = TRANSPORT_SENT;
    return transport_save_blob(from, blob, self->blobs_fd, hex, err);
}

static int layout_put_document(struct transport *transport, const struct document *document,
                               struct error **err)
{
    struct transport_layout *self = (struct transport_layout *)transport;
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&document->descriptor.digest, hex);
    return fs_write_file(self->blobs_fd, hex, document->body.data, document->body.size, 0644, err);
}

/* index.json as JSON: what other tools wrote there stays as it is. NULL: damaged. */
static json_t *read_index(struct transport_layout *self, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *absent = NULL;
    AUTO(json_decref) json_t *index = NULL;
    if (fs_read_file(self->fd, "index.json", &text, MANIFEST_MAX_SIZE, &absent) == 0) {
        index = json_parse_object(text.data, text.size, err);
        if (!index || (json_object_get(index, "manifests") &&
                       !json_is_array(json_object_get(index, "manifests")))) {
            if (index)
                error_set_(err, ERR_INVALID, "/manifests: expected an array");
            error_wrap_(err, "index.json");
            return NULL;
        }
    } else if (!error_is(absent, ERR_NOT_FOUND)) {
        error_move(err, TAKE(absent));
        return NULL;
    } else {
        index = json_object();
        json_set(index, "schemaVersion", json_integer(2));
        json_set(index, "mediaType", json_from_string(MEDIA_TYPE_OCI_INDEX));
    }
    if (!json_object_get(index, "manifests"))
        json_set(index, "manifests", json_array());
    return TAKE(index);
}

/* Of the same tag; without one, the same image without name */
static bool is_replaced(const json_t *entry, const char *tag, const char *digest)
{
    const json_t *annotations = json_object_get(entry, "annotations");
    const char *name = json_string_value(json_object_get(annotations, LAYOUT_REF_NAME));
    const char *of = json_string_value(json_object_get(entry, "digest"));
    if (tag)
        return name && strcmp(name, tag) == 0;
    return !name && of && strcmp(of, digest) == 0;
}

static void add_entry(json_t *index, const struct descriptor *top, const char *tag)
{
    json_t *manifests = json_object_get(index, "manifests");
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&top->digest, digest);
    for (size_t i = json_array_size(manifests); i-- > 0;)
        if (is_replaced(json_array_get(manifests, i), tag, digest))
            (void)json_array_remove(manifests, i);
    AUTO(descriptor_release) struct descriptor entry = { 0 };
    descriptor_set(&entry, top->media_type, &top->digest, top->size);
    if (tag)
        descriptor_annotate(&entry, LAYOUT_REF_NAME, tag);
    (void)json_array_append_new(manifests, descriptor_to_json(&entry));
}

static int write_index(struct transport_layout *self, const struct descriptor *top,
                       const struct strvec *more_tags, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(json_decref) json_t *index = read_index(self, err);
    if (!index)
        return -1;
    add_entry(index, top, self->tag);
    for (size_t i = 0; i < more_tags->n; i++)
        add_entry(index, top, more_tags->items[i]);
    json_format_canonical(index, &text);
    return fs_write_file_synced(self->fd, "index.json", text.data, text.size, 0644, err);
}

static int layout_commit(struct transport *transport, const struct document *top,
                         const struct strvec *more_tags, struct error **err)
{
    struct transport_layout *self = (struct transport_layout *)transport;
    if (layout_put_document(transport, top, err) < 0 ||
        fs_write_file(self->fd, "oci-layout", LAYOUT_VERSION, strlen(LAYOUT_VERSION), 0644, err) <
            0)
        return -1;
    if (syncfs(self->fd) < 0)
        return error_errno(err, "syncing the layout");
    AUTO(lockfile_remove)
    struct lockfile *lock =
        lockfile_acquire(self->fd, ".index.json.lock", LOCK_MODE_EXCLUSIVE, NULL, err);
    return lock ? write_index(self, &top->descriptor, more_tags, err) : -1;
}

static void layout_free(struct transport *transport)
{
    struct transport_layout *self = (struct transport_layout *)transport;
    close_auto(&self->fd);
    close_auto(&self->blobs_fd);
    free(self->tag);
    free(self);
}

static const struct transport_ops ops = {
    .name = "oci",
    .get_document = layout_get_document,
    .read_blob = layout_read_blob,
    .has_blob = layout_has_blob,
    .open_blob = layout_open_blob,
    .put_blob = layout_put_blob,
    .put_document = layout_put_document,
    .commit = layout_commit,
    .free = layout_free,
};

static struct transport_layout *self_new(const char *tag)
{
    struct transport_layout *self = NEW(struct transport_layout);
    self->transport.ops = &ops;
    self->fd = self->blobs_fd = -1;
    self->tag = xstrdup(tag);
    return self;
}

static int open_folders(struct transport_layout *self, const char *dir, struct error **err)
{
    self->fd = fs_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, err);
    if (self->fd < 0)
        return -1;
    self->blobs_fd = fs_open(self->fd, "blobs/sha256", O_RDONLY | O_DIRECTORY, 0, err);
    return self->blobs_fd < 0 ? -1 : 0;
}

struct transport *transport_layout_open(const char *dir, const char *tag,
                                        const struct digest *digest, struct error **err)
{
    AUTO(transport_free) struct transport *transport = NULL;
    struct transport_layout *self = self_new(tag);
    transport = &self->transport;
    if (digest)
        self->digest = *digest;
    if (open_folders(self, dir, err) < 0) {
        error_wrap_(err, "image layout %s", dir);
        return NULL;
    }
    return TAKE(transport);
}

/* Empty, or a layout (perhaps one whose first image never got there) that isn't a cbuild store */
static int check_folder(int fd, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (fs_list(fd, ".", &names, err) < 0)
        return -1;
    if (strvec_has(&names, "cbuild-store")) {
        error_set_(err, ERR_EXISTS, "it is a store of cbuild");
        error_hint(err, "write to it as store:NAME, with --root");
        return -1;
    }
    bool only_blobs = names.n == 1 && !strcmp(names.items[0], "blobs");
    if (!names.n || only_blobs || strvec_has(&names, "oci-layout"))
        return 0;
    return error_set(err, ERR_EXISTS, "it holds other files, and no image layout");
}

static int create_folders(struct transport_layout *self, const char *dir, struct error **err)
{
    if (fs_mkdirs_following(AT_FDCWD, dir, 0755, err) < 0)
        return -1;
    AUTO(close) int fd = fs_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, err);
    if (fd < 0 || check_folder(fd, err) < 0 || fs_mkdirs(fd, "blobs/sha256", 0755, err) < 0)
        return -1;
    return open_folders(self, dir, err);
}

struct transport *transport_layout_create(const char *dir, const char *tag, struct error **err)
{
    AUTO(transport_free) struct transport *transport = NULL;
    struct transport_layout *self = self_new(tag);
    transport = &self->transport;
    if (create_folders(self, dir, err) < 0) {
        error_wrap_(err, "image layout %s", dir);
        return NULL;
    }
    return TAKE(transport);
}
