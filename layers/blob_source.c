/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/blob_source.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct blob_source {
    struct source source;
    struct transport *from;
    const struct descriptor *blob;
    int read_fd, write_fd; /* write_fd is the thread's */
    struct thread *thread;
    struct error *error; /* the thread's until it is joined */
};

static void *push(void *data)
{
    struct blob_source *self = data;
    AUTO(sink_free) struct sink *sink = sink_fd_new(self->write_fd, "pipe");
    int result = transport_read_verified(self->from, self->blob, sink, &self->error);
    close_auto(&self->write_fd);
    return result < 0 ? self->error : NULL;
}

static void join(struct blob_source *self)
{
    if (self->thread)
        (void)thread_join(self->thread);
    self->thread = NULL;
}

static ssize_t blob_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct blob_source *self = (struct blob_source *)source;
    ssize_t n;
    do
        n = read(self->read_fd, data, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_errno(err, "pipe");
    if (n > 0)
        return n;
    join(self);
    if (!self->error)
        return 0;
    error_move(err, TAKE(self->error));
    return -1;
}

static void blob_free(struct source *source)
{
    struct blob_source *self = (struct blob_source *)source;
    close_auto(&self->read_fd); /* a thread that still writes gets EPIPE */
    join(self);
    close_auto(&self->write_fd);
    error_free(self->error);
    free(self);
}

struct source *blob_source_new(struct transport *from, const struct descriptor *blob,
                               struct error **err)
{
    static const struct source_ops ops = { "blob", blob_read, blob_free };
    AUTO(source_free) struct source *source = NULL;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return error_errno_null(err, "pipe");
    struct blob_source *self = NEW(struct blob_source);
    source = &self->source;
    self->source.ops = &ops;
    self->from = from;
    self->blob = blob;
    self->read_fd = fds[0];
    self->write_fd = fds[1];
    self->thread = thread_start(push, self, err);
    return self->thread ? TAKE(source) : NULL;
}
