/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of an image archive, read once in whatever order they come (the archive may
 * be a pipe): documents at the top are kept in memory, all else goes to the store
 * as blobs. blobs/sha256/HEX must have the digest that it is named by.
 */
#ifndef CBUILD_LAYERS_ARCHIVE_MEMBERS_H
#define CBUILD_LAYERS_ARCHIVE_MEMBERS_H

#include "base/hashmap.h"
#include "base/source.h"
#include "oci/store.h"

struct archive_file {
    struct digest digest;
    uint64_t size;
};

struct archive_members {
    struct strbuf index, manifest; /* index.json, manifest.json */
    bool has_index, has_manifest;
    struct hashmap files; /* path → struct archive_file * */
    struct hashmap links; /* path → path it leads to; docker wrote layers that it had already so */
};

void archive_members_init(struct archive_members *members);
void archive_members_release(struct archive_members *members);
DEFINE_AUTO_STRUCT(struct archive_members, archive_members_release)

/* Owns from. ERR_INVALID, ERR_LIMIT, ERR_DIGEST. */
int archive_members_read(struct archive_members *members, struct store *store, struct source *from,
                         struct error **err) WARN_UNUSED;
/* The file of this name, links followed; NULL when there is none. */
const struct archive_file *archive_members_find(const struct archive_members *members,
                                                const char *path);

#endif
