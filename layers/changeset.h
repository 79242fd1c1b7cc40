/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new layer is to hold, and where the content of its files comes from.
 * COPY, ADD and RUN each make one; layer_make() turns it into a layer.
 *
 * The entries are final (order, owners, clamped times) before any content is
 * read, so that the next step can work on the tree while content still streams.
 */
#ifndef CBUILD_LAYERS_CHANGESET_H
#define CBUILD_LAYERS_CHANGESET_H

#include "base/source.h"
#include "layers/entry.h"

struct changeset_ops {
    /*
     * The content of an ENTRY_FILE with size > 0: exactly entry->size bytes (a file that changed
     * meanwhile is an error that names it). Called in the order of entries, from another thread
     * than the maker's, one at a time.
     */
    struct source *(*open)(void *data, const struct entry *entry, struct error **err);
    void (*free)(void *data);
    /*
     * The content of this ENTRY_FILE will be asked for soon: where reading waits for a disk, its
     * first CHANGESET_AHEAD_SIZE bytes may begin to come. False: nothing waits, so nothing was
     * done. Called as open() is; NULL: it is never wanted.
     */
    bool (*ahead)(void *data, const struct entry *entry);
};

#define CHANGESET_AHEAD_SIZE ((uint64_t)512 * 1024)

struct changeset {
    struct entry_list list;
    const struct changeset_ops *ops;
    void *data; /* owned, through ops->free */
};

#define CHANGESET_INIT                                                                             \
    {                                                                                              \
        ENTRY_LIST_INIT, NULL, NULL                                                                \
    }

void changeset_release(struct changeset *changeset);
DEFINE_AUTO_STRUCT(struct changeset, changeset_release)

#endif
