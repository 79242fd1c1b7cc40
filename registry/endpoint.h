/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where requests for a registry's name go, and what may be tried there. Pure.
 *
 * Docker Hub has four names: docker.io in references, registry-1.docker.io for
 * requests, index.docker.io in old references and in credential files.
 */
#ifndef CBUILD_REGISTRY_ENDPOINT_H
#define CBUILD_REGISTRY_ENDPOINT_H

#include "base/auto.h"
#include "base/strvec.h"

#include <stdbool.h>

#define ENDPOINT_HUB "docker.io"
#define ENDPOINT_HUB_KEY "https://index.docker.io/v1/"

struct endpoint {
    char *domain;  /* as references name it */
    char *host;    /* host[:port] of requests */
    bool insecure; /* listed: plain http and any certificate will do */
    bool loopback;
};

void endpoint_release(struct endpoint *endpoint);
DEFINE_AUTO_STRUCT(struct endpoint, endpoint_release)
/* Not insecure; that is the caller's to say, see endpoint_is_listed(). */
void endpoint_init(struct endpoint *endpoint, const char *domain);
/* host[:port] equals an entry, or an entry without port names the host, or an IP lies in an entry
 * A.B.C.D/N. */
bool endpoint_is_listed(const struct strvec *list, const char *host);
bool endpoint_is_hub(const char *domain);
/* What people type after `login`: scheme, path and the Hub's other names taken off. free() it. */
char *endpoint_domain(const char *text) WARN_UNUSED;
/* The key under which Docker files and helpers keep a registry's credentials. Borrowed. */
const char *endpoint_server_key(const char *domain);

#endif
