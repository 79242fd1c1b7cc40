/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A download that goes on where it broke: Range is asked for what is missing,
 * and taken only from a 206 whose Content-Range starts there; a 200 begins
 * again. Each attempt starts at the original URL, since a signed one that it
 * redirects to may have expired. RELIABILITY 3 and 4.
 */
#ifndef CBUILD_REGISTRY_FETCH_H
#define CBUILD_REGISTRY_FETCH_H

#include "registry/request.h"

struct fetch {
    struct registry_session *session;
    struct host *host; /* NULL: no credentials */
    struct scope scope;
    const struct url *url;
    const struct strvec *headers; /* further ones, or NULL */
    const char *authorization;    /* as struct request has it; NULL: none */
    uint64_t offset;              /* bytes that are there; kept up to date */
    uint64_t size;                /* in all; UINT64_MAX: whatever comes */
    uint64_t max_size;            /* where the size is unknown */
    uint64_t end; /* no byte from here on is wanted, though some may come; 0: all are */
    /* A server that begins at 0 again: drop what is there. NULL: that can't be done, it is an
     * error. */
    int (*restart)(void *data, struct error **err);
    int (*write)(void *data, const void *bytes, size_t size, struct error **err);
    void *data;
    char *validator; /* ETag or date of what is being loaded; the fetch's own */
    uint64_t total;  /* its whole size where a 200 said it, else 0 */
    bool no_range;   /* ranges were answered wrongly */
};

void fetch_release(struct fetch *fetch);
DEFINE_AUTO_STRUCT(struct fetch, fetch_release)

/*
 * reply: of the last attempt. A status that is neither 200 nor 206 nor transient is returned as it
 * is (0): look at reply_status(). ERR_DIGEST: other sizes than `size`; ERR_LIMIT: over max_size;
 * ERR_NETWORK, ERR_CANCELLED.
 */
int fetch_run(struct fetch *fetch, struct reply *reply, struct error **err) WARN_UNUSED;

#endif
