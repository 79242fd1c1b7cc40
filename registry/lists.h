/* SPDX-License-Identifier: Apache-2.0 */
/* Tags of a repository, repositories of a registry. distribution-spec v1.1, "Listing tags";
 * distribution's "Listing Repositories", which the specification doesn't have. */
#ifndef CBUILD_REGISTRY_LISTS_H
#define CBUILD_REGISTRY_LISTS_H

#include "oci/reference.h"
#include "registry/session.h"

/*
 * Appends the tags in the registry's order, read through its mirrors. Names are as the registry
 * sent them: who prints them escapes. ERR_NOT_FOUND, ERR_UNAUTHORIZED; ERR_INVALID, ERR_LIMIT: a
 * list that isn't one, or has no end.
 */
int tags_list(struct registry_session *session, const struct reference *repository,
              struct strvec *ret, struct error **err) WARN_UNUSED;
/* Appends the repositories. As above; many registries have no catalog, or one for admins only: the
 * hint says so. */
int catalog_list(struct registry_session *session, const char *domain, struct strvec *ret,
                 struct error **err) WARN_UNUSED;
/* {"tags": ["..."]}: the strings of a member, which may be null. Pure. ERR_INVALID. */
int list_parse(const char *body, size_t size, const char *member, struct strvec *ret,
               struct error **err) WARN_UNUSED;

#endif
