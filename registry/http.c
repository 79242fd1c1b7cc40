/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/http.h"

#include "base/array.h"
#include "base/cancel.h"
#include "base/mem.h"
#include "base/pool.h"
#include "registry/http_exchange.h"

#include <pthread.h>
#include <string.h>

#define DEFAULT_CONNECTIONS 6

void http_tls_release(struct http_tls *tls)
{
    free(tls->ca_pem);
    free(tls->cert_file);
    free(tls->key_file);
    *tls = (struct http_tls){ 0 };
}

void http_response_release(struct http_response *response)
{
    headers_release(&response->headers);
    *response = (struct http_response){ 0 };
}

struct http *http_new(unsigned max_connections)
{
    struct http *http = NEW(struct http);
    pthread_mutex_init(&http->mutex, NULL);
    http->max_connections = max_connections ? max_connections : DEFAULT_CONNECTIONS;
    return http;
}

/* the loop; functions named locked_* are called with the mutex held */

static void locked_end(struct exchange *exchange, CURLcode code)
{
    exchange->code = code;
    exchange->done = true;
    pthread_cond_signal(&exchange->changed);
}

static void locked_remove_active(struct http *http, size_t i)
{
    (void)curl.multi_remove_handle(http->multi, http->active[i]->easy);
    http->active[i] = http->active[--http->n_active];
}

static unsigned locked_count_bulk(const struct http *http, const char *origin)
{
    unsigned n = 0;
    for (size_t i = 0; i < http->n_active; i++)
        n += http->active[i]->request->bulk && strcmp(http->active[i]->origin, origin) == 0;
    return n;
}

static bool locked_may_start(const struct http *http, const struct exchange *exchange)
{
    return !exchange->request->bulk ||
           locked_count_bulk(http, exchange->origin) < http->max_connections;
}

static void locked_start_queued(struct http *http)
{
    size_t kept = 0;
    for (size_t i = 0; i < http->n_queue; i++) {
        struct exchange *exchange = http->queue[i];
        if (exchange->abandon) {
            locked_end(exchange, CURLE_ABORTED_BY_CALLBACK);
        } else if (!locked_may_start(http, exchange)) {
            http->queue[kept++] = exchange;
        } else if (curl.multi_add_handle(http->multi, exchange->easy) != CURLM_OK) {
            locked_end(exchange, CURLE_FAILED_INIT);
        } else {
            *ARRAY_PUSH(http, active) = exchange;
        }
    }
    http->n_queue = kept;
}

static void locked_drop_abandoned(struct http *http)
{
    for (size_t i = http->n_active; i-- > 0;) {
        struct exchange *exchange = http->active[i];
        if (!exchange->abandon)
            continue;
        locked_remove_active(http, i);
        locked_end(exchange, CURLE_ABORTED_BY_CALLBACK);
    }
}

static void locked_cancel_all(struct http *http)
{
    for (size_t i = 0; i < http->n_active; i++)
        http->active[i]->abandon = http->active[i]->cancelled = true;
    for (size_t i = 0; i < http->n_queue; i++)
        http->queue[i]->abandon = http->queue[i]->cancelled = true;
}

/* Rule 3. Continuing may call on_body(), so the mutex is released. */
static void resume_paused(struct http *http)
{
    for (size_t i = 0;; i++) {
        CURL *easy = NULL;
        pthread_mutex_lock(&http->mutex);
        bool more = i < http->n_active;
        if (more && http->active[i]->resume) {
            http->active[i]->resume = false;
            easy = http->active[i]->easy;
        }
        pthread_mutex_unlock(&http->mutex);
        if (!more)
            return;
        if (easy) /* its failure shows as the end of the transfer */
            (void)curl.easy_pause(easy, CURLPAUSE_CONT);
    }
}

