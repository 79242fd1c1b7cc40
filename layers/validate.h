/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether an image is whole, wherever it lies: digests and sizes of all documents and blobs, layers
 * against the diff_ids of their config, the config's platform against the index's.
 */
#ifndef CBUILD_LAYERS_VALIDATE_H
#define CBUILD_LAYERS_VALIDATE_H

#include "oci/transport.h"

struct validate_request {
    struct transport *from;
    bool fast; /* blobs have to be there, but aren't read */
    /* Told of each thing that is wrong; `what` names it. */
    void (*problem)(void *data, const char *what, const struct error *error);
    void *data;
};

struct validate_result {
    struct digest digest; /* of the image */
    uint64_t n_documents, n_blobs, size, n_problems;
};

/* -1: it couldn't be looked at (ERR_NETWORK, ERR_UNAUTHORIZED, ERR_CANCELLED, ERR_IO; the top
 * itself ERR_NOT_FOUND). Problems are no failure. */
int validate_image(const struct validate_request *request, struct validate_result *ret,
                   struct error **err) WARN_UNUSED;

#endif
