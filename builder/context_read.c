/* SPDX-License-Identifier: Apache-2.0 */
/* Content of a context's files: opened once, held against what was seen when they were looked at.
 */
#include "base/cancel.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "builder/context_internal.h"

#include <errno.h>
#include <fcntl.h>

#define READ_SIZE (128UL * 1024)

static int changed(const struct context_file *file, struct error **err)
{
    return error_set(err, ERR_INVALID, "%s: changed during the build", file->path);
}

static int check_unchanged(const struct context_file *file, int fd, struct error **err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "looking at %s", file->path);
    struct file_identity now = file_identity_of(&st);
    if (!S_ISREG(st.st_mode) || !file_identity_equal(&now, &file->identity))
        return changed(file, err);
    return 0;
}

/* O_NONBLOCK: what was a file may be a FIFO by now. */
static int open_file(struct context *context, const struct context_file *file, struct error **err)
{
    AUTO(error_free) struct error *error = NULL;
    AUTO(close)
    int fd = fs_open_beneath(context->fd, file->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                             &error);
    if (fd < 0) {
        int number = error_errno_value(error);
        if (number == ENOENT || number == ENOTDIR || number == ELOOP || number == ENXIO)
            return changed(file, err);
        error_move(err, TAKE(error));
        return error_wrap(err, "build context");
    }
    if (check_unchanged(file, fd, err) < 0)
        return -1;
    return take_fd(&fd);
}

int context_open_fd(struct context *context, const struct entry *entry, struct error **err)
{
    return open_file(context, context_file_of(context, entry), err);
}

int context_check_unchanged(struct context *context, const struct entry *entry, int fd,
                            struct error **err)
{
    return check_unchanged(context_file_of(context, entry), fd, err);
}

struct file_source {
    struct source source;
    int fd;
    uint64_t left;
    const struct context_file *file; /* the context's */
};

static ssize_t file_source_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct file_source *from = CONTAINER_OF(source, struct file_source, source);
    if (!from->left)
        return 0;
    if (size > from->left)
        size = from->left;
    ssize_t n;
    do {
        n = read(from->fd, data, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_errno(err, "reading %s", from->file->path);
    if (n == 0)
        return changed(from->file, err);
    from->left -= (uint64_t)n;
    if (!from->left && check_unchanged(from->file, from->fd, err) < 0)
        return -1;
    return n;
}

static void file_source_free(struct source *source)
{
    struct file_source *from = CONTAINER_OF(source, struct file_source, source);
    close_auto(&from->fd);
    free(from);
}

static const struct source_ops file_source_ops = { "context file", file_source_read,
                                                   file_source_free };

static struct source *file_source_new(int fd, const struct context_file *file)
{
    struct file_source *source = NEW(struct file_source);
    source->source.ops = &file_source_ops;
    source->fd = fd;
    source->left = file->identity.size;
    source->file = file;
    return &source->source;
}

struct source *context_open_file(struct context *context, const struct entry *entry,
                                 struct error **err)
{
    const struct context_file *file = context_file_of(context, entry);
    int fd = open_file(context, file, err);
    return fd < 0 ? NULL : file_source_new(fd, file);
}

static void remember_digest(struct context *context, struct context_file *file,
                            const uint8_t digest[SHA256_SIZE])
{
    pthread_mutex_lock(&context->lock);
    memcpy(file->digest, digest, SHA256_SIZE);
    file->has_digest = true;
    pthread_mutex_unlock(&context->lock);
}

static bool known_digest(struct context *context, struct context_file *file,
                         uint8_t out[SHA256_SIZE])
{
    pthread_mutex_lock(&context->lock);
    bool known = file->has_digest;
    if (known)
        memcpy(out, file->digest, SHA256_SIZE);
    pthread_mutex_unlock(&context->lock);
    if (known)
        return true;
    if (file->identity.size == 0)
        sha256_of("", 0, out);
    else if (!context->cache || !context_cache_get(context->cache, &file->identity, out))
        return false;
    remember_digest(context, file, out);
    return true;
}

bool context_known_digest(struct context *context, const struct entry *entry,
                          uint8_t out[SHA256_SIZE])
{
    return known_digest(context, context_file_of(context, entry), out);
}

static int hash_file(struct context *context, const struct context_file *file,
                     uint8_t out[SHA256_SIZE], struct error **err)
{
    int fd = open_file(context, file, err);
    if (fd < 0)
        return -1;
    AUTO(source_free) struct source *source = file_source_new(fd, file);
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    AUTO(free) char *buffer = xmalloc(READ_SIZE);
    ssize_t n;
    while ((n = source_read(source, buffer, READ_SIZE, err)) > 0) {
        if (cancel_check(err) < 0)
            return -1;
        sha256_update(hash, buffer, (size_t)n);
    }
    if (n < 0)
        return -1;
    sha256_finish(hash, out);
    return 0;
}

int context_digest(struct context *context, const struct entry *entry, uint8_t out[SHA256_SIZE],
                   struct error **err)
{
    struct context_file *file = context_file_of(context, entry);
    if (known_digest(context, file, out))
        return 0;
    int64_t started = clock_now_ns();
    uint8_t digest[SHA256_SIZE];
    if (hash_file(context, file, digest, err) < 0)
        return -1;
    if (context->cache)
        context_cache_put(context->cache, &file->identity, digest, started);
    remember_digest(context, file, digest);
    memcpy(out, digest, SHA256_SIZE);
    return 0;
}
