/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a layer blob holds, kept beside it in entries/HEX (HEX: the blob's
 * digest): its entry list, its diff_id, and the table of compressed members
 * (offset, sizes, SHA-256 of each member's input: the chunk cache).
 * A cache: made again from the blob when missing or damaged. docs/FORMAT.md
 */
#ifndef CBUILD_LAYERS_ENTRIES_H
#define CBUILD_LAYERS_ENTRIES_H

#include "base/source.h"
#include "layers/entry.h"
#include "oci/store.h"

struct form_writer;

struct member {
    uint64_t offset, size; /* in the blob */
    uint64_t input_size;   /* of the tar */
    uint8_t input[SHA256_SIZE];
    uint32_t crc;  /* CRC-32 of the compressed bytes: a disk that forgets isn't copied from */
    bool is_taken; /* of a layer just made: from its previous version; isn't kept */
};

struct entries {
    struct digest diff_id;
    uint64_t tar_size;
    struct entry_list list;
    char *codec; /* compression_codec_version() of the members; NULL: not ours, no members */
    struct member *members;
    size_t n_members, members_capacity;
};

void entries_release(struct entries *entries);
DEFINE_AUTO_STRUCT(struct entries, entries_release)

/* `ret` starts zeroed. ERR_NOT_FOUND also when damaged or of another format version. */
int entries_read(struct store *store, const struct digest *blob, struct entries *ret,
                 struct error **err) WARN_UNUSED;
/* All but the list, which stays empty: what a chunk cache needs. */
int entries_read_members(struct store *store, const struct digest *blob, struct entries *ret,
                         struct error **err) WARN_UNUSED;
int entries_write(struct store *store, const struct digest *blob, const struct entries *entries,
                  struct error **err) WARN_UNUSED;
/*
 * From a blob's bytes (owned), wherever they come from; writes nothing. `form` (may be NULL) gets
 * the entries with their contents on the same pass, and isn't finished.
 */
int entries_scan_source(struct source *blob, struct form_writer *form, struct entries *ret,
                        struct error **err) WARN_UNUSED;
/* From the blob itself: decompresses and parses it once, computing diff_id; writes the file. */
int entries_scan(struct store *store, const struct digest *blob, struct entries *ret,
                 struct error **err) WARN_UNUSED;

#endif
