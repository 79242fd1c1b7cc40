/* SPDX-License-Identifier: Apache-2.0 */
/* A push to a registry of any age: what refuses OCI manifests gets Docker's format. */
#ifndef CBUILD_REGISTRY_PUSH_COMPATIBLE_H
#define CBUILD_REGISTRY_PUSH_COMPATIBLE_H

#include "registry/push.h"

/*
 * As registry_push(). Where the registry says that it doesn't know the format, the image is
 * converted on the way, with a warning that names both digests. `pushed` gets what is there then;
 * NULL: not wanted.
 */
int registry_push_compatible(struct registry_session *session, struct store *store,
                             const struct push_request *request, struct descriptor *pushed,
                             struct error **err) WARN_UNUSED;

#endif
