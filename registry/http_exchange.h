/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of HTTP share: http.c has the loop and the caller's side, http_exchange.c what
 * curl is told of one exchange and calls back, http_failure.c why one ended.
 *
 * Who owns what: an exchange lives on the stack of http_perform(). Under
 * http->mutex it goes from `queue` to `active` to done; from done on the loop
 * thread doesn't touch it. The easy handle belongs to the loop thread while the
 * exchange is active, to the caller before and after.
 *
 * 1. curl's callbacks run on the loop thread inside curl_multi_perform() or curl_easy_pause(), the
 *    mutex not held; they take it to append to `incoming`.
 * 2. The caller takes `incoming` whole (swapping buffers) and works on it unlocked.
 *    Of less than TELL_SIZE it is told when nothing more lies ready: waking it for each TLS record
 *    costs more than the record.
 * 3. A transfer pauses when `incoming` is full, or the body's producer has nothing yet; the caller
 *    that empties it, or the producer, sets `resume`, and the loop thread (only it) continues the
 *    transfer.
 */
#ifndef REGISTRY_HTTP_EXCHANGE_H
#define REGISTRY_HTTP_EXCHANGE_H

#include "base/strbuf.h"
#include "registry/http.h"
#include "registry/http_body.h"
#include "registry/http_curl.h"

#include <pthread.h>

#define CONNECT_TIMEOUT_MS 30000L

struct exchange {
    struct http *http;
    const struct http_request *request;
    struct http_response *response;
    CURL *easy;
    struct curl_slist *headers;
    char *origin; /* "https://host:port": bulk requests are counted by it */
    char error_text[CURL_ERROR_SIZE];
    size_t header_size;
    struct http_body_reader *body; /* NULL: none */
    long idle_s;                   /* without a byte, an attempt ends */
    bool too_much;                 /* headers over their limit */

    /* under http->mutex */
    pthread_cond_t changed;
    struct strbuf incoming;
    uint64_t n_sent;
    bool has_body_bytes, paused, resume, abandon, cancelled, done;
    bool untold; /* of bytes in `incoming` the caller doesn't know */
    CURLcode code;
};

struct http {
    pthread_mutex_t mutex;
    struct thread *thread;
    CURLM *multi;
    struct exchange **queue, **active;
    size_t n_queue, queue_capacity, n_active, active_capacity;
    unsigned max_connections;
    bool stopping, aborted;
};
/* Makes the easy handle and the rest of what curl needs; http_exchange_release() frees it, also
 * after a failure. */
int http_exchange_prepare(struct exchange *exchange, struct error **err)
    __attribute__((warn_unused_result));
void http_exchange_release(struct exchange *exchange);

/* Status and peer of the answer, once its headers are in. On the loop thread. */
void http_exchange_take_head(struct exchange *exchange);

/* ERR_CANCELLED after cancelling or http_abort(). On the caller's thread. */
int http_check_aborted(struct http *http, struct error **err) __attribute__((warn_unused_result));

/* 0 for an exchange that ended well, else -1; sets response->failure. On the caller's thread. */
int http_exchange_report(struct exchange *exchange, struct error **err)
    __attribute__((warn_unused_result));

#endif
