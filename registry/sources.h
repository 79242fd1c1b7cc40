/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sources/HEX: repositories ("docker.io/library/debian", one a line, newest
 * first, at most 16) that are known to have a blob: where it can be fetched
 * later, and what an upload mount may name. A hint, never a truth: losing an
 * entry in a race or a crash costs a request.
 */
#ifndef CBUILD_REGISTRY_SOURCES_H
#define CBUILD_REGISTRY_SOURCES_H

#include "base/strvec.h"
#include "oci/reference.h"
#include "oci/store.h"

#define SOURCES_MAX 16

/* Puts the repository first. Failing to write is no failure of what the caller does: it is passed
 * over. */
void sources_add(struct store *store, const struct digest *digest,
                 const struct reference *repository);
/* Appends the repositories, newest first; what isn't readable counts as nothing. */
void sources_list(struct store *store, const struct digest *digest, struct strvec *repositories);

#endif
