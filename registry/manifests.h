/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and indexes of a registry (or its mirrors, where they are read), as bytes.
 * distribution-spec v1.1, "Pulling manifests", "Pushing manifests" */
#ifndef CBUILD_REGISTRY_MANIFESTS_H
#define CBUILD_REGISTRY_MANIFESTS_H

#include "oci/manifest.h"
#include "oci/reference.h"
#include "registry/session_parts.h"

/*
 * What a name points to: HEAD, which doesn't count as a pull at Docker Hub; GET where HEAD is
 * refused or says too little. ERR_NOT_FOUND, ERR_UNAUTHORIZED, ERR_UNSUPPORTED (schema 1).
 */
int manifest_resolve(struct registry_session *session, const struct reference *reference,
                     struct descriptor *ret, struct error **err) WARN_UNUSED;
/*
 * Appends the document to body and describes it. By digest where the reference has one; the
 * content is verified, and against what the registry says of it. ERR_DIGEST, ERR_INVALID, ERR_LIMIT
 * and those above.
 */
int manifest_fetch(struct registry_session *session, const struct reference *reference,
                   struct strbuf *body, struct descriptor *ret, struct error **err) WARN_UNUSED;
/* As manifest_fetch(), of the registry itself and no mirror: before something there is replaced. */
int manifest_fetch_here(struct registry_session *session, const struct reference *reference,
                        struct strbuf *body, struct descriptor *ret,
                        struct error **err) WARN_UNUSED;
/* Whether a tag (or digest) of the repository is this digest now. Anything unclear is no.
 * ERR_UNAUTHORIZED, ERR_CANCELLED. */
int manifest_is(struct registry_session *session, const struct reference *repository,
                const char *name, const struct digest *digest, bool *ret,
                struct error **err) WARN_UNUSED;
/*
 * Puts bytes under a tag or digest. *lacks_blob: the registry says that a blob or child isn't
 * there. ERR_REFUSED, ERR_UNAUTHORIZED, ERR_DIGEST: it stored something else; ERR_UNSUPPORTED: it
 * takes an OCI manifest for none, as registries do that know Docker's formats alone.
 */
int manifest_put(struct registry_session *session, const struct reference *repository,
                 const char *name, const struct descriptor *desc, const struct strbuf *body,
                 bool *lacks_blob, struct error **err) WARN_UNUSED;

/*
 * Puts an image under these tags (none: by its digest alone). Several go by one call where the
 * registry knows it: distribution-spec main, "Pushing Manifests with Tags": ?tag=, OCI-Tag. A tag
 * that refuses to change but is this image already is what was wanted (or another job was first).
 * As manifest_put() otherwise.
 */
int manifest_put_tags(struct registry_session *session, const struct reference *repository,
                      const struct strvec *tags, const struct descriptor *desc,
                      const struct strbuf *body, bool *lacks_blob, struct error **err) WARN_UNUSED;

/*
 * Puts a manifest that has a subject under its digest. *knows_subject: the registry says that it
 * lists it among the subject's referrers (OCI-Subject). As manifest_put() otherwise.
 */
int manifest_put_artifact(struct registry_session *session, const struct reference *repository,
                          const struct descriptor *desc, const struct strbuf *body,
                          bool *knows_subject, struct error **err) WARN_UNUSED;

/*
 * Removes a tag; or, where the reference has a digest, that manifest with all tags it has. Blobs
 * stay until the registry collects them. ERR_NOT_FOUND, ERR_UNAUTHORIZED, ERR_REFUSED: it doesn't
 * delete, or not by tag.
 */
int manifest_delete(struct registry_session *session, const struct reference *reference,
                    struct error **err) WARN_UNUSED;

#endif
