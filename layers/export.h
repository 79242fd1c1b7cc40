/* SPDX-License-Identifier: Apache-2.0 */
/* The merged root file system of an image as one tar: what a container of it would see. */
#ifndef CBUILD_LAYERS_EXPORT_H
#define CBUILD_LAYERS_EXPORT_H

#include "base/sink.h"
#include "layers/tar_write.h"
#include "layers/tree.h"
#include "oci/image.h"

/*
 * The tree of an image whose layers are in the store.
 */
struct tree *export_tree(struct store *store, const struct image *image);
/*
 * Writes the tree's tar; doesn't finish `to`. No layer is unpacked: each is read once, and of it
 * what the tree shows. Deterministic. Hard links stay links.
 */
int export_tar(struct store *store, struct tree *tree, struct sink *to,
               struct error **err) WARN_UNUSED;
/* The same below the directory `prefix`, made first, into a tar that more may come into. */
int export_tar_below(struct store *store, struct tree *tree, const char *prefix,
                     struct tar_writer *tar, struct error **err) WARN_UNUSED;

#endif
