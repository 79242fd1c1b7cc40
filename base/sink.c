/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sink.h"

#include "base/io.h"
#include "base/mem.h"

void sink_free(struct sink *sink)
{
    if (sink)
        sink->ops->free(sink);
}

/* fd */

struct sink_fd {
    struct sink sink;
    int fd;
    char *what;
};

static int fd_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct sink_fd *self = (struct sink_fd *)sink;
    return io_write_full(self->fd, data, size, self->what, err);
}

static int nothing_to_finish(struct sink *sink UNUSED, struct error **err UNUSED)
{
    return 0;
}

static void fd_free(struct sink *sink)
{
    struct sink_fd *self = (struct sink_fd *)sink;
    free(self->what);
    free(self);
}

struct sink *sink_fd_new(int fd, const char *what)
{
    static const struct sink_ops ops = { "file", fd_write, nothing_to_finish, fd_free };
    struct sink_fd *self = NEW(struct sink_fd);
    self->sink.ops = &ops;
    self->fd = fd;
    self->what = xstrdup(what);
    return &self->sink;
}

/* strbuf */

struct sink_strbuf {
    struct sink sink;
    struct strbuf *buf;
};

static int strbuf_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    return strbuf_add_capped(((struct sink_strbuf *)sink)->buf, data, size, err);
}

static void plain_free(struct sink *sink)
{
    free(sink);
}

struct sink *sink_strbuf_new(struct strbuf *buf)
{
    static const struct sink_ops ops = { "buffer", strbuf_write, nothing_to_finish, plain_free };
    struct sink_strbuf *self = NEW(struct sink_strbuf);
    self->sink.ops = &ops;
    self->buf = buf;
    return &self->sink;
}

/* null */

struct sink_null {
    struct sink sink;
    uint64_t *size;
};

static int null_write(struct sink *sink, const void *data UNUSED, size_t size,
                      struct error **err UNUSED)
{
    struct sink_null *self = (struct sink_null *)sink;
    if (self->size)
        *self->size += size;
    return 0;
}

struct sink *sink_null_new(uint64_t *size)
{
    static const struct sink_ops ops = { "null", null_write, nothing_to_finish, plain_free };
    struct sink_null *self = NEW(struct sink_null);
    self->sink.ops = &ops;
    self->size = size;
    if (size)
        *size = 0;
    return &self->sink;
}

/* tee */

struct sink_tee {
    struct sink sink;
    struct sink *a, *b;
};

static int tee_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct sink_tee *self = (struct sink_tee *)sink;
    if (sink_write(self->a, data, size, err) < 0)
        return -1;
    return sink_write(self->b, data, size, err);
}

static int tee_finish(struct sink *sink, struct error **err)
{
    struct sink_tee *self = (struct sink_tee *)sink;
    if (sink_finish(self->a, err) < 0)
        return -1;
    return sink_finish(self->b, err);
}

static void tee_free(struct sink *sink)
{
    struct sink_tee *self = (struct sink_tee *)sink;
    sink_free(self->a);
    sink_free(self->b);
    free(self);
}

struct sink *sink_tee_new(struct sink *a, struct sink *b)
{
    static const struct sink_ops ops = { "tee", tee_write, tee_finish, tee_free };
    struct sink_tee *self = NEW(struct sink_tee);
    self->sink.ops = &ops;
    self->a = a;
    self->b = b;
    return &self->sink;
}

/* limit */

struct sink_limit {
    struct sink sink;
    struct sink *next;
    uint64_t max, left;
    char *what;
};

static int limit_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct sink_limit *self = (struct sink_limit *)sink;
    if (size > self->left)
        return error_set(err, ERR_LIMIT, "%s: more than %llu bytes", self->what,
                         (unsigned long long)self->max);
    self->left -= size;
    return sink_write(self->next, data, size, err);
}

static int limit_finish(struct sink *sink, struct error **err)
{
    return sink_finish(((struct sink_limit *)sink)->next, err);
}

static void limit_free(struct sink *sink)
{
    struct sink_limit *self = (struct sink_limit *)sink;
    sink_free(self->next);
    free(self->what);
    free(self);
}

struct sink *sink_limit_new(struct sink *next, uint64_t max, const char *what)
{
    static const struct sink_ops ops = { "limit", limit_write, limit_finish, limit_free };
    struct sink_limit *self = NEW(struct sink_limit);
    self->sink.ops = &ops;
    self->next = next;
    self->max = self->left = max;
    self->what = xstrdup(what);
    return &self->sink;
}

/* borrow */

struct sink_borrow {
    struct sink sink;
    struct sink *target;
};

static int borrow_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    return sink_write(((struct sink_borrow *)sink)->target, data, size, err);
}

struct sink *sink_borrow_new(struct sink *target)
{
    static const struct sink_ops ops = { "borrow", borrow_write, nothing_to_finish, plain_free };
    struct sink_borrow *self = NEW(struct sink_borrow);
    self->sink.ops = &ops;
    self->target = target;
    return &self->sink;
}
