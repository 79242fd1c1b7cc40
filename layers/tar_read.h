/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one reader of tars from outside (pulled layers, imported and loaded
 * archives, ADDed tars), and the one place where their limits live. libarchive
 * parses; everything hostile in a name or link is refused here.
 *
 * RELIABILITY.md 11, 12: names and link targets cleaned beneath the root (leading "/" and "./"
 * dropped; ".." that leaves the root ERR_INVALID), no NUL, a component at most 255 and a path at
 * most 4096 bytes; claimed sizes never allocated; sparse files refused by name where their map is
 * absurd.
 */
#ifndef CBUILD_LAYERS_TAR_READ_H
#define CBUILD_LAYERS_TAR_READ_H

#include "base/source.h"
#include "layers/entry.h"

enum tar_read_flags {
    TAR_READ_LAYER = 1 << 0,    /* ".wh." names are whiteouts; off: ordinary names (ADD) */
    TAR_READ_TAR_ONLY = 1 << 1, /* else bzip2, xz, gzip, zstd around it are taken off first */
};

struct tar_reader;

/* Owns source. Decompression by content unless TAR_READ_TAR_ONLY. */
struct tar_reader *tar_reader_new(struct source *source, unsigned flags, struct error **err);
void tar_reader_free(struct tar_reader *tar);
DEFINE_AUTO(struct tar_reader, tar_reader_free)

/*
 * 1 and the next entry (released and refilled), 0 at the end, -1. Entries for the root itself have
 * path "". Attributes that never come from a tar (overlay.*, trusted.*, security.selinux, system.*)
 * are dropped.
 */
int tar_reader_next(struct tar_reader *tar, struct entry *entry, struct error **err) WARN_UNUSED;
/* Content of the current file: 1..size, 0 at the end, -1. Unread content is skipped by next. */
ssize_t tar_reader_data(struct tar_reader *tar, void *data, size_t size,
                        struct error **err) WARN_UNUSED;

/* The same, without copying: bytes at *data until the next call. */
ssize_t tar_reader_borrow(struct tar_reader *tar, size_t size, const void **data,
                          struct error **err) WARN_UNUSED;

/*
 * The decompressed bytes of source (owned), whatever it is compressed with; ERR_LIMIT where that
 * expands out of all proportion. For who reads with TAR_READ_TAR_ONLY.
 */
struct source *tar_decompressed(struct source *source);

#define TAR_BLOCK_SIZE 512
/* Whether these TAR_BLOCK_SIZE bytes are a tar's first header: by its sum. */
bool tar_is_header(const void *block);

/* Whether bytes begin like an archive that ADD unpacks: a tar, plain or in gzip, bzip2, xz, zstd
 * (looks inside). */
int tar_detect(int fd, bool *is_tar, struct error **err) WARN_UNUSED;

#endif
