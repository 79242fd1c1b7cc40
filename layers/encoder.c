/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip: the input is looked at in pieces of 1 MiB. A piece whose samples don't
 * shrink is stored, since libdeflate spends on random bytes as much as on text (W4's
 * random half would cost 6 of 10 cpu seconds). Neighbours of one kind become one
 * gzip member, so an ordinary input is exactly one.
 */
#include "layers/encoder.h"

#include "base/mem.h"

#include <libdeflate.h>
#include <stdbool.h>
#include <string.h>
#include <zstd.h>

#define PIECE ((size_t)1 << 20)
#define SAMPLE ((size_t)4096)
#define SAMPLES 4 /* of a piece: 1.6 % of it */

struct encoder_ops {
    void (*member)(struct encoder *encoder, const char *data, size_t size, struct strbuf *out);
};

struct encoder {
    const struct encoder_ops *ops;
    struct libdeflate_compressor *deflate, *probe, *store;
    ZSTD_CCtx *zstd;
};

static struct libdeflate_compressor *deflate_new(int level)
{
    struct libdeflate_compressor *deflate = libdeflate_alloc_compressor(level);
    if (!deflate)
        abort(); /* memory is out: levels are checked when parsed */
    return deflate;
}

static void gzip_append(struct libdeflate_compressor *deflate, const char *data, size_t size,
                        struct strbuf *out)
{
    size_t bound = libdeflate_gzip_compress_bound(deflate, size);
    char *to = strbuf_grow(out, bound);
    size_t n = libdeflate_gzip_compress(deflate, data, size, to, bound);
    if (!n)
        abort(); /* the bound was wrong */
    strbuf_set_size(out, out->size + n);
}

/* Whether samples of a piece shrink by less than 1/32. */
static bool is_dense(struct encoder *encoder, const char *piece, size_t size)
{
    char packed[SAMPLE];
    size_t step = size / SAMPLES, total = 0;
    if (step < SAMPLE)
        return false;
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t n = libdeflate_deflate_compress(encoder->probe, piece + i * step, SAMPLE, packed,
                                               sizeof(packed));
        total += n ? n : SAMPLE; /* 0: doesn't fit */
    }
    return total > SAMPLES * (SAMPLE - SAMPLE / 32);
}

static void gzip_member(struct encoder *encoder, const char *data, size_t size, struct strbuf *out)
{
    size_t start = 0;
    bool dense = is_dense(encoder, data, size < PIECE ? size : PIECE);
    for (size_t at = PIECE; at < size; at += PIECE) {
        bool here = is_dense(encoder, data + at, size - at < PIECE ? size - at : PIECE);
        if (here == dense)
            continue;
        gzip_append(dense ? encoder->store : encoder->deflate, data + start, at - start, out);
        start = at;
        dense = here;
    }
    gzip_append(dense ? encoder->store : encoder->deflate, data + start, size - start, out);
}

static void zstd_member(struct encoder *encoder, const char *data, size_t size, struct strbuf *out)
{
    size_t bound = ZSTD_compressBound(size);
    char *to = strbuf_grow(out, bound);
    size_t n = ZSTD_compress2(encoder->zstd, to, bound, data, size);
    if (ZSTD_isError(n))
        abort(); /* only memory can be missing: bound and level are right */
    strbuf_set_size(out, out->size + n);
}

static void plain_member(struct encoder *encoder UNUSED, const char *data, size_t size,
                         struct strbuf *out)
{
    strbuf_add(out, data, size);
}

struct encoder *encoder_new(const struct compression *compression)
{
    static const struct encoder_ops gzip = { gzip_member }, zstd = { zstd_member },
                                    plain = { plain_member };
    struct encoder *encoder = NEW(struct encoder);
    int level = compression_level(compression);
    switch (compression->kind) {
    case COMPRESSION_GZIP:
        encoder->ops = &gzip;
        encoder->deflate = deflate_new(level);
        encoder->probe = deflate_new(1);
        encoder->store = deflate_new(0);
        break;
    case COMPRESSION_ZSTD:
        encoder->ops = &zstd;
        encoder->zstd = ZSTD_createCCtx();
        if (!encoder->zstd ||
            ZSTD_isError(ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_compressionLevel, level)))
            abort(); /* memory is out: levels are checked when parsed */
        break;
    case COMPRESSION_NONE:
        encoder->ops = &plain;
        break;
    }
    return encoder;
}

void encoder_free(struct encoder *encoder)
{
    if (!encoder)
        return;
    libdeflate_free_compressor(encoder->deflate);
    libdeflate_free_compressor(encoder->probe);
    libdeflate_free_compressor(encoder->store);
    ZSTD_freeCCtx(encoder->zstd);
    free(encoder);
}

void encoder_member(struct encoder *encoder, const void *data, size_t size, struct strbuf *out)
{
    encoder->ops->member(encoder, data, size, out);
}
