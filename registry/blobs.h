/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs of a registry. distribution-spec v1.1, "Pulling blobs", "Checking if content exists" */
#ifndef CBUILD_REGISTRY_BLOBS_H
#define CBUILD_REGISTRY_BLOBS_H

#include "oci/blob_watcher.h"
#include "oci/descriptor.h"
#include "oci/reference.h"
#include "oci/store.h"
#include "registry/session_parts.h"

/*
 * Brings a blob into the store. Under store_lock("blob-HEX"), so of several processes one loads and
 * the others wait. Bytes go to partial/HEX, which the next attempt (of any process) continues; the
 * digest is checked over the whole before the file moves into place. Foreign layers come from their
 * urls, without credentials. ERR_DIGEST: other content or size; nothing is left of it.
 */
struct blob_request {
    const struct reference *repository;
    const struct descriptor *blob;
    unsigned vertex;
    const struct blob_watcher *watcher; /* of layers; NULL: nobody */
};

int blob_fetch(struct registry_session *session, struct store *store,
               const struct blob_request *request, struct error **err) WARN_UNUSED;

/* HEAD. What is unclear (403, 405) counts as absent. ERR_UNAUTHORIZED, ERR_NETWORK. */
int blob_exists(struct registry_session *session, const struct reference *repository,
                const struct digest *digest, unsigned actions, bool *ret,
                struct error **err) WARN_UNUSED;

/* "sha256:0123456789ab", for people */
#define BLOB_SHORT_SIZE 20
void blob_short_name(const struct digest *digest, char out[BLOB_SHORT_SIZE]);

#endif
