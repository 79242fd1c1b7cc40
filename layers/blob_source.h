/* SPDX-License-Identifier: Apache-2.0 */
/* A blob of any place (oci/transport.h) as a source: what is pushed is pulled, through a pipe. */
#ifndef CBUILD_LAYERS_BLOB_SOURCE_H
#define CBUILD_LAYERS_BLOB_SOURCE_H

#include "base/source.h"
#include "oci/transport.h"

/* Both outlive it. Reading to the end verifies: ERR_DIGEST. Runs a thread. */
struct source *blob_source_new(struct transport *from, const struct descriptor *blob,
                               struct error **err);

#endif
