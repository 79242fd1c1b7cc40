/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's config.json and containers' auth.json as a value. Pure.
 *
 * auths:       keys are hosts, old keys URLs (https://host/v1/); auth.json also has paths
 *              (host/org/repo), of which the longest that fits wins
 * credHelpers: host → helper; credsStore: helper of all others
 * HttpHeaders: sent with each request to a registry; those that are ours to say are passed over
 *
 * containers-auth.json(5); docker/cli config file documentation
 */
#ifndef CBUILD_REGISTRY_AUTH_CONFIG_H
#define CBUILD_REGISTRY_AUTH_CONFIG_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>

#define AUTH_CONFIG_MAX_SIZE (1u << 20)

struct auth_entry {
    char *key;                 /* normalised: host[:port][/path] */
    char *username, *password; /* NULL: none */
    char *identity_token;      /* OAuth2 refresh token; NULL: none */
    char *registry_token;      /* sent as it is; NULL: none */
};

struct auth_config {
    struct auth_entry *entries;
    size_t n_entries, entries_capacity;
    char *store;           /* credsStore; NULL: none */
    json_t *helpers;       /* credHelpers; NULL: none */
    json_t *proxies;       /* NULL: none */
    struct strvec headers; /* HttpHeaders, "Name: value", for the registry itself */
};

void auth_config_release(struct auth_config *config);
DEFINE_AUTO_STRUCT(struct auth_config, auth_config_release)

/* ERR_INVALID. Empty text is an empty config. bare: ~/.dockercfg, which is an "auths" object alone.
 */
int auth_config_parse(const char *data, size_t size, bool bare, struct auth_config *ret,
                      struct error **err) WARN_UNUSED;
/* The entry for a repository (path NULL or "": the registry itself); NULL: none. */
const struct auth_entry *auth_config_find(const struct auth_config *config, const char *domain,
                                          const char *path);
/* The helper for a registry: that of credHelpers, else credsStore; NULL: none. Borrowed. */
const char *auth_config_helper(const struct auth_config *config, const char *domain);
/* Without scheme, without /v1/ or /v2/ at the end and trailing slashes. free() it. */
char *auth_config_normalise_key(const char *key) WARN_UNUSED;

#endif
