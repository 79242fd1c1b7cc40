/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place that bytes are pulled from. Sources stack like sinks: a source that
 * was given another owns it. One thread at a time.
 */
#ifndef CBUILD_BASE_SOURCE_H
#define CBUILD_BASE_SOURCE_H

#include "base/error.h"
#include "base/sink.h"
#include "base/strbuf.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct source;

struct source_ops {
    const char *name;
    /* 1..size bytes, 0 at the end, -1 on failure */
    ssize_t (*read)(struct source *source, void *data, size_t size, struct error **err);
    void (*free)(struct source *source);
    /* NULL, or read without copying: see source_borrow() */
    ssize_t (*borrow)(struct source *source, void *buffer, size_t size, const void **data,
                      struct error **err);
};

struct source {
    const struct source_ops *ops;
};

static inline ssize_t source_read(struct source *source, void *data, size_t size,
                                  struct error **err)
{
    return source->ops->read(source, data, size, err);
}

/*
 * As source_read(), but where the source has the bytes in memory *data points there, and the
 * `size` bytes of `buffer` aren't touched. Valid until the next call that concerns this source.
 */
static inline ssize_t source_borrow(struct source *source, void *buffer, size_t size,
                                    const void **data, struct error **err)
{
    if (source->ops->borrow)
        return source->ops->borrow(source, buffer, size, data, err);
    *data = buffer;
    return source->ops->read(source, buffer, size, err);
}

void source_free(struct source *source);
DEFINE_AUTO(struct source, source_free)

/* Reads fd from its position; `own` closes it at free. `what` is copied, for errors. */
struct source *source_fd_new(int fd, bool own, const char *what);
/* Reads [offset, offset+size) of fd (borrowed) with pread: any number may read one fd. */
struct source *source_range_new(int fd, uint64_t offset, uint64_t size, const char *what);
/* Reads memory that outlives the source. */
struct source *source_memory_new(const void *data, size_t size);
/* Reads at most max bytes of next (owned); more is ERR_LIMIT naming `what`. */
struct source *source_limit_new(struct source *next, uint64_t max, const char *what);

/* Fills data as far as the source reaches: fewer than size only at the end. */
ssize_t source_read_full(struct source *source, void *data, size_t size,
                         struct error **err) WARN_UNUSED;
/* Appends all of it; ERR_LIMIT above max. */
int source_read_all(struct source *source, struct strbuf *buf, size_t max,
                    struct error **err) WARN_UNUSED;
/* Moves everything into sink; doesn't finish it. *size (NULL: not wanted) gets the bytes moved. */
int source_pump(struct source *source, struct sink *sink, uint64_t *size,
                struct error **err) WARN_UNUSED;

#endif
