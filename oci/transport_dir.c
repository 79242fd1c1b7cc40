/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/transport_dir.h"

#include "base/fs.h"
#include "base/hashmap.h"
#include "base/mem.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#define VERSION_PREFIX "Directory Transport Version: "
#define VERSION VERSION_PREFIX "1.1\n"
#define MANIFEST "manifest.json"

struct transport_dir {
    struct transport transport;
    int fd;
    pthread_mutex_t mutex;
    struct hashmap kept; /* files of the image that is written; under mutex */
};

/* Reading */

static int open_document(struct transport_dir *self, const struct digest *digest,
                         struct error **err)
{
    char hex[DIGEST_HEX_SIZE];
    if (!digest)
        return transport_open_file(self->fd, MANIFEST, err);
    digest_format_hex(digest, hex);
    AUTO(free) char *name = xasprintf("%s." MANIFEST, hex);
    return transport_open_file(self->fd, name, err);
}

static int dir_get_document(struct transport *transport, const struct digest *digest,
                            struct document *ret, struct error **err)
{
    int fd = open_document((struct transport_dir *)transport, digest, err);
    return fd < 0 ? -1 : transport_read_document(fd, digest, NULL, ret, err);
}

static int dir_open_blob(struct transport *transport, const struct descriptor *blob,
                         struct error **err)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&blob->digest, hex);
    return transport_open_file(((struct transport_dir *)transport)->fd, hex, err);
}

static int dir_read_blob(struct transport *transport, const struct descriptor *blob,
                         uint64_t offset, uint64_t size, struct sink *to, struct error **err)
{
    AUTO(close) int fd = dir_open_blob(transport, blob, err);
    return fd < 0 ? -1 : transport_send_file(fd, offset, size, to, err);
}

static int dir_has_blob(struct transport *transport, const struct descriptor *blob, bool *ret,
                        struct error **err UNUSED)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&blob->digest, hex);
    *ret = transport_has_file(((struct transport_dir *)transport)->fd, hex, blob->size);
    return 0;
}

/* Writing */

static void keep(struct transport_dir *self, const char *name)
{
    pthread_mutex_lock(&self->mutex);
    hashmap_put(&self->kept, name, self);
    pthread_mutex_unlock(&self->mutex);
}

static int dir_put_blob(struct transport *transport, const struct descriptor *blob,
                        struct transport *from, enum transport_result *result, struct error **err)
{
    struct transport_dir *self = (struct transport_dir *)transport;
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&blob->digest, hex);
    keep(self, hex);
    *result = TRANSPORT_PRESENT;
    if (transport_has_file(self->fd, hex, blob->size))
        return 0;
    *result = TRANSPORT_SENT;
    return transport_save_blob(from, blob, self->fd, hex, err);
}

static int write_file(struct transport_dir *self, const char *name, const char *data, size_t size,
                      struct error **err)
{
    keep(self, name);
    return fs_write_file(self->fd, name, data, size, 0644, err);
}

static int dir_put_document(struct transport *transport, const struct document *document,
                            struct error **err)
{
    struct transport_dir *self = (struct transport_dir *)transport;
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&document->descriptor.digest, hex);
    AUTO(free) char *name = xasprintf("%s." MANIFEST, hex);
    return write_file(self, name, document->body.data, document->body.size, err);
}

/* HEX, HEX.manifest.json, and signatures of another manifest */
static bool is_of_an_image(const char *name)
{
    uint8_t ignored[SHA256_SIZE];
    size_t size = strcspn(name, ".");
    return sha256_from_hex(name, size, ignored) || strncmp(name, "signature-", 10) == 0;
}

/* What an earlier image left */
static int remove_others(struct transport_dir *self, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (fs_list(self->fd, ".", &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        if (is_of_an_image(names.items[i]) && !hashmap_has(&self->kept, names.items[i]) &&
            fs_unlink(self->fd, names.items[i], err) < 0)
            return -1;
    return 0;
}

static int dir_commit(struct transport *transport, const struct document *top,
                      const struct strvec *more_tags, struct error **err)
{
    struct transport_dir *self = (struct transport_dir *)transport;
    if (more_tags->n)
        return error_set(err, ERR_USAGE, "an image in a folder (dir:) has no tags");
    if (write_file(self, MANIFEST, top->body.data, top->body.size, err) < 0)
        return -1;
    return remove_others(self, err);
}

static void dir_free(struct transport *transport)
{
    struct transport_dir *self = (struct transport_dir *)transport;
    close_auto(&self->fd);
    hashmap_release(&self->kept);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static const struct transport_ops ops = {
    .name = "dir",
    .get_document = dir_get_document,
    .read_blob = dir_read_blob,
    .has_blob = dir_has_blob,
    .open_blob = dir_open_blob,
    .put_blob = dir_put_blob,
    .put_document = dir_put_document,
    .commit = dir_commit,
    .free = dir_free,
};

static struct transport_dir *self_new(void)
{
    struct transport_dir *self = NEW(struct transport_dir);
    self->transport.ops = &ops;
    self->fd = -1;
    pthread_mutex_init(&self->mutex, NULL);
    hashmap_init(&self->kept, NULL);
    return self;
}

struct transport *transport_dir_open(const char *dir, struct error **err)
{
    AUTO(transport_free) struct transport *transport = NULL;
    struct transport_dir *self = self_new();
    transport = &self->transport;
    self->fd = fs_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, err);
    return self->fd < 0 ? NULL : TAKE(transport);
}

static int check_folder(int fd, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (fs_list(fd, ".", &names, err) < 0)
        return -1;
    if (!names.n)
        return 0;
    if (strvec_has(&names, "version") && fs_read_file(fd, "version", &text, 4096, err) < 0)
        return -1;
    if (strncmp(text.data, VERSION_PREFIX, strlen(VERSION_PREFIX)) == 0)
        return 0;
    return error_set(err, ERR_EXISTS, "it holds other files, and no image");
}

static int create_folder(struct transport_dir *self, const char *dir, struct error **err)
{
    if (fs_mkdirs_following(AT_FDCWD, dir, 0755, err) < 0)
        return -1;
    self->fd = fs_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, err);
    if (self->fd < 0 || check_folder(self->fd, err) < 0)
        return -1;
    return write_file(self, "version", VERSION, strlen(VERSION), err);
}

struct transport *transport_dir_create(const char *dir, struct error **err)
{
    AUTO(transport_free) struct transport *transport = NULL;
    struct transport_dir *self = self_new();
    transport = &self->transport;
    if (create_folder(self, dir, err) < 0) {
        error_wrap_(err, "folder %s", dir);
        return NULL;
    }
    return TAKE(transport);
}
