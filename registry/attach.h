/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An artifact (signature, SBOM, any files) put beside an image, so that the registry lists it
 * among the image's referrers.
 *
 * image-spec v1.1, manifest.md, "Guidelines for Artifact Usage"; distribution-spec v1.1, "Pushing
 * Manifests with Subject"
 */
#ifndef CBUILD_REGISTRY_ATTACH_H
#define CBUILD_REGISTRY_ATTACH_H

#include "oci/manifest.h"
#include "oci/reference.h"
#include "registry/session.h"

struct attach_request {
    const struct reference *repository; /* of the subject */
    const struct descriptor *subject;
    /*
     * Its artifact type, annotations and layers: whose sizes and digests registry_attach() fills
     * from files[i]. The rest of it is set there, too.
     */
    struct manifest *artifact;
    const char *const *files; /* paths, one per layer */
    unsigned vertex;
};

/*
 * The same files and annotations give the same digest. Where the registry doesn't list referrers,
 * the index under the tag sha256-HEX is kept instead (*by_tag). ERR_NOT_FOUND: a file; and what
 * uploads.h and manifests.h say.
 */
int registry_attach(struct registry_session *session, const struct attach_request *request,
                    struct descriptor *ret, bool *by_tag, struct error **err) WARN_UNUSED;

#endif
