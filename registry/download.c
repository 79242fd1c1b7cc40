/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/download.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "registry/fetch.h"
#include "registry/request.h"

#include <inttypes.h>
#include <string.h>

#define DEFAULT_MAX_SIZE ((uint64_t)16 << 30)
#define PROGRESS_INTERVAL_MS 100

void download_result_release(struct download_result *result)
{
    free(result->etag);
    free(result->last_modified);
    *result = (struct download_result){ 0 };
}

struct download {
    struct registry_session *session;
    const struct download_request *request;
    struct sink *to;
    char *name;
    uint64_t size, told_ms;
};

static int on_write(void *data, const void *bytes, size_t size, struct error **err)
{
    struct download *download = data;
    if (sink_write(download->to, bytes, size, err) < 0)
        return -1;
    download->size += size;
    uint64_t now = clock_monotonic_ms();
    if (now - download->told_ms >= PROGRESS_INTERVAL_MS) {
        download->told_ms = now;
        progress_transfer(session_progress(download->session), download->request->vertex,
                          download->name, download->size, 0);
    }
    return 0;
}

static void add_conditions(const struct download_request *request, struct strvec *headers)
{
    if (request->if_none_match)
        strvec_pushf(headers, "If-None-Match: %s", request->if_none_match);
    if (request->if_modified_since)
        strvec_pushf(headers, "If-Modified-Since: %s", request->if_modified_since);
}

static void take_result(const struct download *download, const struct reply *reply,
                        struct download_result *ret)
{
    download_result_release(ret);
    ret->not_modified = reply_status(reply) == 304;
    ret->etag = xstrdup(reply_header(reply, "ETag"));
    ret->last_modified = xstrdup(reply_header(reply, "Last-Modified"));
    ret->size = download->size;
}

static int download_url(struct download *download, const struct url *url,
                        struct download_result *ret, struct error **err)
{
    const struct download_request *request = download->request;
    AUTO(strvec_release) struct strvec headers = STRVEC_INIT;
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    add_conditions(request, &headers);
    AUTO(fetch_release)
    struct fetch fetch = { .session = download->session,
                           .url = url,
                           .headers = &headers,
                           .authorization = request->authorization,
                           .size = UINT64_MAX,
                           .max_size = request->max_size ? request->max_size : DEFAULT_MAX_SIZE,
                           .write = on_write,
                           .data = download };
    if (fetch_run(&fetch, &reply, err) < 0)
        return -1;
    int status = reply_status(&reply);
    bool asked_if = request->if_none_match || request->if_modified_since;
    if (status != 200 && status != 206 && !(status == 304 && asked_if)) {
        struct request shown = { .method = "GET", .url = url };
        return request_error(&shown, &reply, err);
    }
    progress_transfer(session_progress(download->session), request->vertex, download->name,
                      download->size, download->size);
    take_result(download, &reply, ret);
    return 0;
}

int registry_download(struct registry_session *session, const struct download_request *request,
                      struct sink *to, struct download_result *ret, struct error **err)
{
    AUTO(url_release) struct url url = { 0 };
    if (url_parse(request->url, &url, err) < 0)
        return -1;
    AUTO(free) char *path = xstrndup(url.target, strcspn(url.target, "?"));
    struct download download = { .session = session, .request = request, .to = to };
    const char *base = path_base(path);
    download.name = xstrdup(*base ? base : url.host);
    int result = download_url(&download, &url, ret, err);
    free(download.name);
    return result;
}
