/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs to a registry. Registries differ in what they take (REGISTRY.md 2 and 5),
 * so there are three ways, each tried when the one before was refused, and the one
 * that worked is remembered per host:
 *
 *   UPLOAD_PUT     POST, PUT with the blob          all but a few; GAR and GHCR take only this
 *   UPLOAD_STREAM  POST, PATCH with the blob, PUT   old Artifactory
 *   UPLOAD_CHUNKS  POST, PATCH per chunk, PUT       proxies that limit a request's size
 *
 * An upload mount comes before: where it isn't granted, the answer opens a session
 * that is used for the upload.
 *
 * distribution-spec v1.1, "Pushing blobs", "Mounting a blob from another repository"
 */
#ifndef CBUILD_REGISTRY_UPLOADS_H
#define CBUILD_REGISTRY_UPLOADS_H

#include "oci/descriptor.h"
#include "oci/reference.h"
#include "registry/session_parts.h"

#define UPLOAD_CHUNK_SIZE (4u << 20) /* GHCR takes no more */

enum upload_result { UPLOAD_RESULT_SENT, UPLOAD_RESULT_MOUNTED, UPLOAD_RESULT_PRESENT };

struct upload_request {
    const struct reference *repository;
    const struct descriptor *blob;
    int fd; /* the blob's file; -1: none */
    /* or what writes it, as struct http_body has it; neither: only mounting */
    int (*produce)(void *producer, uint64_t offset, uint64_t size, struct sink *to,
                   struct error **err);
    void *producer;
    const char *from; /* repository path of the same registry that has it; NULL: no mount */
    unsigned vertex;
};

/*
 * ERR_NOT_FOUND: without content, the mount wasn't granted. ERR_DIGEST: the registry says that the
 * content doesn't match. ERR_REFUSED, ERR_UNAUTHORIZED, ERR_NETWORK.
 */
int upload_blob(struct registry_session *session, const struct upload_request *request,
                enum upload_result *result, struct error **err) WARN_UNUSED;

#endif
