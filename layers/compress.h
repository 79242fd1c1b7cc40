/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression of layers: codecs as sinks and sources, chosen by name when
 * writing and by magic when reading.
 */
#ifndef CBUILD_LAYERS_COMPRESS_H
#define CBUILD_LAYERS_COMPRESS_H

#include "base/sink.h"
#include "base/source.h"

enum compression_kind { COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_NONE };

struct compression {
    enum compression_kind kind;
    int level; /* 0: the kind's default (gzip 3 by libdeflate, zstd 3) */
};

/* "gzip", "gzip:6", "zstd:3", "uncompressed". ERR_INVALID. */
int compression_parse(const char *text, struct compression *ret, struct error **err) WARN_UNUSED;
/* What level 0 means, else the level; 0 for uncompressed. */
int compression_level(const struct compression *compression);
/* For cache records and `cbuild version`: "gzip:3 libdeflate-1.14". free() it. */
char *compression_codec_version(const struct compression *compression);
/* OCI layer media type of it. */
const char *compression_media_type(const struct compression *compression);

enum compression_found { FOUND_PLAIN, FOUND_GZIP, FOUND_ZSTD, FOUND_BZIP2, FOUND_XZ };
/* By the first bytes (10 are best, 6 enough; fewer than 3 are FOUND_PLAIN). */
enum compression_found compression_detect(const void *data, size_t size);

/*
 * Decompresses next (owned) whatever it holds: plain passes through, gzip (all members; CRC and
 * length checked; zero padding after the last is accepted, other trailing bytes and a cut stream
 * are ERR_INVALID), zstd (all frames, skippable ones too; window at most 128 MiB), bzip2, xz. ISA-L
 * for gzip where it is built, zlib otherwise. `max` bytes of output at most (0: no limit):
 * ERR_LIMIT.
 */
struct source *decompress_source_new(struct source *next, uint64_t max);

#endif
