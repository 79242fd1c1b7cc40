/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image of a registry. To read and write between two registries, give each side a session of
 * its own: uploads that wait for downloads must not hold the downloads' connections.
 */
#ifndef CBUILD_REGISTRY_TRANSPORT_REGISTRY_H
#define CBUILD_REGISTRY_TRANSPORT_REGISTRY_H

#include "oci/transport.h"
#include "registry/session.h"

/* A blob of size UINT64_MAX is read to its end, whatever that is.
 * The session is borrowed; the reference is copied, without tag and digest it means latest. */
struct transport *transport_registry_new(struct registry_session *session,
                                         const struct reference *reference);

#endif
