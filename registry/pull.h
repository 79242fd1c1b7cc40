/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images and blobs from a registry into the store.
 * distribution-spec v1.1, "Pulling manifests", "Pulling blobs"
 */
#ifndef CBUILD_REGISTRY_PULL_H
#define CBUILD_REGISTRY_PULL_H

#include "oci/blob_watcher.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "oci/store.h"
#include "registry/session.h"

enum pull_flags {
    PULL_ALL_PLATFORMS = 1 << 0, /* an index whole, else only the platform's image of it */
    PULL_NO_LAYERS = 1 << 1,     /* manifest and config only: blobs follow by pull_blob() */
};

struct pull_request {
    const struct reference *reference;
    const struct platform *platform; /* NULL: the host's */
    unsigned flags;
    unsigned vertex; /* progress of blobs is told on it; 0: a vertex of its own */
    const struct blob_watcher *watcher; /* of layers that are loaded; or NULL */
};

/*
 * Digest, size and media type of what a name points to now: HEAD (GET where HEAD is refused).
 * ERR_NOT_FOUND, ERR_UNAUTHORIZED, ERR_NETWORK.
 */
int registry_resolve(struct registry_session *session, const struct reference *reference,
                     struct descriptor *ret, struct error **err) WARN_UNUSED;

/*
 * Pulls an image: documents first (each verified, kept byte for byte), then the blobs that the
 * store lacks, in parallel, each once even when several processes pull. Doesn't tag. `target` gets
 * the descriptor of what the name points to (index or manifest), `manifest` that of the chosen
 * manifest (may be NULL). With PULL_NO_LAYERS remembers in sources/ where layers can be had.
 * An index pulled for one platform keeps the index document only when it was asked for whole:
 * `target` is then the manifest's descriptor.
 */
int registry_pull(struct registry_session *session, struct store *store,
                  const struct pull_request *request, struct descriptor *target,
                  struct descriptor *manifest, struct error **err) WARN_UNUSED;

/* One blob of a repository into the store, verified; at once when it is there. */
int registry_pull_blob(struct registry_session *session, struct store *store,
                       const struct reference *repository, const struct descriptor *blob,
                       unsigned vertex, struct error **err) WARN_UNUSED;

#endif
