/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WWW-Authenticate headers as registries write them: several challenges in one
 * header, several headers, any case and order, quoted pairs, quotes left out.
 * Pure and tolerant: what can't be understood is skipped.
 *
 * RFC 9110, section 11.6.1; distribution "Token Authentication Specification"
 */
#ifndef CBUILD_REGISTRY_CHALLENGE_H
#define CBUILD_REGISTRY_CHALLENGE_H

#include "base/auto.h"
#include "registry/headers.h"

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BEARER, CHALLENGE_BASIC, CHALLENGE_OTHER };

struct challenge {
    enum challenge_scheme scheme;
    char *realm, *service, *scope, *error; /* NULL: not given */
};

struct challenges {
    struct challenge *items;
    size_t n_items, items_capacity;
};

void challenge_release(struct challenge *challenge);
DEFINE_AUTO_STRUCT(struct challenge, challenge_release)
void challenge_copy(struct challenge *to, const struct challenge *from);
void challenges_release(struct challenges *challenges);
DEFINE_AUTO_STRUCT(struct challenges, challenges_release)

/* Appends the challenges of one header. */
void challenges_parse(const char *header, struct challenges *to);
/* Of all WWW-Authenticate headers: a Bearer that has a realm before Basic before what we don't
 * know. NULL: none. */
const struct challenge *challenges_choose(const struct challenges *challenges);
/* Both: *ret is CHALLENGE_NONE where there is none. */
void challenge_from_headers(const struct headers *headers, struct challenge *ret);

#endif
