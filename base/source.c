/* SPDX-License-Identifier: Apache-2.0 */
#include "base/source.h"

#include "base/io.h"
#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define PUMP_BUFFER_SIZE ((size_t)128 * 1024)

void source_free(struct source *source)
{
    if (source)
        source->ops->free(source);
}

/* fd */

struct source_fd {
    struct source source;
    int fd;
    bool own;
    char *what;
};

static ssize_t fd_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct source_fd *self = (struct source_fd *)source;
    ssize_t n;
    do {
        n = read(self->fd, data, size);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? error_errno(err, "reading %s", self->what) : n;
}

static void fd_free(struct source *source)
{
    struct source_fd *self = (struct source_fd *)source;
    if (self->own)
        close_auto(&self->fd);
    free(self->what);
    free(self);
}

struct source *source_fd_new(int fd, bool own, const char *what)
{
    static const struct source_ops ops = { "file", fd_read, fd_free };
    struct source_fd *self = NEW(struct source_fd);
    self->source.ops = &ops;
    self->fd = fd;
    self->own = own;
    self->what = xstrdup(what);
    return &self->source;
}

/* range */

struct source_range {
    struct source source;
    int fd;
    uint64_t offset, left;
    char *what;
};

static ssize_t range_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct source_range *self = (struct source_range *)source;
    if (size > self->left)
        size = (size_t)self->left;
    if (!size)
        return 0;
    ssize_t n = io_pread_full(self->fd, data, size, self->offset, self->what, err);
    if (n < 0)
        return -1;
    if (n == 0)
        return error_set(err, ERR_IO, "reading %s: ends %llu bytes early", self->what,
                         (unsigned long long)self->left);
    self->offset += (uint64_t)n;
    self->left -= (uint64_t)n;
    return n;
}

static void range_free(struct source *source)
{
    struct source_range *self = (struct source_range *)source;
    free(self->what);
    free(self);
}

struct source *source_range_new(int fd, uint64_t offset, uint64_t size, const char *what)
{
    static const struct source_ops ops = { "range", range_read, range_free };
    struct source_range *self = NEW(struct source_range);
    self->source.ops = &ops;
    self->fd = fd;
    self->offset = offset;
    self->left = size;
    self->what = xstrdup(what);
    return &self->source;
}

/* memory */

struct source_memory {
    struct source source;
    const char *data;
    size_t left;
};

static ssize_t memory_borrow(struct source *source, void *buffer UNUSED, size_t size,
                             const void **data, struct error **err UNUSED)
{
    struct source_memory *self = (struct source_memory *)source;
    if (size > self->left)
        size = self->left;
    *data = self->data;
    self->data += size;
    self->left -= size;
    return (ssize_t)size;
}

static ssize_t memory_read(struct source *source, void *data, size_t size, struct error **err)
{
    const void *bytes = NULL;
    ssize_t n = memory_borrow(source, NULL, size, &bytes, err);
    if (n > 0)
        memcpy(data, bytes, (size_t)n);
    return n;
}

static void memory_free(struct source *source)
{
    free(source);
}

struct source *source_memory_new(const void *data, size_t size)
{
    static const struct source_ops ops = { "memory", memory_read, memory_free, memory_borrow };
    struct source_memory *self = NEW(struct source_memory);
    self->source.ops = &ops;
    self->data = data;
    self->left = size;
    return &self->source;
}

/* limit */

struct source_limit {
    struct source source;
    struct source *next;
    uint64_t max, left;
    char *what;
};

static ssize_t limit_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct source_limit *self = (struct source_limit *)source;
    if (!size)
        return 0;
    char probe; /* at the limit, one byte more tells the end from too much */
    bool at_limit = self->left == 0;
    if (size > self->left)
        size = (size_t)self->left;
    ssize_t n = at_limit ? source_read(self->next, &probe, 1, err)
                         : source_read(self->next, data, size, err);
    if (n < 0)
        return -1;
    if (at_limit && n > 0)
        return error_set(err, ERR_LIMIT, "%s: more than %llu bytes", self->what,
                         (unsigned long long)self->max);
    self->left -= (uint64_t)n;
    return n;
}

static void limit_free(struct source *source)
{
    struct source_limit *self = (struct source_limit *)source;
    source_free(self->next);
    free(self->what);
    free(self);
}

struct source *source_limit_new(struct source *next, uint64_t max, const char *what)
{
    static const struct source_ops ops = { "limit", limit_read, limit_free };
    struct source_limit *self = NEW(struct source_limit);
    self->source.ops = &ops;
    self->next = next;
    self->max = self->left = max;
    self->what = xstrdup(what);
    return &self->source;
}

/* whole reads */

ssize_t source_read_full(struct source *source, void *data, size_t size, struct error **err)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = source_read(source, (char *)data + done, size - done, err);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int source_read_all(struct source *source, struct strbuf *buf, size_t max, struct error **err)
{
    size_t start = buf->size;
    for (size_t step = 16384;; step = step < 1048576 ? step * 2 : step) {
        size_t have = buf->size - start;
        size_t want = max - have < step ? max - have + 1 : step;
        ssize_t n = source_read_full(source, strbuf_grow(buf, want), want, err);
        if (n < 0) {
            strbuf_set_size(buf, start);
            return -1;
        }
        if ((size_t)n > max - have) {
            strbuf_set_size(buf, start);
            return error_set(err, ERR_LIMIT, "more than %zu bytes", max);
        }
        strbuf_set_size(buf, buf->size + (size_t)n);
        if ((size_t)n < want)
            return 0;
    }
}

int source_pump(struct source *source, struct sink *sink, uint64_t *size, struct error **err)
{
    AUTO(free) char *buffer = xmalloc(PUMP_BUFFER_SIZE);
    uint64_t done = 0;
    for (;;) {
        ssize_t n = source_read(source, buffer, PUMP_BUFFER_SIZE, err);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        if (sink_write(sink, buffer, (size_t)n, err) < 0)
            return -1;
        done += (uint64_t)n;
    }
    if (size)
        *size = done;
    return 0;
}
