/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request says to be let in, by the host's last challenge: nothing,
 * Basic, or a Bearer token per scope, fetched once and kept until shortly before it
 * expires.
 *
 * distribution "Token Authentication Specification", "OAuth2 Token Authentication"
 */
#ifndef CBUILD_REGISTRY_AUTH_H
#define CBUILD_REGISTRY_AUTH_H

#include "registry/host.h"
#include "registry/scope.h"

/* How far one request has come with being let in. */
struct auth_try {
    unsigned n_tokens;  /* fetched for this request: at most 3 */
    char *sent;         /* the header's value; NULL: none */
    char *who;          /* whose credentials; NULL: anonymous */
    bool is_fresh;      /* `sent` was made for this request */
    char *wanted_scope; /* of the challenge that came back; NULL: none */
    bool widen;
};

void auth_try_release(struct auth_try *try);
DEFINE_AUTO_STRUCT(struct auth_try, auth_try_release)

/* Sets try->sent and try->who. ERR_UNAUTHORIZED: the token server refuses; ERR_REFUSED: a realm
 * that isn't safe. */
int auth_header(struct host *host, const struct scope *scope, struct auth_try *try,
                struct error **err) WARN_UNUSED;
/* After a 401. True: with auth_header() anew it may succeed. */
bool auth_challenged(struct host *host, const struct scope *scope, const struct headers *headers,
                     struct auth_try *try);

/* For the host's map of tokens. */
void auth_token_free(void *token);
/* "Basic ..." free() it. */
char *auth_basic(const char *username, const char *password) WARN_UNUSED;

#endif
