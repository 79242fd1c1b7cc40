/* SPDX-License-Identifier: Apache-2.0 */
/* An image of the store, or one that it will have. */
#ifndef CBUILD_OCI_TRANSPORT_STORE_H
#define CBUILD_OCI_TRANSPORT_STORE_H

#include "oci/transport.h"

/* To read: what store_resolve() finds for text. ERR_NOT_FOUND. */
struct transport *transport_store_open(struct store *store, const char *text, struct error **err);
/* To read: an image whose blobs are leased. */
struct transport *transport_store_of(struct store *store, const struct descriptor *image);
/*
 * To write: under the reference's tag, and further tags of its repository. NULL: the image gets no
 * name, and stays as long as this process's leases. check (or NULL) may refuse what came before it
 * gets its name.
 */
struct transport *transport_store_create(struct store *store, const struct reference *reference,
                                         int (*check)(struct store *store,
                                                      const struct descriptor *image,
                                                      struct error **err));

#endif
