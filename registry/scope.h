/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a token is asked for: "repository:library/alpine:pull". Reads ask for pull
 * only: some registries refuse a token outright when push is asked too. Pure.
 *
 * distribution "Token Scope Documentation"
 */
#ifndef CBUILD_REGISTRY_SCOPE_H
#define CBUILD_REGISTRY_SCOPE_H

#include "base/auto.h"
#include "base/strvec.h"

#include <stdbool.h>

enum scope_actions { SCOPE_PULL = 1 << 0, SCOPE_PUSH = 1 << 1, SCOPE_DELETE = 1 << 2 };

struct scope {
    const char *path; /* repository; NULL: the registry itself, no scope */
    unsigned actions;
    const char *from; /* a second repository to pull from (upload mount); NULL: none */
    bool catalog;     /* registry:catalog:* */
};

/* The scopes as token servers take them, one each. */
void scope_format(const struct scope *scope, struct strvec *scopes);
/*
 * Adds what a challenge asks for (scopes separated by blanks). Further actions on a resource that
 * is in the list are added only if `widen`. True when something new came in.
 */
bool scope_merge(struct strvec *scopes, const char *challenge, bool widen);

#endif
