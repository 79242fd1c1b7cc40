/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forms of several layers in one: layers/FORM/m-HEX, in overlay format as all are. Every lower of
 * a mount costs at mounting and at each name that is looked up first, so a long chain is mounted
 * as merged forms of MERGED_LAYERS layers each, counted from its base, and the layers since.
 *
 * Whether a step sees the merged form or the single ones must make no difference to it: whiteouts
 * stay (something further down may be hidden), a directory that took the place of something else
 * becomes opaque, files keep their counts of links. (A directory's is 1 where overlay shows it of
 * several layers, and else that of the disk, so this one differs.) What can't be merged so is left
 * as it is: layers with more than a few thousand entries or some megabytes (they are copied: a hard
 * link would be counted), a layer that hides all below, a file that is linked to a name which a
 * layer above hides. Such layers took longer to make than any mount.
 */
#ifndef CBUILD_LAYERS_MERGED_FORM_H
#define CBUILD_LAYERS_MERGED_FORM_H

#include "oci/store.h"

#define MERGED_LAYERS 32
#define MERGED_MAX_ENTRIES 8192
#define MERGED_MAX_BYTES ((uint64_t)64 << 20)

/* Of the layers from above `below` (unset: from the first) up to `top`, both chain_ids. */
struct digest merged_form_name(const struct digest *top, const struct digest *below);
/* Leased: an O_PATH fd, or -1 with *err NULL when there is none. */
int merged_form_find(struct store *store, const struct digest *name,
                     struct error **err) WARN_UNUSED;
/*
 * Merges forms (topmost first). 0 also when they can't be, or another process is at it. It appears
 * under its name complete; a kill leaves a private form, which collecting removes.
 */
int merged_form_make(struct store *store, const int *fds, size_t n, const struct digest *name,
                     struct error **err) WARN_UNUSED;

#endif
