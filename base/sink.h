/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place that bytes are pushed into. Sinks stack: each knows only `next`, so
 * that every byte is read and hashed once.
 *
 *     tar → sha256 (diff_id) → gzip → sha256 (digest) → ingest
 *
 * Order of calls: write* finish free. free without finish aborts: what was
 * written is discarded. A sink that was given `next` owns it and frees it.
 * After a failed write or finish only free may follow. One thread at a time.
 *
 * A new kind embeds `struct sink` as first member and sets `ops`.
 */
#ifndef CBUILD_BASE_SINK_H
#define CBUILD_BASE_SINK_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

struct sink;

struct sink_ops {
    const char *name; /* for errors and traces */
    int (*write)(struct sink *sink, const void *data, size_t size, struct error **err);
    int (*finish)(struct sink *sink, struct error **err); /* flush, then finish `next` */
    void (*free)(struct sink *sink);                      /* without finish: abort */
};

struct sink {
    const struct sink_ops *ops;
};

static inline int sink_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    return size ? sink->ops->write(sink, data, size, err) : 0;
}

static inline int sink_finish(struct sink *sink, struct error **err)
{
    return sink->ops->finish(sink, err);
}

void sink_free(struct sink *sink);
DEFINE_AUTO(struct sink, sink_free)

/* Writes to fd (borrowed; not closed). `what` is copied, for errors. */
struct sink *sink_fd_new(int fd, const char *what);
/* Appends to buf (borrowed), honouring its cap. */
struct sink *sink_strbuf_new(struct strbuf *buf);
/* Counts and discards; *size (borrowed) holds the count. NULL: just discards. */
struct sink *sink_null_new(uint64_t *size);
/* Writes each byte to both, `a` first; owns both. */
struct sink *sink_tee_new(struct sink *a, struct sink *b);
/* Passes on at most `max` bytes, then ERR_LIMIT naming `what`. Owns next. */
struct sink *sink_limit_new(struct sink *next, uint64_t max, const char *what);
/* A view of a sink that doesn't own it: finish flushes nothing, free does nothing to `target`. */
struct sink *sink_borrow_new(struct sink *target);

#endif
