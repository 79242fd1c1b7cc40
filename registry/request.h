/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of a registry's interface: authentication, redirects and retries
 * around http_perform().
 *
 * 1. Credentials and tokens go to the registry's own origin (scheme, host, port) and to the token
 * server that it names over https; never to where a redirect or a Location leads.
 * 2. At most 10 redirects; never from https to http, nor from a public server into the local
 * network.
 * 3. A 401 at any request is a challenge, also in the middle of a push.
 */
#ifndef CBUILD_REGISTRY_REQUEST_H
#define CBUILD_REGISTRY_REQUEST_H

#include "registry/http.h"
#include "registry/scope.h"
#include "registry/session_parts.h"

#define REQUEST_MAX_HOPS 10
#define REQUEST_MAX_BODY (4u << 20)

struct request {
    const char *method;
    struct host *host; /* whose credentials may be used; NULL: none at all */
    const struct url
        *url; /* userinfo (of a URL that the user gave) is sent to its origin as Basic */
    struct scope scope;
    const struct strvec *headers;
    const struct http_body *body;
    bool bulk;
    bool no_redirect;          /* a 3xx is an answer */
    const char *authorization; /* value of a header for the URL's origin, instead of the host's */
    const char *who;           /* with it: whose it is, for messages */
    size_t max_body;           /* of a collected answer; 0: REQUEST_MAX_BODY */
    /* A 2xx is streamed where on_data is set, else collected. Not called for other statuses. */
    int (*on_head)(void *data, const struct http_response *response, struct error **err);
    int (*on_data)(void *data, const void *bytes, size_t size, struct error **err);
    void (*on_sent)(void *data, uint64_t size);
    void *data;
};

struct reply {
    struct http_response response;
    struct url url;     /* that answered, after redirects */
    struct strbuf body; /* collected; of an error its first API_ERROR_BODY_MAX bytes */
    char *who;          /* "user \"bob\" of FILE"; NULL: anonymous */
};

#define REPLY_INIT                                                                                 \
    {                                                                                              \
        .body = STRBUF_INIT                                                                        \
    }
void reply_release(struct reply *reply);
DEFINE_AUTO_STRUCT(struct reply, reply_release)
const char *reply_header(const struct reply *reply, const char *name);
int reply_status(const struct reply *reply);

/* Any status is a success; -1: no answer. reply->response.failure says whether it is worth another
 * try. */
int request_once(struct registry_session *session, const struct request *request,
                 struct reply *reply, struct error **err) WARN_UNUSED;
/* With retries. For requests that may be repeated; a status that stays transient is an error. */
int request_run(struct registry_session *session, const struct request *request,
                struct reply *reply, struct error **err) WARN_UNUSED;
/* Whether a failure or status (of a request_once()) may be gone a moment later. */
bool reply_is_transient(const struct reply *reply, const struct request *request);
/* -1: an unexpected status as an error: method, URL, status, what the registry says, who asked, a
 * hint. */
int request_error(const struct request *request, const struct reply *reply, struct error **err);

/*
 * Whether an answer may send us there (Location, Link; resolved against the URL that answered), and
 * how: without userinfo, and with https where the same host was asked so (behind a proxy that ends
 * TLS a registry may name itself with http). ERR_REFUSED: url_check_hop().
 */
int reply_admit(const struct reply *reply, struct url *next, struct error **err) WARN_UNUSED;

/* https://host/v2/PATH... of a registry. */
int request_url(struct host *host, struct url *ret, struct error **err, const char *format, ...)
    PRINTF(4, 5) WARN_UNUSED;

#endif
