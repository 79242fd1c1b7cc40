/* SPDX-License-Identifier: Apache-2.0 */
/* Verifying and keeping credentials in Docker's config.json or a helper. */
#ifndef CBUILD_REGISTRY_LOGIN_H
#define CBUILD_REGISTRY_LOGIN_H

#include "registry/session.h"

/*
 * Asks the registry with these credentials, then stores them (helper named by
 * credHelpers/credsStore, else auths; every other key of config.json is kept; mode 0600). `where`
 * (free it; may be NULL) gets the file or helper's name. registry NULL: Docker Hub.
 * ERR_UNAUTHORIZED: nothing was stored.
 */
int registry_login(struct registry_session *session, const char *registry, const char *username,
                   const char *password, char **where, struct error **err) WARN_UNUSED;

/* ERR_NOT_FOUND: wasn't logged in. */
int registry_logout(struct registry_session *session, const char *registry, char **where,
                    struct error **err) WARN_UNUSED;

/* The user name known for a registry, for the prompt's default; NULL: none. free() it. */
char *registry_known_user(struct registry_session *session, const char *registry);

/*
 * config.json's proxies.default as build args ("HTTP_PROXY=..."), appended to args. Nothing
 * configured: no-op.
 */
int registry_config_proxies(struct registry_session *session, struct strvec *args,
                            struct error **err) WARN_UNUSED;

#endif
