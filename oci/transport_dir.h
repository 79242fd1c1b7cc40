/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dir: folder of skopeo and podman: manifest.json, documents below it as
 * HEX.manifest.json, blobs as HEX, and a file "version".
 * containers-transports(5), "dir:path"
 */
#ifndef CBUILD_OCI_TRANSPORT_DIR_H
#define CBUILD_OCI_TRANSPORT_DIR_H

#include "oci/transport.h"

struct transport *transport_dir_open(const char *dir, struct error **err);
/* Replaces an image that is there. ERR_EXISTS: the folder holds something else. */
struct transport *transport_dir_create(const char *dir, struct error **err);

#endif
