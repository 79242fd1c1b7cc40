/* SPDX-License-Identifier: Apache-2.0 */
/* An image of an OCI layout on disk. image-spec v1.1, image-layout.md */
#ifndef CBUILD_OCI_TRANSPORT_LAYOUT_H
#define CBUILD_OCI_TRANSPORT_LAYOUT_H

#include "oci/transport.h"

#define LAYOUT_REF_NAME "org.opencontainers.image.ref.name"

/*
 * To read. tag, digest: NULL or unset where there is none; without both the only image, else the
 * tag latest. ERR_NOT_FOUND (with the tags that there are), ERR_INVALID.
 */
struct transport *transport_layout_open(const char *dir, const char *tag,
                                        const struct digest *digest, struct error **err);
/*
 * To write: the layout is made where there is none; what has the same tag (NULL: none) is
 * replaced, other images stay. ERR_EXISTS: the folder holds something else.
 */
struct transport *transport_layout_create(const char *dir, const char *tag, struct error **err);

#endif
