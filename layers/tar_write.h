/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tar writer: bytes are a pure function of the entries. ustar headers, pax
 * records only where a field doesn't fit (names over 100 bytes that can't be
 * split, numbers over the octal fields, xattrs as SCHILY.xattr.*); numeric ids, no
 * user names, whole seconds. docs/FORMAT.md, "Layer bytes", version 1.
 */
#ifndef CBUILD_LAYERS_TAR_WRITE_H
#define CBUILD_LAYERS_TAR_WRITE_H

#include "base/sink.h"
#include "layers/entry.h"

struct tar_writer;

/* next is borrowed: finished by the caller. */
struct tar_writer *tar_writer_new(struct sink *next);
void tar_writer_free(struct tar_writer *tar);
DEFINE_AUTO(struct tar_writer, tar_writer_free)

/* Header of one entry; for files exactly entry->size bytes must follow by tar_writer_data(). */
int tar_writer_entry(struct tar_writer *tar, const struct entry *entry,
                     struct error **err) WARN_UNUSED;
int tar_writer_data(struct tar_writer *tar, const void *data, size_t size,
                    struct error **err) WARN_UNUSED;
/* The two closing blocks. */
int tar_writer_finish(struct tar_writer *tar, struct error **err) WARN_UNUSED;

#endif
