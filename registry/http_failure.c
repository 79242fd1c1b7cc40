/* SPDX-License-Identifier: Apache-2.0 */
/* Why an exchange failed: curl's codes as kinds that callers act on, and as messages. */
#include "registry/http_exchange.h"

#include "base/array.h"

#include <string.h>

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
        return http_check_aborted(exchange->http, err);
    if (exchange->body && http_body_error(exchange->body, err) < 0)
        return -1;
    return error_set(err, ERR_FAILED, "%s",
                     exchange->error_text[0] ? exchange->error_text
                                             : curl.easy_strerror(exchange->code));
}

int http_exchange_report(struct exchange *exchange, struct error **err)
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
