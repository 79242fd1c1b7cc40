/* SPDX-License-Identifier: Apache-2.0 */
/* ADD of an archive: its entries onto a destination. Internal to copy*.c. */
#ifndef CBUILD_BUILDER_COPY_UNPACK_H
#define CBUILD_BUILDER_COPY_UNPACK_H

#include "builder/copy_chown.h"
#include "builder/copy_dest.h"

struct copy_unpack {
    struct copy_dest *dest;
    struct copy_content *content;
    struct store *store;            /* contents are spooled in its tmp */
    const char *directory;          /* exists; real path */
    const struct copy_owner *owner; /* of the entries; NULL: as the archive has it */
};

/*
 * Unpacks `archive` (consumed). Entries in the archive's order: later ones win, and replace what is
 * of another kind (where COPY would fail). Parents that the archive leaves out are made 0755 root.
 * A name is followed through links that were there or came with the archive, inside the root.
 * ".wh." names are ordinary here, and refused, since a layer can't hold them.
 */
int copy_unpack(const struct copy_unpack *unpack, struct source *archive,
                struct error **err) WARN_UNUSED;

#endif
