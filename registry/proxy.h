/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which proxy a request goes through, as the environment says: HTTPS_PROXY or HTTP_PROXY by the
 * request's scheme, else ALL_PROXY; NO_PROXY lists exceptions. Of each name the lower-case form
 * comes first. Loopback is never proxied.
 *
 * Read here and not by libcurl, whose NO_PROXY knows no ports, and whose messages show a proxy's
 * URL with its password.
 */
#ifndef CBUILD_REGISTRY_PROXY_H
#define CBUILD_REGISTRY_PROXY_H

#include "base/error.h"
#include "registry/url.h"

/*
 * *ret: the proxy's URL with its user and password, as libcurl takes it; NULL: none. free() it.
 * ERR_INVALID: a variable holds no URL of a proxy; the message names the variable alone.
 */
int proxy_for(const struct url *url, char **ret, struct error **err) WARN_UNUSED;

/*
 * Whether a list like NO_PROXY's names the host (no port, no brackets needed). Entries, divided by
 * commas or blanks: `*`, a host or domain with all below it (also as `.domain` or `*.domain`), an
 * address, a net in CIDR form; each but the first with `:PORT` for that port alone. Pure.
 */
bool proxy_list_has(const char *list, const char *host, unsigned port);

#endif
