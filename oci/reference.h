/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of an image: [domain/]path[:tag][@digest], with Docker's habits:
 * no domain is docker.io, one component there gets library/, index.docker.io is
 * docker.io. A first component is a domain when it holds '.' or ':', is
 * "localhost", or has upper-case letters.
 *
 * distribution-spec v1.1 "Pulling manifests" (<name>, <reference>); distribution/reference
 */
#ifndef CBUILD_OCI_REFERENCE_H
#define CBUILD_OCI_REFERENCE_H

#include "base/error.h"
#include "oci/digest.h"

struct reference {
    char *domain;         /* "docker.io", "localhost:5000" */
    char *path;           /* "library/alpine" */
    char *tag;            /* NULL: none given */
    struct digest digest; /* !is_set: none given */
    bool is_short;        /* written without a domain, which is docker.io then */
};

void reference_release(struct reference *reference);
DEFINE_AUTO_STRUCT(struct reference, reference_release)
void reference_copy(struct reference *to, const struct reference *from);

/* ERR_INVALID: the message names the text and the rule that it breaks. */
int reference_parse(const char *text, struct reference *ret, struct error **err) WARN_UNUSED;
/* tag becomes "latest" where there is neither tag nor digest. */
void reference_default_tag(struct reference *reference);
/* Whole and normalised: docker.io/library/alpine:latest. free() it. */
char *reference_format(const struct reference *reference) WARN_UNUSED;
/* As people write it: alpine:latest, user/app:1.0, localhost:5000/a:1. free() it. */
char *reference_familiar(const struct reference *reference) WARN_UNUSED;
/* domain/path without tag and digest, normalised, or familiar. free() it. */
char *reference_repository(const struct reference *reference) WARN_UNUSED;
char *reference_familiar_repository(const struct reference *reference) WARN_UNUSED;
bool reference_tag_is_valid(const char *tag);

#endif
