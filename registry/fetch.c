/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/fetch.h"

#include "base/mem.h"
#include "registry/retry.h"

#include <inttypes.h>
#include <string.h>

void fetch_release(struct fetch *fetch)
{
    free(fetch->validator);
    fetch->validator = NULL;
}

static int begin_again(struct fetch *fetch, struct error **err)
{
    if (!fetch->offset)
        return 0;
    if (!fetch->restart)
        return error_set(err, ERR_NETWORK,
                         "the server can't continue at byte %" PRIu64
                         " of what is half used already",
                         fetch->offset);
    if (fetch->restart(fetch->data, err) < 0)
        return -1;
    fetch->offset = 0;
    return 0;
}

static int wrong_size(const struct fetch *fetch, uint64_t size, struct error **err)
{
    return error_set(err, ERR_DIGEST, "%" PRIu64 " bytes where %" PRIu64 " are expected", size,
                     fetch->size);
}

static int check_range(struct fetch *fetch, const struct headers *headers, struct error **err)
{
    uint64_t first, last, total;
    if (!headers_content_range(headers, &first, &last, &total) || first != fetch->offset) {
        fetch->no_range = true;
        return error_set(err, ERR_NETWORK,
                         "another range than asked: \"%.60s\" instead of %" PRIu64 "-",
                         headers_get(headers, "Content-Range", 0), fetch->offset);
    }
    if (fetch->size != UINT64_MAX && total != UINT64_MAX && total != fetch->size)
        return wrong_size(fetch, total, err);
    if (fetch->total && total != UINT64_MAX && total != fetch->total)
        return error_set(err, ERR_REFUSED,
                         "it changed while it was loaded: %" PRIu64 " bytes instead of %" PRIu64,
                         total, fetch->total);
    return 0;
}

/* A size that can't be right is known before the first byte. */
static int check_whole(struct fetch *fetch, const struct headers *headers, struct error **err)
{
    uint64_t size;
    if (begin_again(fetch, err) < 0)
        return -1;
    fetch->total = 0;
    if (!headers_get_uint64(headers, "Content-Length", &size))
        return 0;
    fetch->total = size;
    if (fetch->size != UINT64_MAX && size != fetch->size)
        return wrong_size(fetch, size, err);
    if (fetch->size == UINT64_MAX && size > fetch->max_size)
        return error_set(err, ERR_LIMIT, "%" PRIu64 " bytes, more than %" PRIu64, size,
                         fetch->max_size);
    return 0;
}

/* A weak ETag doesn't promise equal bytes, so it can't guard a range. */
static void remember_validator(struct fetch *fetch, const struct headers *headers)
{
    const char *etag = headers_get(headers, "ETag", 0);
    if (!etag || strncmp(etag, "W/", 2) == 0)
        etag = headers_get(headers, "Last-Modified", 0);
    free(fetch->validator);
    fetch->validator = xstrdup(etag);
}

static int on_head(void *data, const struct http_response *response, struct error **err)
{
    struct fetch *fetch = data;
    if (response->status == 206)
        return check_range(fetch, &response->headers, err);
    if (check_whole(fetch, &response->headers, err) < 0)
        return -1;
    remember_validator(fetch, &response->headers);
    return 0;
}

static int on_data(void *data, const void *bytes, size_t size, struct error **err)
{
    struct fetch *fetch = data;
    uint64_t left = (fetch->size == UINT64_MAX ? fetch->max_size : fetch->size) - fetch->offset;
    if (size > left && fetch->size != UINT64_MAX)
        return error_set(err, ERR_DIGEST, "more than the expected %" PRIu64 " bytes", fetch->size);
    if (size > left)
        return error_set(err, ERR_LIMIT, "more than %" PRIu64 " bytes", fetch->max_size);
    if (fetch->write(fetch->data, bytes, size, err) < 0)
        return -1;
    fetch->offset += size;
    return 0;
}

static int attempt(struct fetch *fetch, struct reply *reply, struct error **err)
{
    AUTO(strvec_release) struct strvec headers = STRVEC_INIT;
    if (fetch->headers)
        strvec_append(&headers, fetch->headers);
    if (fetch->no_range && begin_again(fetch, err) < 0)
        return -1;
    if (fetch->end && !fetch->no_range)
        strvec_pushf(&headers, "Range: bytes=%" PRIu64 "-%" PRIu64, fetch->offset, fetch->end - 1);
    else if (fetch->offset)
        strvec_pushf(&headers, "Range: bytes=%" PRIu64 "-", fetch->offset);
    /* a blob is what its digest says: only other things may change under us */
    if (fetch->offset && fetch->validator && fetch->size == UINT64_MAX)
        strvec_pushf(&headers, "If-Range: %s", fetch->validator);
    struct request request = { .method = "GET",
                               .host = fetch->host,
                               .url = fetch->url,
                               .scope = fetch->scope,
                               .headers = &headers,
                               .authorization = fetch->authorization,
                               .bulk = true,
                               .on_head = on_head,
                               .on_data = on_data,
                               .data = fetch };
    bool had_range = fetch->no_range;
    int result = request_once(fetch->session, &request, reply, err);
    if (result < 0 && fetch->no_range && !had_range) /* once more, without */
        reply->response.failure = HTTP_FAILURE_CUT;
    if (result == 0 && reply_status(reply) == 416 && fetch->offset) {
        fetch->no_range = true;
        reply->response.failure = HTTP_FAILURE_CUT;
        return request_error(&request, reply, err);
    }
    if (result == 0 && reply_is_transient(reply, &request))
        return request_error(&request, reply, err);
    return result;
}

static bool is_complete(const struct fetch *fetch, const struct reply *reply)
{
    int status = reply_status(reply);
    if (status != 200 && status != 206)
        return true; /* not ours to judge */
    if (fetch->end && status == 206)
        return fetch->offset >= fetch->end;
    return fetch->size == UINT64_MAX || fetch->offset == fetch->size;
}

int fetch_run(struct fetch *fetch, struct reply *reply, struct error **err)
{
    struct retry retry;
    uint64_t before = fetch->offset;
    struct request for_url = { .url = fetch->url };
    retry_init(&retry, session_abort_fd(fetch->session));
    for (;;) {
        int result = attempt(fetch, reply, err);
        if (result == 0 && is_complete(fetch, reply))
            return 0;
        if (result == 0) { /* a chunked body or a short range that ended early */
            error_set_(err, ERR_NETWORK, "connection cut after %" PRIu64 " of %" PRIu64 " bytes",
                       fetch->offset, fetch->size);
            reply->response.failure = HTTP_FAILURE_CUT;
        }
        if (!reply_is_transient(reply, &for_url))
            return -1;
        if (fetch->offset >= before + RETRY_PROGRESS_SIZE)
            retry_progress(&retry);
        before = fetch->offset;
        if (retry_wait(&retry, reply_header(reply, "Retry-After"), err) < 0)
            return -1;
    }
}
