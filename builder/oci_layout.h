/* SPDX-License-Identifier: Apache-2.0 */
/* --build-context NAME=oci-layout://DIR[:TAG|@DIGEST]: an image of a layout on disk comes into the
 * store, every blob verified. image-spec v1.1, image-layout.md */
#ifndef CBUILD_BUILDER_OCI_LAYOUT_H
#define CBUILD_BUILDER_OCI_LAYOUT_H

#include "oci/store.h"

/* What follows "oci-layout://". Pure: ERR_USAGE. */
int oci_layout_parse(const char *text, char **dir, char **tag, char **digest,
                     struct error **err) WARN_UNUSED;

/*
 * Without tag and digest: the only image, else the tag latest. Of an index, what is there. *name
 * (free it) is a reference that the store resolves. ERR_NOT_FOUND, ERR_DIGEST, ERR_INVALID.
 */
int oci_layout_import(struct store *store, const char *text, char **name,
                      struct error **err) WARN_UNUSED;

#endif
