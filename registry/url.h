/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http(s) URLs as a client of registries needs them: path and query stay byte
 * for byte what the server wrote (upload sessions and signed URLs live there).
 * Pure.
 *
 * RFC 3986; distribution-spec v1.1, "Pushing a blob in chunks" (Location)
 */
#ifndef CBUILD_REGISTRY_URL_H
#define CBUILD_REGISTRY_URL_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>

#define URL_MAX_SIZE 16384

struct url {
    char *scheme;   /* "http" or "https" */
    char *userinfo; /* a secret, percent-encoded as written; NULL: none */
    char *host;     /* lower case, IPv6 in brackets */
    unsigned port;  /* the scheme's default where none is written */
    char *target;   /* path and query, without the fragment; starts with '/' */
};

void url_release(struct url *url);
DEFINE_AUTO_STRUCT(struct url, url_release)
void url_copy(struct url *to, const struct url *from);

/* ERR_INVALID: no http(s) URL with a host. What may not stand in a URL (blanks, 8-bit) is
 * percent-encoded. */
int url_parse(const char *text, struct url *ret, struct error **err) WARN_UNUSED;
/* A Location or Link target, absolute or relative to `base`. */
int url_resolve(const struct url *base, const char *location, struct url *ret,
                struct error **err) WARN_UNUSED;
/* Without userinfo and default port. free() it. */
char *url_format(const struct url *url) WARN_UNUSED;
/* "host" or "host:port" where the port isn't the scheme's. free() it. */
char *url_authority(const struct url *url) WARN_UNUSED;
bool url_is_https(const struct url *url);
/* Scheme, host and port. */
bool url_same_origin(const struct url *a, const struct url *b);
/* Appends name=value (value percent-encoded) after '?' or '&'; what stands there isn't touched. */
void url_add_query(struct url *url, const char *name, const char *value);
/* Percent-encodes all but unreserved characters. */
void url_encode(struct strbuf *buf, const char *text);
/* Decodes %XX in place of userinfo and the like; malformed ones stay. free() it. */
char *url_decode(const char *text, size_t size) WARN_UNUSED;

/* For messages: no userinfo, and of a query the values are left out. free() it. */
char *url_redact(const char *text) WARN_UNUSED;
/*
 * Text between whose words URLs may stand, to be kept or shown: without their userinfo, and without
 * the query's values where its names look like those of a signature or token. free() it.
 */
char *url_redact_within(const char *text) WARN_UNUSED;

/* "localhost", *.localhost, 127.0.0.0/8, [::1]; a port may follow. */
bool url_host_is_loopback(const char *host);
/* An IP literal that no public server has: loopback, private, link-local, unspecified, shared. */
bool url_host_is_private(const char *host);

/*
 * Whether a server may send us from one URL to another. Never from https to http; and from a server
 * with a public address (`from_ip`, NULL: unknown) never to an address of the local network.
 * ERR_REFUSED.
 */
int url_check_hop(const struct url *from, const char *from_ip, const struct url *to,
                  struct error **err) WARN_UNUSED;

#endif
