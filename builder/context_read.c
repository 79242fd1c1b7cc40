/* SPDX-License-Identifier: Apache-2.0 */
/* Content of a context's files: opened once, held against what was seen when they were looked at.
 */
#include "base/cancel.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "builder/context_internal.h"
#include "layers/changeset.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>

#define READ_SIZE (128UL * 1024)
#define WAITS_TELL 8U          /* files not in memory: few are by chance */
#define WAITS_UNKNOWN UINT_MAX /* the file system can't tell */

static int changed(const struct context_file *file, struct error **err)
{
    return error_set(err, ERR_INVALID, "%s: changed during the build", file->path);
}

static int check_unchanged(const struct context *context, const struct context_file *file, int fd,
                           struct error **err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "looking at %s", file->path);
    struct file_identity now = file_identity_of(&st), seen = context_file_identity(context, file);
    if (!S_ISREG(st.st_mode) || !file_identity_equal(&now, &seen))
        return changed(file, err);
    return 0;
}

/* O_NONBLOCK: what was a file may be a FIFO by now. It isn't looked at: who reads it does that at
 * the end. */
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
    return take_fd(&fd);
}

int context_open_fd(struct context *context, const struct entry *entry, struct error **err)
{
    const struct context_file *file = context_file_of(context, entry);
    AUTO(close) int fd = open_file(context, file, err);
    if (fd < 0 || check_unchanged(context, file, fd, err) < 0)
        return -1;
    return take_fd(&fd);
}

int context_check_unchanged(struct context *context, const struct entry *entry, int fd,
                            struct error **err)
{
    return check_unchanged(context, context_file_of(context, entry), fd, err);
}

/* The first one stays: others may have it from there already. */
static void set_digest(struct context_file *file, const uint8_t *digest)
{
    const uint8_t *none = NULL;
    atomic_compare_exchange_strong(&file->digest, &none, digest);
}

static void remember_digest(struct context *context, struct context_file *file,
                            const uint8_t digest[SHA256_SIZE])
{
    pthread_mutex_lock(&context->lock);
    uint8_t *kept = (uint8_t *)arena_room(&context->arena, SHA256_SIZE);
    pthread_mutex_unlock(&context->lock);
    memcpy(kept, digest, SHA256_SIZE);
    set_digest(file, kept);
}

static const uint8_t digest_of_nothing[SHA256_SIZE] = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
};

static const uint8_t *recorded_digest(const struct context *context,
                                      const struct context_file *file, size_t *near)
{
    if (file->size == 0)
        return digest_of_nothing;
    if (!context->cache)
        return NULL;
    struct file_identity identity = context_file_identity(context, file);
    return context_cache_get(context->cache, &identity, near);
}

const uint8_t *context_file_digest(struct context *context, struct context_file *file, size_t *near)
{
    const uint8_t *digest = atomic_load(&file->digest);
    if (digest)
        return digest;
    digest = recorded_digest(context, file, near);
    if (digest)
        set_digest(file, digest);
    return digest;
}

const uint8_t *context_known_digest(struct context *context, const struct entry *entry)
{
    size_t anywhere = 0;
    return context_file_digest(context, context_file_of(context, entry), &anywhere);
}

void context_identify(struct context *context, const struct entry *entry, struct sha256 *hash)
{
    const struct file_identity identity =
        context_file_identity(context, context_file_of(context, entry));
    sha256_update(hash, &context, sizeof(context));
    sha256_update(hash, &identity, sizeof(identity));
}

struct file_source {
    struct source source;
    int fd;
    uint64_t left;
    struct context *context;
    struct context_file *file; /* the context's */
    struct sha256 *hash;       /* of what was read; NULL: nobody asks */
    int64_t started_ns;
};

static void learn(struct file_source *from)
{
    uint8_t digest[SHA256_SIZE];
    sha256_finish(from->hash, digest);
    sha256_free(TAKE(from->hash));
    remember_digest(from->context, from->file, digest);
    if (from->context->cache)
        context_cache_put(from->context->cache, from->file, from->started_ns);
}

