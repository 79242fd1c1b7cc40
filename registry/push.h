/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images from the store to a registry. One HEAD of the tag, where the image was there before and
 * still is: nothing else is asked. Else: HEAD each blob, mount where the
 * blob is known from another repository of the host, else upload; children
 * before parents, the tag last. A blob is sent once.
 * distribution-spec v1.1, "Push"
 */
#ifndef CBUILD_REGISTRY_PUSH_H
#define CBUILD_REGISTRY_PUSH_H

#include "oci/reference.h"
#include "oci/store.h"
#include "registry/session.h"

#include <stdbool.h>

struct push_request {
    const struct reference *reference; /* with tag, or by digest only */
    const struct descriptor *image;    /* manifest or index of the store */
    const struct reference *extra;     /* more tags of the same repository */
    size_t n_extra;
    unsigned vertex; /* 0: one of its own */
    bool force;      /* asks for each blob and puts the manifest, even where the tag is the image */
};

struct push_result {
    uint64_t n_uploaded, n_mounted, n_present;
    uint64_t size_uploaded;
};

/*
 * ERR_UNAUTHORIZED, ERR_NETWORK, ERR_REFUSED; ERR_NOT_FOUND: a blob that neither the store nor a
 * source of it has; ERR_UNSUPPORTED: the registry may know Docker's formats alone (manifests.h).
 * `result` may be NULL.
 */
int registry_push(struct registry_session *session, struct store *store,
                  const struct push_request *request, struct push_result *result,
                  struct error **err) WARN_UNUSED;

/*
 * One blob ahead of its manifest, while the build goes on. A later registry_push() of the same
 * session doesn't ask for it again.
 */
int registry_push_blob(struct registry_session *session, struct store *store,
                       const struct reference *repository, const struct descriptor *blob,
                       unsigned vertex, struct error **err) WARN_UNUSED;

#endif
