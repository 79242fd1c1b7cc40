/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives as places that images are copied from and to (oci/transport.h). Their content passes
 * through the store, where it stays without a name until it is collected: an archive is read once
 * whatever its order, and what the store has needn't be fetched.
 */
#ifndef CBUILD_LAYERS_TRANSPORT_ARCHIVE_H
#define CBUILD_LAYERS_TRANSPORT_ARCHIVE_H

#include "layers/archive.h"
#include "oci/transport.h"

/*
 * To read an archive of either kind. ref: a name, a tag, or "@N", the N-th image (from 0); NULL:
 * the only image. ERR_NOT_FOUND with what there is.
 */
struct transport *transport_archive_open(struct store *store, const char *path, const char *ref,
                                         struct error **err);
/*
 * To write: the file appears when the image is complete, and replaces one that is there. ref: a
 * name, or (ARCHIVE_OCI) a bare tag; NULL: no name. ERR_USAGE: neither.
 */
struct transport *transport_archive_create(struct store *store, const char *path, const char *ref,
                                           enum archive_format format, struct error **err);

#endif
