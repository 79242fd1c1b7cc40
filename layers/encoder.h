/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compresses one member of a layer: a whole gzip member, zstd frame, or the bytes
 * themselves. A pure function of kind, level, library version and input.
 *
 * One thread at a time; any thread.
 */
#ifndef CBUILD_LAYERS_ENCODER_H
#define CBUILD_LAYERS_ENCODER_H

#include "base/strbuf.h"
#include "layers/compress.h"

struct encoder;

struct encoder *encoder_new(const struct compression *compression);
void encoder_free(struct encoder *encoder);
DEFINE_AUTO(struct encoder, encoder_free)

/* Appends the compressed member to out. */
void encoder_member(struct encoder *encoder, const void *data, size_t size, struct strbuf *out);

#endif
