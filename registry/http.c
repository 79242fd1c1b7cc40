/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns what: an exchange lives on the stack of http_perform(). Under
 * http->mutex it goes from `queue` to `active` to done; from done on the loop
 * thread doesn't touch it. The easy handle belongs to the loop thread while the
 * exchange is active, to the caller before and after.
 *
 * 1. curl's callbacks run on the loop thread inside curl_multi_perform() or curl_easy_pause(), the
 *    mutex not held; they take it to append to `incoming`.
 * 2. The caller takes `incoming` whole (swapping buffers) and works on it unlocked.
 * 3. A transfer pauses when `incoming` is full, or the body's producer has nothing yet; the caller
 *    that empties it, or the producer, sets `resume`, and the loop thread (only it) continues the
 *    transfer.
 */
#include "registry/http.h"

#include "base/array.h"
#include "base/cancel.h"
#include "base/force.h"
#include "base/mem.h"
#include "base/pool.h"
#include "registry/http_body.h"
#include "registry/proxy.h"
#include "registry/url.h"

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#define BUFFER_SIZE                                                                                \
    (512u << 10) /* of a body between loop and caller; the caller holds as much again */
#define CURL_BUFFER_SIZE (128L << 10)
#define CONNECT_TIMEOUT_MS 30000L
#define IDLE_TIMEOUT_S 30L
#define IDLE_TIMEOUT_UPLOAD_S 60L /* registries digest a blob after its last byte */
#define DEFAULT_CONNECTIONS 6

#define CURL_FUNCTIONS(X)                                                                          \
    X(global_init)                                                                                 \
    X(easy_init)                                                                                   \
    X(easy_setopt)                                                                                 \
    X(easy_getinfo)                                                                                \
    X(easy_pause)                                                                                  \
    X(easy_cleanup)                                                                                \
    X(easy_strerror)                                                                               \
    X(multi_init)                                                                                  \
    X(multi_setopt)                                                                                \
    X(multi_add_handle)                                                                            \
    X(multi_remove_handle)                                                                         \
    X(multi_perform)                                                                               \
    X(multi_info_read)                                                                             \
    X(multi_poll)                                                                                  \
    X(multi_wakeup)                                                                                \
    X(multi_cleanup)                                                                               \
    X(slist_append)                                                                                \
    X(slist_free_all)

#define CURL_MEMBER(name) __typeof__(curl_##name) *name;
static struct {
    CURL_FUNCTIONS(CURL_MEMBER)
    char *error; /* why it couldn't be loaded */
} curl;
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_load(void)
{
    /* never closed: curl and OpenSSL keep state until the process ends */
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        curl.error = xstrdup(dlerror());
        return;
    }