/* The first bytes, if they are in memory; else -1, and that is counted. */
static ssize_t read_at_once(const struct file_source *from, void *data, size_t size)
{
    atomic_uint *n_waits = &from->context->n_waits;
    if (atomic_load_explicit(n_waits, memory_order_relaxed) >= WAITS_TELL)
        return -1;
    const struct iovec room = { .iov_base = data, .iov_len = size };
    ssize_t n = preadv2(from->fd, &room, 1, -1, RWF_NOWAIT);
    if (n < 0 && errno == EAGAIN)
        atomic_fetch_add(n_waits, 1);
    else if (n < 0)
        atomic_store(n_waits, WAITS_UNKNOWN);
    return n;
}

bool context_read_ahead(struct context *context, const struct entry *entry)
{
    const unsigned n_waits = atomic_load_explicit(&context->n_waits, memory_order_relaxed);
    if (n_waits < WAITS_TELL || n_waits == WAITS_UNKNOWN)
        return false;
    AUTO(error_free) struct error *ignored = NULL; /* who opens it to read it is told */
    AUTO(close) int fd = open_file(context, context_file_of(context, entry), &ignored);
    if (fd >= 0)
        (void)posix_fadvise(fd, 0, CHANGESET_AHEAD_SIZE, POSIX_FADV_WILLNEED);
    return true;
}

static ssize_t file_source_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct file_source *from = CONTAINER_OF(source, struct file_source, source);
    if (!from->left)
        return 0;
    if (size > from->left)
        size = from->left;
    ssize_t n = from->left == from->file->size ? read_at_once(from, data, size) : -1;
    while (n < 0) {
        n = read(from->fd, data, size);
        if (n < 0 && errno != EINTR)
            break;
    }
    if (n < 0 && errno != EISDIR && errno != EAGAIN) /* a directory, a FIFO */
        return error_errno(err, "reading %s", from->file->path);
    if (n <= 0)
        return changed(from->file, err);
    from->left -= (uint64_t)n;
    if (from->hash)
        sha256_update(from->hash, data, (size_t)n);
    if (!from->left && check_unchanged(from->context, from->file, from->fd, err) < 0)
        return -1;
    if (!from->left && from->hash)
        learn(from);
    return n;
}

static void file_source_free(struct source *source)
{
    struct file_source *from = CONTAINER_OF(source, struct file_source, source);
    close_auto(&from->fd);
    sha256_free(from->hash);
    free(from);
}

static const struct source_ops file_source_ops = { "context file", file_source_read,
                                                   file_source_free };

static struct source *open_source(struct context *context, const struct entry *entry, bool learns,
                                  struct error **err)
{
    struct context_file *file = context_file_of(context, entry);
    int64_t started = learns ? clock_now_ns() : 0;
    int fd = open_file(context, file, err);
    if (fd < 0)
        return NULL;
    struct file_source *source = NEW(struct file_source);
    source->source.ops = &file_source_ops;
    source->fd = fd;
    source->left = file->size;
    source->context = context;
    source->file = file;
    source->started_ns = started;
    if (learns && !context_known_digest(context, entry))
        source->hash = sha256_new();
    return &source->source;
}

struct source *context_open_file(struct context *context, const struct entry *entry,
                                 struct error **err)
{
    return open_source(context, entry, false, err);
}

struct source *context_open_learning(struct context *context, const struct entry *entry,
                                     struct error **err)
{
    return open_source(context, entry, true, err);
}

static int read_through(struct source *source, struct error **err)
{
    AUTO(free) char *buffer = xmalloc(READ_SIZE);
    ssize_t n;
    do {
        if (cancel_check(err) < 0)
            return -1;
        n = source_read(source, buffer, READ_SIZE, err);
    } while (n > 0);
    return n < 0 ? -1 : 0;
}

int context_digest(struct context *context, const struct entry *entry, uint8_t out[SHA256_SIZE],
                   struct error **err)
{
    const uint8_t *known = context_known_digest(context, entry);
    if (!known) {
        AUTO(source_free) struct source *source = open_source(context, entry, true, err);
        if (!source || read_through(source, err) < 0)
            return -1;
        known = context_known_digest(context, entry); /* it is now */
    }
    memcpy(out, known, SHA256_SIZE);
    return 0;
}
