/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What refers to an image: signatures, SBOMs, any artifact whose manifest has it as subject.
 *
 * Registries that don't know referrers answer 404 (or something that is no index): there the
 * index tagged sha256-HEX holds them, and who attaches something keeps it.
 *
 * distribution-spec v1.1, "Listing referrers", "Referrers Tag Schema"
 */
#ifndef CBUILD_REGISTRY_REFERRERS_H
#define CBUILD_REGISTRY_REFERRERS_H

#include "oci/index.h"
#include "oci/reference.h"
#include "registry/session.h"

/*
 * Appends to ret->manifests; subject: with a digest. artifact_type (or NULL) leaves the others
 * out, whether or not the registry does it. *by_tag: the registry doesn't serve referrers. None is
 * no failure. ERR_INVALID, ERR_LIMIT, ERR_UNAUTHORIZED.
 */
int referrers_list(struct registry_session *session, const struct reference *subject,
                   const char *artifact_type, struct index *ret, bool *by_tag,
                   struct error **err) WARN_UNUSED;

/* Whether the registry itself (no mirror) lists referrers. */
int referrers_are_served(struct registry_session *session, const struct reference *subject,
                         bool *ret, struct error **err) WARN_UNUSED;

/*
 * Adds an entry to the index under the tag. The registry may let two writers overwrite each
 * other: it is read back, and written again where the entry is gone.
 */
int referrers_add_to_tag(struct registry_session *session, const struct reference *subject,
                         const struct descriptor *entry, struct error **err) WARN_UNUSED;

#endif
