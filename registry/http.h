/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP exchanges. One thread with one curl multi handle drives all connections
 * (kept alive and reused); http_perform() hands it a request and waits, so
 * callers are plain blocking code on any thread, and their callbacks run on
 * their own thread: a body passes through a bounded buffer, and who writes it to
 * disk slower than it comes pauses that transfer alone.
 *
 * This level knows no redirects, no credentials, no retries: request.h does.
 * libcurl is loaded when the first request comes (1 ms), so commands without network
 * don't pay for it.
 *
 * HTTP/1.1 on purpose: over HTTP/2 all blobs of a host share one TCP connection and
 * one congestion window, and a paused stream holds its whole flow window in memory.
 * Measured with four layers of 100 MB over loopback TLS: pushes 2.2 to 2.6 s against
 * 3.2 to 4.3 s, pulls 1.2 to 1.6 s against 1.5 to 2.2 s, peaks 17 MiB against 22 to 44.
 */
#ifndef CBUILD_REGISTRY_HTTP_H
#define CBUILD_REGISTRY_HTTP_H

#include "base/error.h"
#include "base/sink.h"
#include "base/strvec.h"
#include "registry/headers.h"

#include <stdbool.h>
#include <stdint.h>

struct http;

/* What a connection needs besides the system's certificates. Outlives the requests that use it. */
struct http_tls {
    bool insecure; /* any certificate will do */
    /* Trusted certificates by hash, looked up as needed: reading the whole bundle costs each
     * connection 20 ms. */
    const char *ca_dir; /* NULL: libcurl's default, a bundle; static */
    char *ca_pem;       /* trusted in addition; NULL: none */
    size_t ca_pem_size;
    char *cert_file, *key_file; /* client certificate, PEM; NULL: none */
};

void http_tls_release(struct http_tls *tls);

/* A request's body: memory, a range of a file, or what a producer writes. Each request reads it
 * from its start. */
struct http_body {
    const void *data; /* NULL: fd */
    int fd;
    uint64_t offset, size;
    /*
     * NULL, or instead of both: writes bytes [offset, offset + size) of the content into `to`, on
     * a thread of its own. Called anew for each request. Its failure is the request's, and no
     * other attempt would help: HTTP_FAILURE_LOCAL.
     */
    int (*produce)(void *producer, uint64_t offset, uint64_t size, struct sink *to,
                   struct error **err);
    void *producer;
};

enum http_failure {
    HTTP_FAILURE_NONE,
    HTTP_FAILURE_RESOLVE,     /* unknown host */
    HTTP_FAILURE_CONNECT,     /* refused, unreachable, proxy says no */
    HTTP_FAILURE_TLS,         /* the other side doesn't speak TLS, or not ours */
    HTTP_FAILURE_CERTIFICATE, /* not trusted, expired, of another host */
    HTTP_FAILURE_TIMEOUT,
    HTTP_FAILURE_CUT,      /* reset, closed early, fewer bytes than announced */
    HTTP_FAILURE_PROTOCOL, /* an answer that isn't HTTP */
    HTTP_FAILURE_LOCAL,    /* ours: a callback, a file, a setting, cancelled */
};

struct http_response {
    int status; /* 0: none came */
    struct headers headers;
    uint64_t n_received; /* bytes of the body handed to on_data */
    char peer_ip[64];    /* "" unknown; the proxy's where there is one */
    enum http_failure failure;
};

void http_response_release(struct http_response *response);
DEFINE_AUTO_STRUCT(struct http_response, http_response_release)

struct http_request {
    const char *method;
    const char *url;              /* no userinfo */
    const struct strvec *headers; /* "Name: value"; NULL: none */
    const struct http_tls *tls;   /* NULL: the system's certificates */
    const struct http_body *body; /* NULL: none */
    bool bulk;                    /* a blob: at most max_connections of these per host at once */
    /* All on the caller's thread. on_head runs once, before on_data. Any may be NULL. */
    int (*on_head)(void *data, const struct http_response *response, struct error **err);
    int (*on_data)(void *data, const void *bytes, size_t size, struct error **err);
    void (*on_sent)(void *data, uint64_t size); /* of the body, in all; may fall back on a resend */
    void *data;
};

/* Starts nothing yet. max_connections: of bulk requests per host; 0: 6. */
struct http *http_new(unsigned max_connections);
/* No request may be under way. */
void http_free(struct http *http);
DEFINE_AUTO(struct http, http_free)
/* What is under way, and what comes later, ends with ERR_CANCELLED. From any thread. */
void http_abort(struct http *http);

/*
 * Any status is a success. -1: no whole answer; response->failure says why, and what came is in it.
 * ERR_NETWORK, ERR_CANCELLED, ERR_IO, or what a callback said. *response: initialised by the caller
 * with { 0 }.
 */
int http_perform(struct http *http, const struct http_request *request,
                 struct http_response *response, struct error **err) WARN_UNUSED;

/* Whether the same request may succeed a moment later. */
bool http_failure_is_transient(enum http_failure failure);

#endif
