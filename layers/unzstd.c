/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/unzstd.h"

#include "base/mem.h"

#include <zstd.h>
#include <zstd_errors.h>

#define WINDOW_LOG_MAX 27
#define INPUT_SIZE ((size_t)128 * 1024)

struct unzstd {
    struct source source;
    struct source *next;
    ZSTD_DCtx *context;
    char *buffer;
    ZSTD_inBuffer in;
    bool input_ends, in_frame;
};

static int fill(struct unzstd *self, struct error **err)
{
    if (self->in.pos < self->in.size || self->input_ends)
        return 0;
    ssize_t n = source_read(self->next, self->buffer, INPUT_SIZE, err);
    if (n < 0)
        return -1;
    self->in = (ZSTD_inBuffer){ self->buffer, (size_t)n, 0 };
    self->input_ends = n == 0;
    return 0;
}

static int failure(size_t result, struct error **err)
{
    if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge)
        return error_set(err, ERR_LIMIT, "zstd: a window of more than 128 MiB");
    return error_set(err, ERR_INVALID, "zstd: %s", ZSTD_getErrorName(result));
}

static ssize_t unzstd_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct unzstd *self = (struct unzstd *)source;
    for (;;) {
        if (fill(self, err) < 0)
            return -1;
        bool starved = self->in.pos == self->in.size; /* then there is no more */
        if (starved && !self->in_frame)
            return 0;
        ZSTD_outBuffer out = { data, size, 0 };
        size_t result = ZSTD_decompressStream(self->context, &out, &self->in);
        if (ZSTD_isError(result))
            return failure(result, err);
        self->in_frame = result != 0;
        if (out.pos)
            return (ssize_t)out.pos;
        if (starved && self->in_frame)
            return error_set(err, ERR_INVALID, "zstd: the stream ends inside a frame");
    }
}

static void unzstd_free(struct source *source)
{
    struct unzstd *self = (struct unzstd *)source;
    ZSTD_freeDCtx(self->context);
    source_free(self->next);
    free(self->buffer);
    free(self);
}

struct source *unzstd_source_new(struct source *next)
{
    static const struct source_ops ops = { "unzstd", unzstd_read, unzstd_free };
    struct unzstd *self = NEW(struct unzstd);
    self->source.ops = &ops;
    self->next = next;
    self->context = ZSTD_createDCtx();
    if (!self->context ||
        ZSTD_isError(ZSTD_DCtx_setParameter(self->context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
        abort(); /* memory is out */
    self->buffer = xmalloc(INPUT_SIZE);
    return &self->source;
}
