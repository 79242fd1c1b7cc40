/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/compress.h"

#include "base/mem.h"
#include "layers/archive_read.h"
#include "layers/gunzip.h"
#include "layers/unzstd.h"
#include "oci/media_type.h"

#include <libdeflate.h>
#include <string.h>
#include <zstd.h>

#define MAGIC_SIZE 10

static const struct kind {
    const char *name, *media_type;
    int default_level, max_level; /* 0: has no levels */
} kinds[] = {
    /* gzip 3: the size of the peers' layers at a fifth of their time (PERFORMANCE.md) */
    [COMPRESSION_GZIP] = { "gzip", MEDIA_TYPE_OCI_LAYER_GZIP, 3, 12 },
    [COMPRESSION_ZSTD] = { "zstd", MEDIA_TYPE_OCI_LAYER_ZSTD, 3, 19 },
    [COMPRESSION_NONE] = { "uncompressed", MEDIA_TYPE_OCI_LAYER, 0, 0 },
};

static int parse_level(const char *text, const struct kind *kind, int *level, struct error **err)
{
    char *end;
    long value = text[0] >= '1' && text[0] <= '9' ? strtol(text, &end, 10) : 0;
    if (value < 1 || value > kind->max_level || *end)
        return error_set(err, ERR_INVALID, "compression level \"%s\": %s has 1 to %d", text,
                         kind->name, kind->max_level);
    *level = (int)value;
    return 0;
}

int compression_parse(const char *text, struct compression *ret, struct error **err)
{
    size_t size = strcspn(text, ":");
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (strlen(kinds[i].name) != size || memcmp(kinds[i].name, text, size) != 0)
            continue;
        int level = 0;
        if (text[size] && !kinds[i].max_level)
            return error_set(err, ERR_INVALID, "compression \"%s\": uncompressed has no level",
                             text);
        if (text[size] && parse_level(text + size + 1, &kinds[i], &level, err) < 0)
            return -1;
        *ret = (struct compression){ (enum compression_kind)i, level };
        return 0;
    }
    return error_set(err, ERR_INVALID, "compression \"%s\": known are gzip, zstd and uncompressed",
                     text);
}

int compression_level(const struct compression *compression)
{
    return compression->level ? compression->level : kinds[compression->kind].default_level;
}

char *compression_codec_version(const struct compression *compression)
{
    const struct kind *kind = &kinds[compression->kind];
    int level = compression_level(compression);
    switch (compression->kind) {
    case COMPRESSION_GZIP:
        return xasprintf("%s:%d libdeflate-%s", kind->name, level, LIBDEFLATE_VERSION_STRING);
    case COMPRESSION_ZSTD:
        return xasprintf("%s:%d libzstd-%s", kind->name, level, ZSTD_versionString());
    case COMPRESSION_NONE:
        break;
    }
    return xstrdup(kind->name);
}

const char *compression_media_type(const struct compression *compression)
{
    return kinds[compression->kind].media_type;
}

/* As far as there are bytes, they must agree; `least` must be there. */
static bool begins(const unsigned char *data, size_t size, const char *magic, size_t magic_size,
                   size_t least)
{
    return size >= least && memcmp(data, magic, size < magic_size ? size : magic_size) == 0;
}

enum compression_found compression_detect(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    if (begins(bytes, size, "\x1f\x8b\x08", 3, 3))
        return FOUND_GZIP;
    if (begins(bytes, size, "\x28\xb5\x2f\xfd", 4, 4))
        return FOUND_ZSTD;
    /* a skippable frame: legal at the start, zstd:chunked and others put their tables there */
    if (size >= 4 && (bytes[0] & 0xf0) == 0x50 && begins(bytes + 1, size - 1, "\x2a\x4d\x18", 3, 3))
        return FOUND_ZSTD;
    if (begins(bytes, size,
               "\xfd"
               "7zXZ\0",
               6, 6))
        return FOUND_XZ;
    /* "BZh9" may begin a file name in a tar: a block's or the end's mark must follow */
    if (size >= 6 && memcmp(bytes, "BZh", 3) == 0 && bytes[3] >= '1' && bytes[3] <= '9' &&
        (begins(bytes + 4, size - 4, "\x31\x41\x59\x26\x53\x59", 6, 2) ||
         begins(bytes + 4, size - 4, "\x17\x72\x45\x38\x50\x90", 6, 2)))
        return FOUND_BZIP2;
    return FOUND_PLAIN;
}

