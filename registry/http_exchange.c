/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/http_exchange.h"

#include "base/force.h"
#include "base/mem.h"
#include "registry/proxy.h"
#include "registry/url.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_SIZE                                                                                \
    (512u << 10) /* of a body between loop and caller; the caller holds as much again */
#define TELL_SIZE (128u << 10) /* the caller isn't woken for less while more is coming */
#define CURL_BUFFER_SIZE (128L << 10)
#define IDLE_TIMEOUT_S 30L
#define IDLE_TIMEOUT_UPLOAD_S 60L /* registries digest a blob after its last byte */

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

void http_exchange_take_head(struct exchange *exchange)
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
            http_exchange_take_head(exchange);
        exchange->has_body_bytes = true;
        strbuf_add(&exchange->incoming, bytes, size);
    }
    exchange->untold = exchange->incoming.size < TELL_SIZE;
    if (!exchange->untold)
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
        exchange->idle_s = 5;
    curl.easy_setopt(exchange->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl.easy_setopt(exchange->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl.easy_setopt(exchange->easy, CURLOPT_LOW_SPEED_TIME, exchange->idle_s);
    curl.easy_setopt(exchange->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl.easy_setopt(exchange->easy, CURLOPT_NOSIGNAL, 1L);
}

int http_exchange_prepare(struct exchange *exchange, struct error **err)
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

void http_exchange_release(struct exchange *exchange)
{
    http_body_reader_free(exchange->body);
    if (exchange->easy)
        curl.easy_cleanup(exchange->easy);
    if (exchange->headers)
        curl.slist_free_all(exchange->headers);
    free(exchange->origin);
}