#define CURL_FIND(name)                                                                            \
    curl.name = (__typeof__(curl.name))(uintptr_t)dlsym(library, "curl_" #name);                   \
    if (!curl.name && !curl.error)                                                                 \
        curl.error = xstrdup("libcurl.so.4: no function curl_" #name);
    CURL_FUNCTIONS(CURL_FIND)
    if (!curl.error && curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        curl.error = xstrdup("libcurl.so.4: its initialisation fails");
}

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

/* curl's callbacks, on the loop thread */

static size_t on_header(char *line, size_t size, size_t n, void *data)
{
    struct exchange *exchange = data;
    size *= n;
    exchange->header_size += size;
    if (exchange->header_size > HEADERS_MAX_SIZE) {
        exchange->too_much = true;
        return 0;
    }
    /* the final answer's fields only: not those of a 100 or of a proxy, nor trailers, which come
       while the caller may be looking at the fields */
    if (exchange->has_body_bytes)
        return size;
    if (size > 5 && memcmp(line, "HTTP/", 5) == 0)
        headers_release(&exchange->response->headers);
    else
        headers_add(&exchange->response->headers, line, size);
    return size;
}

static void take_head(struct exchange *exchange)
{
    long status = 0;
    char *ip = NULL;
    (void)curl.easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl.easy_getinfo(exchange->easy, CURLINFO_PRIMARY_IP, &ip);
    exchange->response->status = (int)status;
    snprintf(exchange->response->peer_ip, sizeof(exchange->response->peer_ip), "%s", ip ? ip : "");
}

static size_t on_body(char *bytes, size_t size, size_t n, void *data)
{
    struct exchange *exchange = data;
    struct http *http = exchange->http;
    size *= n;
    pthread_mutex_lock(&http->mutex);
    bool full = exchange->incoming.size && exchange->incoming.size + size > BUFFER_SIZE;
    if (full) {
        exchange->paused = true;
    } else {
        if (!exchange->has_body_bytes)
            take_head(exchange);
        exchange->has_body_bytes = true;
        strbuf_add(&exchange->incoming, bytes, size);
    }
    pthread_cond_signal(&exchange->changed);
    pthread_mutex_unlock(&http->mutex);
    return full ? CURL_WRITEFUNC_PAUSE : size;
}

static size_t on_read(char *buffer, size_t size, size_t n, void *data)
{
    struct exchange *exchange = data;
    ssize_t taken = http_body_take(exchange->body, buffer, size * n);
    if (taken < 0)
        return CURL_READFUNC_ABORT;
    uint64_t sent = http_body_taken(exchange->body);
    if (taken == 0)
        return sent < exchange->request->body->size ? CURL_READFUNC_PAUSE : 0;
    pthread_mutex_lock(&exchange->http->mutex);
    exchange->n_sent = sent;
    pthread_cond_signal(&exchange->changed);
    pthread_mutex_unlock(&exchange->http->mutex);
    return (size_t)taken;
}

/* A kept-alive connection may turn out dead: curl then sends again on a new one. */
static int on_seek(void *data, curl_off_t offset, int origin)
{
    struct exchange *exchange = data;
    bool sought =
        origin == SEEK_SET && offset >= 0 && http_body_seek(exchange->body, (uint64_t)offset);
    return sought ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

/* The body's producer has more: rule 3. */
static void on_more(void *data)
{
    struct exchange *exchange = data;
    pthread_mutex_lock(&exchange->http->mutex);
    exchange->resume = true;
    pthread_mutex_unlock(&exchange->http->mutex);
    (void)curl.multi_wakeup(exchange->http->multi);
}

/* setting up */

static void set_system_trust(CURL *easy, const struct http_tls *tls)
{
    const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");
    if (tls && tls->ca_dir) {
        curl.easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl.easy_setopt(easy, CURLOPT_CAPATH, tls->ca_dir);
    }
    if (file && *file)
        curl.easy_setopt(easy, CURLOPT_CAINFO, file);
    if (dir && *dir)
        curl.easy_setopt(easy, CURLOPT_CAPATH, dir);
    if (tls && tls->ca_pem) {
        struct curl_blob blob = { tls->ca_pem, tls->ca_pem_size, CURL_BLOB_NOCOPY };
        curl.easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    }
}

static void set_tls(CURL *easy, const struct http_tls *tls)
{
    set_system_trust(easy, tls);
    if (!tls)
        return;
    if (tls->insecure) {
        curl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (tls->cert_file) {
        curl.easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
        curl.easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
    }
}

/* Explicitly none, too, or curl would read the environment itself. */
static int set_proxy(CURL *easy, const struct url *url, struct error **err)
{
    AUTO(free) char *proxy = NULL;
    if (proxy_for(url, &proxy, err) < 0)
        return -1;
    curl.easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl.easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy : "");
    return 0;
}

static void set_headers(struct exchange *exchange)
{
    const struct strvec *headers = exchange->request->headers;
    struct curl_slist *list = NULL;
    for (size_t i = 0; headers && i < headers->n; i++)
        list = curl.slist_append(list, headers->items[i]);
    /* waiting for "100 Continue" costs a second with servers that don't know it */
    list = curl.slist_append(list, "Expect:");
    list = curl.slist_append(list, "Accept-Encoding: identity");
    exchange->headers = list;
    curl.easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, list);
}

static void set_body(struct exchange *exchange)
{
    const struct http_request *request = exchange->request;
    CURL *easy = exchange->easy;
    if (request->body) {
        exchange->body = http_body_reader_new(request->body, on_more, exchange);
        curl.easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl.easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
        curl.easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body->size);
        curl.easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl.easy_setopt(easy, CURLOPT_READDATA, exchange);
        curl.easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl.easy_setopt(easy, CURLOPT_SEEKDATA, exchange);
    } else if (strcmp(request->method, "HEAD") == 0) {
        curl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else {
        curl.easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_times(struct exchange *exchange)
{
    exchange->idle_s = exchange->request->body ? IDLE_TIMEOUT_UPLOAD_S : IDLE_TIMEOUT_S;
    if (force_has("fast-timeout"))
        exchange->idle_s = 2;
    curl.easy_setopt(exchange->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl.easy_setopt(exchange->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl.easy_setopt(exchange->easy, CURLOPT_LOW_SPEED_TIME, exchange->idle_s);
    curl.easy_setopt(exchange->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl.easy_setopt(exchange->easy, CURLOPT_NOSIGNAL, 1L);
}

static int prepare(struct exchange *exchange, struct error **err)
{
    AUTO(url_release) struct url url = { 0 };
    if (url_parse(exchange->request->url, &url, err) < 0)
        return -1;
    exchange->origin = xasprintf("%s://%s:%u", url.scheme, url.host, url.port);
    AUTO(free) char *text = url_format(&url);
    CURL *easy = exchange->easy = curl.easy_init();
    if (!easy)
        return error_set(err, ERR_FAILED, "libcurl: no handle");
    curl.easy_setopt(easy, CURLOPT_URL, text);
    curl.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl.easy_setopt(easy, CURLOPT_USERAGENT, "cbuild/" CBUILD_VERSION);
    curl.easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl.easy_setopt(easy, CURLOPT_BUFFERSIZE, CURL_BUFFER_SIZE);
    curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error_text);
    curl.easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl.easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl.easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    set_body(exchange);
    set_headers(exchange);
    set_tls(easy, exchange->request->tls);
    set_times(exchange);
    return set_proxy(easy, &url, err);
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
            take_head(exchange);
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

static void wait_for_events(struct http *http)
{
    /* once cancelled, the fd stays readable: there is nothing more to learn from it */
    struct curl_waitfd extra = { .fd = cancel_fd(), .events = CURL_WAIT_POLLIN };
    unsigned n_extra = extra.fd >= 0 && !cancel_requested();
    (void)curl.multi_poll(http->multi, n_extra ? &extra : NULL, n_extra, 1000, NULL);
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
    pthread_once(&curl_once, curl_load);
    if (curl.error) {
        error_set_(err, ERR_UNSUPPORTED, "loading libcurl: %s", curl.error);
        error_hint(err, "install libcurl (Debian: libcurl4)");
        return -1;
    }
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

static int check_aborted(struct http *http, struct error **err)
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
    while (!exchange->done && !exchange->incoming.size && exchange->n_sent == *n_sent)
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

/* curl has one code for "not TLS at all" and "hung up in the middle of it". */
static bool is_cut_handshake(const struct exchange *exchange)
{
    static const char *const texts[] = { "SSL_ERROR_SYSCALL", "unexpected eof", "reset by peer" };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (strstr(exchange->error_text, texts[i]))
            return true;
    return false;
}

static enum http_failure classify(const struct exchange *exchange)
{
    switch (exchange->code) {
    case CURLE_OK:
        return HTTP_FAILURE_NONE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return HTTP_FAILURE_RESOLVE;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        return HTTP_FAILURE_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
        return is_cut_handshake(exchange) ? HTTP_FAILURE_CUT : HTTP_FAILURE_TLS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return HTTP_FAILURE_CERTIFICATE;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_FAILURE_TIMEOUT;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND: /* a producer's bytes can't be sent again by curl */
        return HTTP_FAILURE_CUT;
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_READ_ERROR:
    case CURLE_FAILED_INIT:
    case CURLE_OUT_OF_MEMORY:
        return HTTP_FAILURE_LOCAL;
    default: /* curl's codes are many, and newer versions have more */
        return HTTP_FAILURE_PROTOCOL;
    }
}

bool http_failure_is_transient(enum http_failure failure)
{
    switch (failure) {
    case HTTP_FAILURE_RESOLVE:
    case HTTP_FAILURE_CONNECT:
    case HTTP_FAILURE_TIMEOUT:
    case HTTP_FAILURE_CUT:
        return true;
    case HTTP_FAILURE_NONE:
    case HTTP_FAILURE_TLS:
    case HTTP_FAILURE_CERTIFICATE:
    case HTTP_FAILURE_PROTOCOL:
    case HTTP_FAILURE_LOCAL:
        break;
    }
    return false;
}

static int report_connect(const struct exchange *exchange, struct error **err)
{
    long proxy_status = 0, os_errno = 0;
    (void)curl.easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    (void)curl.easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (proxy_status >= 300)
        return error_set(err, ERR_NETWORK, "connecting: the proxy answers %ld", proxy_status);
    if (os_errno) {
        char text[128];
        return error_set(err, ERR_NETWORK, "connecting: %s",
                         strerror_r((int)os_errno, text, sizeof(text)));
    }
    return error_set(err, ERR_NETWORK, "connecting: %s", exchange->error_text);
}

static int report_timeout(const struct exchange *exchange, struct error **err)
{
    double connected = 0;
    (void)curl.easy_getinfo(exchange->easy, CURLINFO_PRETRANSFER_TIME, &connected);
    if (connected <= 0)
        return error_set(err, ERR_NETWORK, "connecting: no answer in %ld s",
                         CONNECT_TIMEOUT_MS / 1000);
    return error_set(err, ERR_NETWORK, "no byte for %ld s", exchange->idle_s);
}

static int report_local(const struct exchange *exchange, struct error **err)
{
    if (exchange->cancelled)
        return check_aborted(exchange->http, err);
    if (exchange->body && http_body_error(exchange->body, err) < 0)
        return -1;
    return error_set(err, ERR_FAILED, "%s",
                     exchange->error_text[0] ? exchange->error_text
                                             : curl.easy_strerror(exchange->code));
}

static int report(struct exchange *exchange, struct error **err)
{
    struct http_response *response = exchange->response;
    const char *text =
        exchange->error_text[0] ? exchange->error_text : curl.easy_strerror(exchange->code);
    long proxy_status = 0;
    (void)curl.easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    response->failure = classify(exchange);
    if (exchange->too_much) {
        response->failure = HTTP_FAILURE_PROTOCOL;
        return error_set(err, ERR_LIMIT, "headers of the answer: over %u bytes", HEADERS_MAX_SIZE);
    }
    if (response->failure == HTTP_FAILURE_CUT && proxy_status >= 300)
        response->failure = HTTP_FAILURE_CONNECT;
    switch (response->failure) {
    case HTTP_FAILURE_NONE:
        return 0;
    case HTTP_FAILURE_RESOLVE:
        return error_set(err, ERR_NETWORK, "unknown host, or no name server answers");
    case HTTP_FAILURE_CONNECT:
        return report_connect(exchange, err);
    case HTTP_FAILURE_TIMEOUT:
        return report_timeout(exchange, err);
    case HTTP_FAILURE_CUT:
        return error_set(err, ERR_NETWORK, "connection cut after %llu bytes of the answer",
                         (unsigned long long)response->n_received);
    case HTTP_FAILURE_LOCAL:
        return report_local(exchange, err);
    case HTTP_FAILURE_TLS:
    case HTTP_FAILURE_CERTIFICATE:
    case HTTP_FAILURE_PROTOCOL:
        break;
    }
    return error_set(err, ERR_NETWORK, "%s", text);
}

static int submit(struct exchange *exchange, struct error **err)
{
    struct http *http = exchange->http;
    pthread_mutex_lock(&http->mutex);
    int result = locked_start_loop(http, err);
    pthread_mutex_unlock(&http->mutex);
    if (result < 0 || prepare(exchange, err) < 0)
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
    if (check_aborted(http, err) < 0)
        return -1;
    strbuf_init(&exchange.incoming);
    pthread_cond_init(&exchange.changed, NULL);
    int result = submit(&exchange, err);
    if (result == 0) {
        result = consume(&exchange, err);
        if (exchange.body)
            http_body_stop(exchange.body);
        if (result == 0)
            result = report(&exchange, err);
    }
    http_body_reader_free(exchange.body);
    if (exchange.easy)
        curl.easy_cleanup(exchange.easy);
    if (exchange.headers)
        curl.slist_free_all(exchange.headers);
    pthread_cond_destroy(&exchange.changed);
    strbuf_release(&exchange.incoming);
    free(exchange.origin);
    return result;
}