/* What was read to detect, then the rest. */

struct rewound {
    struct source source;
    struct source *next;
    unsigned char head[MAGIC_SIZE];
    size_t at, size;
};

static ssize_t rewound_borrow(struct source *source, void *buffer, size_t size, const void **data,
                              struct error **err)
{
    struct rewound *self = (struct rewound *)source;
    if (self->at == self->size)
        return source_borrow(self->next, buffer, size, data, err);
    if (size > self->size - self->at)
        size = self->size - self->at;
    *data = self->head + self->at;
    self->at += size;
    return (ssize_t)size;
}

static ssize_t rewound_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct rewound *self = (struct rewound *)source;
    const void *bytes = NULL;
    if (self->at == self->size)
        return source_read(self->next, data, size, err);
    ssize_t n = rewound_borrow(source, NULL, size, &bytes, err);
    memcpy(data, bytes, (size_t)n);
    return n;
}

static void rewound_free(struct source *source)
{
    struct rewound *self = (struct rewound *)source;
    source_free(self->next);
    free(self);
}

static struct rewound *rewound_new(struct source *next)
{
    static const struct source_ops ops = { "rewound", rewound_read, rewound_free, rewound_borrow };
    struct rewound *self = NEW(struct rewound);
    self->source.ops = &ops;
    self->next = next;
    return self;
}

/* Decides at the first read, so that making it never blocks. */

struct decompress {
    struct source source;
    struct source *next;
    bool decided;
    uint64_t max;
};

static struct source *decoder_new(struct source *next, enum compression_found found)
{
    switch (found) {
    case FOUND_GZIP:
        return gunzip_source_new(next);
    case FOUND_ZSTD:
        return unzstd_source_new(next);
    case FOUND_BZIP2:
        return archive_filter_source_new(next, FILTER_BZIP2);
    case FOUND_XZ:
        return archive_filter_source_new(next, FILTER_XZ);
    case FOUND_PLAIN:
        break;
    }
    return next;
}

static int decide(struct decompress *self, struct error **err)
{
    struct rewound *rewound = rewound_new(self->next);
    self->next = &rewound->source;
    ssize_t n = source_read_full(rewound->next, rewound->head, sizeof(rewound->head), err);
    if (n < 0)
        return -1;
    rewound->size = (size_t)n;
    self->next = decoder_new(self->next, compression_detect(rewound->head, rewound->size));
    if (self->max)
        self->next = source_limit_new(self->next, self->max, "decompressed data");
    self->decided = true;
    return 0;
}

static ssize_t decompress_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct decompress *self = (struct decompress *)source;
    if (!self->decided && decide(self, err) < 0)
        return -1;
    return source_read(self->next, data, size, err);
}

static ssize_t decompress_borrow(struct source *source, void *buffer, size_t size,
                                 const void **data, struct error **err)
{
    struct decompress *self = (struct decompress *)source;
    if (!self->decided && decide(self, err) < 0)
        return -1;
    return source_borrow(self->next, buffer, size, data, err);
}

static void decompress_free(struct source *source)
{
    struct decompress *self = (struct decompress *)source;
    source_free(self->next);
    free(self);
}

struct source *decompress_source_new(struct source *next, uint64_t max)
{
    static const struct source_ops ops = { "decompress", decompress_read, decompress_free,
                                           decompress_borrow };
    struct decompress *self = NEW(struct decompress);
    self->source.ops = &ops;
    self->next = next;
    self->max = max;
    return &self->source;
}