static void collect_finished(struct http *http)
{
    CURLMsg *message;
    int left;
    while ((message = curl.multi_info_read(http->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        char *private = NULL;
        (void)curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct exchange *exchange = (struct exchange *)(void *)private;
        pthread_mutex_lock(&http->mutex);
        if (!exchange->has_body_bytes)
            http_exchange_take_head(exchange);
        for (size_t i = 0; i < http->n_active; i++) {
            if (http->active[i] == exchange) {
                locked_remove_active(http, i);
                break;
            }
        }
        locked_end(exchange, code);
        pthread_mutex_unlock(&http->mutex);
    }
}

static bool has_untold(struct http *http)
{
    bool any = false;
    pthread_mutex_lock(&http->mutex);
    for (size_t i = 0; i < http->n_active; i++)
        any = any || http->active[i]->untold;
    pthread_mutex_unlock(&http->mutex);
    return any;
}

static void tell_callers(struct http *http)
{
    pthread_mutex_lock(&http->mutex);
    for (size_t i = 0; i < http->n_active; i++) {
        if (http->active[i]->untold)
            pthread_cond_signal(&http->active[i]->changed);
        http->active[i]->untold = false;
    }
    pthread_mutex_unlock(&http->mutex);
}

static void wait_for_events(struct http *http)
{
    /* once cancelled, the fd stays readable: there is nothing more to learn from it */
    struct curl_waitfd extra = { .fd = cancel_fd(), .events = CURL_WAIT_POLLIN };
    unsigned n_extra = extra.fd >= 0 && !cancel_requested();
    struct curl_waitfd *fds = n_extra ? &extra : NULL;
    if (has_untold(http)) {
        int n_ready = 0;
        if (curl.multi_poll(http->multi, fds, n_extra, 0, &n_ready) == CURLM_OK && n_ready > 0)
            return;
        tell_callers(http);
    }
    (void)curl.multi_poll(http->multi, fds, n_extra, 1000, NULL);
}

static void *loop(void *data)
{
    struct http *http = data;
    for (;;) {
        pthread_mutex_lock(&http->mutex);
        if (cancel_requested() || http->aborted)
            locked_cancel_all(http);
        locked_drop_abandoned(http);
        locked_start_queued(http);
        bool stop = http->stopping && !http->n_active && !http->n_queue;
        pthread_mutex_unlock(&http->mutex);
        if (stop)
            return NULL;
        resume_paused(http);
        int running;
        (void)curl.multi_perform(http->multi, &running);
        collect_finished(http);
        pthread_mutex_lock(&http->mutex);
        bool ready = false; /* a slot came free for what waits */
        for (size_t i = 0; i < http->n_queue; i++)
            ready = ready || locked_may_start(http, http->queue[i]);
        pthread_mutex_unlock(&http->mutex);
        if (!ready)
            wait_for_events(http);
    }
}

static int locked_start_loop(struct http *http, struct error **err)
{
    if (http->thread)
        return 0;
    if (http_curl_load(err) < 0)
        return -1;
    http->multi = curl.multi_init();
    if (!http->multi)
        return error_set(err, ERR_FAILED, "libcurl: no handle");
    (void)curl.multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, 32L);
    http->thread = thread_start(loop, http, err);
    return http->thread ? 0 : -1;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    if (http->thread) {
        pthread_mutex_lock(&http->mutex);
        http->stopping = true;
        pthread_mutex_unlock(&http->mutex);
        (void)curl.multi_wakeup(http->multi);
        (void)thread_join(http->thread);
    }
    if (http->multi)
        (void)curl.multi_cleanup(http->multi);
    free(http->queue);
    free(http->active);
    pthread_mutex_destroy(&http->mutex);
    free(http);
}

void http_abort(struct http *http)
{
    pthread_mutex_lock(&http->mutex);
    http->aborted = true;
    if (http->multi)
        (void)curl.multi_wakeup(http->multi);
    pthread_mutex_unlock(&http->mutex);
}

/* the caller's side */

int http_check_aborted(struct http *http, struct error **err)
{
    if (cancel_check(err) < 0)
        return -1;
    pthread_mutex_lock(&http->mutex);
    bool aborted = http->aborted;
    pthread_mutex_unlock(&http->mutex);
    return aborted ? error_set(err, ERR_CANCELLED, "given up: what needed it has failed") : 0;
}

static void abandon(struct exchange *exchange)
{
    struct http *http = exchange->http;
    pthread_mutex_lock(&http->mutex);
    exchange->abandon = true;
    (void)curl.multi_wakeup(http->multi);
    while (!exchange->done)
        pthread_cond_wait(&exchange->changed, &http->mutex);
    pthread_mutex_unlock(&http->mutex);
}

/* Hands on what came; the head before the first byte. */
static int deliver(struct exchange *exchange, const struct strbuf *bytes, bool *has_head,
                   struct error **err)
{
    const struct http_request *request = exchange->request;
    if (!*has_head) {
        *has_head = true;
        if (request->on_head && request->on_head(request->data, exchange->response, err) < 0)
            return -1;
    }
    if (bytes->size && request->on_data &&
        request->on_data(request->data, bytes->data, bytes->size, err) < 0)
        return -1;
    exchange->response->n_received += bytes->size;
    return 0;
}

/* Waits for something to do; takes the incoming bytes. True at the end. */
static bool next_event(struct exchange *exchange, struct strbuf *bytes, uint64_t *n_sent)
{
    struct http *http = exchange->http;
    strbuf_reset(bytes);
    pthread_mutex_lock(&http->mutex);
    while (!exchange->done && (!exchange->incoming.size || exchange->untold) &&
           exchange->n_sent == *n_sent)
        pthread_cond_wait(&exchange->changed, &http->mutex);
    struct strbuf full = exchange->incoming;
    exchange->incoming = *bytes;
    *bytes = full;
    *n_sent = exchange->n_sent;
    bool done = exchange->done;
    if (exchange->paused && !done) {
        exchange->paused = false;
        exchange->resume = true;
        (void)curl.multi_wakeup(http->multi);
    }
    pthread_mutex_unlock(&http->mutex);
    return done;
}

static int consume(struct exchange *exchange, struct error **err)
{
    AUTO(strbuf_release) struct strbuf bytes = STRBUF_INIT;
    bool has_head = false, done;
    uint64_t n_sent = 0, told = 0;
    do {
        done = next_event(exchange, &bytes, &n_sent);
        if (n_sent != told && exchange->request->on_sent)
            exchange->request->on_sent(exchange->request->data, n_sent);
        told = n_sent;
        bool answered = bytes.size || (done && exchange->code == CURLE_OK);
        if (answered && deliver(exchange, &bytes, &has_head, err) < 0) {
            if (!done)
                abandon(exchange);
            exchange->response->failure = HTTP_FAILURE_LOCAL;
            return -1;
        }
    } while (!done);
    return 0;
}

static int submit(struct exchange *exchange, struct error **err)
{
    struct http *http = exchange->http;
    pthread_mutex_lock(&http->mutex);
    int result = locked_start_loop(http, err);
    pthread_mutex_unlock(&http->mutex);
    if (result < 0 || http_exchange_prepare(exchange, err) < 0)
        return -1;
    pthread_mutex_lock(&http->mutex);
    *ARRAY_PUSH(http, queue) = exchange;
    (void)curl.multi_wakeup(http->multi);
    pthread_mutex_unlock(&http->mutex);
    return 0;
}

int http_perform(struct http *http, const struct http_request *request,
                 struct http_response *response, struct error **err)
{
    struct exchange exchange = { .http = http, .request = request, .response = response };
    http_response_release(response);
    response->failure = HTTP_FAILURE_LOCAL;
    if (http_check_aborted(http, err) < 0)
        return -1;
    strbuf_init(&exchange.incoming);
    pthread_cond_init(&exchange.changed, NULL);
    int result = submit(&exchange, err);
    if (result == 0) {
        result = consume(&exchange, err);
        if (exchange.body)
            http_body_stop(exchange.body);
        if (result == 0)
            result = http_exchange_report(&exchange, err);
    }
    http_exchange_release(&exchange);
    pthread_cond_destroy(&exchange.changed);
    strbuf_release(&exchange.incoming);
    return result;
}
