/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libarchive, and the only file that knows it. Loaded when first needed, since
 * linking it would cost every start a millisecond (DESIGN.md, "Libraries").
 *
 * Judges nothing: names, links and sizes come as they stand in the archive.
 * tar_read.h refuses what is hostile.
 */
#ifndef CBUILD_LAYERS_ARCHIVE_READ_H
#define CBUILD_LAYERS_ARCHIVE_READ_H

#include "base/source.h"

#include <stdbool.h>

/* Zeros of a member that no byte of the archive stands for: reading more is ERR_LIMIT. */
#define ARCHIVE_MAX_HOLES ((uint64_t)16 << 30)

struct archive_reader;

/* One member. Strings are borrowed until the next call of archive_reader_next(). */
struct archive_item {
    const char *path;     /* bytes as in the archive; NULL: it has none */
    const char *hardlink; /* target, or NULL */
    const char *symlink;  /* target, or NULL */
    uint32_t type;        /* S_IFREG, S_IFDIR, ... ; 0 for most hard links */
    uint16_t mode;        /* 07777 */
    int64_t uid, gid;
    bool has_size;
    int64_t size;
    int64_t mtime; /* whole seconds, rounded down */
    uint64_t dev_major, dev_minor;
    uint64_t n_sparse;    /* regions of a sparse file; 0: not sparse */
    uint64_t sparse_data; /* bytes in these regions (saturated) */
};

/*
 * A tar (ustar, pax, GNU, V7), not compressed. Owns source, also on failure. Nothing is read yet.
 * ERR_UNSUPPORTED: libarchive is not installed.
 */
struct archive_reader *archive_reader_new(struct source *source, struct error **err);
void archive_reader_free(struct archive_reader *reader);
DEFINE_AUTO(struct archive_reader, archive_reader_free)

/* 1 and the next member, 0 at the end, -1: ERR_INVALID, or the source's own error. */
int archive_reader_next(struct archive_reader *reader, struct archive_item *item,
                        struct error **err) WARN_UNUSED;
/* The current member's next extended attribute; false when there is no further. Borrowed as the
 * item. */
bool archive_reader_xattr(struct archive_reader *reader, const char **name, const void **value,
                          size_t *size);
/* Content of the current member, holes as zeros: 1..size, 0 at the end, -1. */
ssize_t archive_reader_data(struct archive_reader *reader, void *data, size_t size,
                            struct error **err) WARN_UNUSED;
/* The same, without copying: bytes at *data until the next call. */
ssize_t archive_reader_borrow(struct archive_reader *reader, size_t size, const void **data,
                              struct error **err) WARN_UNUSED;

enum filter_kind { FILTER_BZIP2, FILTER_XZ };

/* The decompressed bytes of next (owned). A cut or damaged stream is ERR_INVALID; libarchive
 * missing: at read. */
struct source *archive_filter_source_new(struct source *next, enum filter_kind filter);

#endif
