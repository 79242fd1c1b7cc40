/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/transport.h"

#include "base/cancel.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/tempfile.h"
#include "oci/index.h"
#include "oci/manifest.h"

#include <fcntl.h>
#include <inttypes.h>

#define BUFFER_SIZE ((size_t)256 << 10)

void transport_free(struct transport *transport)
{
    if (transport)
        transport->ops->free(transport);
}

int transport_get_child(struct transport *from, const struct descriptor *entry,
                        struct document *child, struct error **err)
{
    if (from->ops->get_document(from, &entry->digest, child, err) < 0)
        return -1;
    if (child->body.size == entry->size)
        return 0;
    return error_set(err, ERR_DIGEST, "%zu bytes where the index says %" PRIu64, child->body.size,
                     entry->size);
}

int transport_choose_image(struct transport *from, const struct platform *platform,
                           struct document *document, struct error **err)
{
    AUTO(platform_release) struct platform host = { 0 };
    if (!platform)
        platform_host(&host);
    for (unsigned depth = 0;; depth++) {
        if (media_type_kind(document->descriptor.media_type) != MEDIA_KIND_INDEX)
            return 0;
        AUTO(index_release) struct index index = { 0 };
        if (document_parse_index(document, depth, &index, err) < 0)
            return -1;
        const struct descriptor *entry = index_select(&index, platform ? platform : &host, err);
        if (!entry || transport_get_child(from, entry, document, err) < 0)
            return -1;
    }
}

int transport_check(const struct descriptor *blob, const uint8_t hash[SHA256_SIZE], uint64_t size,
                    struct error **err)
{
    char text[DIGEST_TEXT_SIZE];
    struct digest got = digest_from_sha256(hash);
    if (size != blob->size)
        return error_set(err, ERR_DIGEST, "%" PRIu64 " bytes where %" PRIu64 " are expected", size,
                         blob->size);
    if (digest_equal(&got, &blob->digest))
        return 0;
    digest_format(&got, text);
    return error_set(err, ERR_DIGEST, "its content has the digest %s", text);
}

int transport_read_verified(struct transport *from, const struct descriptor *blob, struct sink *to,
                            struct error **err)
{
    uint8_t hash[SHA256_SIZE];
    uint64_t size = 0;
    AUTO(sink_free)
    struct sink *sink = sink_sha256_new(sink_borrow_new(to), hash, &size);
    if (from->ops->read_blob(from, blob, 0, blob->size, sink, err) < 0)
        return -1;
    if (sink_finish(sink, err) < 0 || transport_check(blob, hash, size, err) < 0)
        return -1;
    return sink_finish(to, err);
}

int transport_send_file(int fd, uint64_t offset, uint64_t size, struct sink *to, struct error **err)
{
    AUTO(free) char *buffer = xmalloc(BUFFER_SIZE);
    while (size) {
        size_t want = size < BUFFER_SIZE ? (size_t)size : BUFFER_SIZE;
        ssize_t n =
            cancel_check(err) < 0 ? -1 : io_pread_full(fd, buffer, want, offset, "blob", err);
        if (n < 0)
            return -1;
        if (n == 0)
            return error_set(err, ERR_DIGEST, "the file is %" PRIu64 " bytes too short", size);
        if (sink_write(to, buffer, (size_t)n, err) < 0)
            return -1;
        offset += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return 0;
}

int transport_open_file(int dir_fd, const char *name, struct error **err)
{
    AUTO(close) int fd = fs_open(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, err);
    struct stat st;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(err, ERR_INVALID, "%s: not a regular file", name);
    return take_fd(&fd);
}

bool transport_has_file(int dir_fd, const char *name, uint64_t size)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
           (uint64_t)st.st_size == size;
}

bool transport_distrust(struct transport *from, const struct descriptor *blob)
{
    return from->ops->distrust && from->ops->distrust(from, blob);
}

static int save_blob(struct transport *from, const struct descriptor *blob, int dir_fd,
                     const char *name, struct error **err)
{
    AUTO(tempfile_free) struct tempfile *file = tempfile_new(dir_fd, FS_TEMP_PREFIX, err);
    if (!file)
        return -1;
    AUTO(sink_free) struct sink *sink = sink_fd_new(tempfile_fd(file), name);
    if (transport_read_verified(from, blob, sink, err) < 0)
        return -1;
    if (fchmod(tempfile_fd(file), 0644) < 0)
        return error_errno(err, "%s", name);
    return tempfile_commit(file, dir_fd, name, err);
}

int transport_save_blob(struct transport *from, const struct descriptor *blob, int dir_fd,
                        const char *name, struct error **err)
{
    int saved = save_blob(from, blob, dir_fd, name, err);
    if (saved == 0 || !error_is(*err, ERR_DIGEST) || !transport_distrust(from, blob))
        return saved;
    error_clear(err);
    return save_blob(from, blob, dir_fd, name, err);
}

int transport_read_document(int fd, const struct digest *digest, const char *content_type,
                            struct document *ret, struct error **err)
{
    AUTO(close) int owned = fd;
    enum media_kind kind;
    strbuf_reset(&ret->body);
    if (io_read_all(owned, &ret->body, MANIFEST_MAX_SIZE, "manifest", err) < 0)
        return -1;
    struct digest got = digest_of(ret->body.data, ret->body.size);
    if (!digest || digest_equal(&got, digest))
        return document_describe(ret, content_type, &got, &kind, err);
    char expected_text[DIGEST_TEXT_SIZE], got_text[DIGEST_TEXT_SIZE];
    digest_format(digest, expected_text);
    digest_format(&got, got_text);
    return error_set(err, ERR_DIGEST, "manifest %s: its content has the digest %s", expected_text,
                     got_text);
}
