/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/uploads.h"

#include "base/clock.h"
#include "base/mem.h"
#include "registry/api_error.h"
#include "registry/blobs.h"
#include "registry/request.h"
#include "registry/retry.h"

#include <inttypes.h>
#include <string.h>

#define CHUNK_MAX_SIZE (1u << 30) /* of what OCI-Chunk-Min-Length may ask */
#define PROGRESS_INTERVAL_MS 100

/* How an attempt ended; *err is set but for the first two. */
enum outcome {
    OUTCOME_DONE,
    OUTCOME_ABSENT,    /* only mounting was wanted, and it wasn't granted */
    OUTCOME_TRANSIENT, /* the same again may do */
    OUTCOME_LOST,      /* the registry forgot the session: a new one */
    OUTCOME_REFUSED,   /* this way isn't taken: another one */
    OUTCOME_FAILED,
};

struct upload {
    struct registry_session *session;
    struct host *host;
    const struct upload_request *request;
    char digest[DIGEST_TEXT_SIZE];
    char short_name[BLOB_SHORT_SIZE];
    struct reply reply;
    struct url location; /* the newest */
    uint64_t chunk_size;
    uint64_t offset; /* where the body under way begins in the blob */
    uint64_t told_ms;
    enum upload_result result;
    bool no_mount;
};

static void upload_release(struct upload *upload)
{
    reply_release(&upload->reply);
    url_release(&upload->location);
}
DEFINE_AUTO_STRUCT(struct upload, upload_release)

static struct scope scope_of(const struct upload *upload)
{
    return (struct scope){ .path = upload->request->repository->path,
                           .actions = SCOPE_PULL | SCOPE_PUSH };
}

static bool only_mounts(const struct upload *upload)
{
    return upload->request->fd < 0 && !upload->request->produce;
}

/* `size` bytes of the blob as a request's body */
static struct http_body body_at(const struct upload *upload, uint64_t offset, uint64_t size)
{
    return (struct http_body){ .fd = upload->request->fd,
                               .offset = offset,
                               .size = size,
                               .produce = upload->request->produce,
                               .producer = upload->request->producer };
}

static void tell(struct upload *upload, uint64_t done, bool always)
{
    uint64_t now = clock_monotonic_ms();
    if (!always && now - upload->told_ms < PROGRESS_INTERVAL_MS)
        return;
    upload->told_ms = now;
    progress_transfer(session_progress(upload->session), upload->request->vertex,
                      upload->short_name, done, upload->request->blob->size);
}

static void on_sent(void *data, uint64_t size)
{
    struct upload *upload = data;
    tell(upload, upload->offset + size, false);
}

/* What an answer other than the wanted one means for the upload; sets *err. */
static enum outcome judge(struct upload *upload, const struct request *request, struct error **err)
{
    const struct reply *reply = &upload->reply;
    const struct strbuf *body = &reply->body;
    bool is_transient = reply_is_transient(reply, request);
    (void)request_error(request, reply, err); /* sets *err; what it means is said by the outcome */
    if (is_transient)
        return OUTCOME_TRANSIENT;
    if (api_error_has_code(body->data, body->size, "DIGEST_INVALID")) {
        error_recode(err, ERR_DIGEST);
        return OUTCOME_FAILED;
    }
    switch (reply_status(reply)) {
    case 404:
        return OUTCOME_LOST;
    case 400:
    case 405:
    case 411:
    case 413:
    case 415:
    case 416:
    case 501:
        return OUTCOME_REFUSED;
    default:
        return OUTCOME_FAILED;
    }
}

/* A request of the upload. The outcome is DONE when there is an answer, whatever it says. */
static enum outcome call(struct upload *upload, const struct request *request, struct error **err)
{
    if (request_once(upload->session, request, &upload->reply, err) == 0)
        return OUTCOME_DONE;
    return reply_is_transient(&upload->reply, request) ? OUTCOME_TRANSIENT : OUTCOME_FAILED;
}

/* Where nobody knows the host that a Location names, the registry stands for it. */
static int lead_home(const struct upload *upload, struct url *location, struct error **err)
{
    AUTO(url_release) struct url base = { 0 };
    if (!atomic_load(&upload->host->names_inside))
        return 0;
    if (host_base(upload->host, &base, err) < 0)
        return -1;
    free(base.target);
    base.target = xstrdup(location->target);
    url_copy(location, &base);
    return 0;
}

/* The newest Location. None keeps the one we have. */
static int take_location(struct upload *upload, struct error **err)
{
    const struct reply *reply = &upload->reply;
    const char *location = reply_header(reply, "Location");
    AUTO(url_release) struct url next = { 0 };
    if (!location && upload->location.scheme)
        return 0;
    if (!location)
        return error_set(err, ERR_INVALID, "the registry opens an upload without Location");
    if (url_resolve(&reply->url, location, &next, err) < 0 || lead_home(upload, &next, err) < 0 ||
        reply_admit(reply, &next, err) < 0)
        return -1;
    url_copy(&upload->location, &next);
    return 0;
}

/* Opening a session, or mounting */

static enum outcome opened(struct upload *upload, const struct request *request, bool mounts,
                           struct error **err)
{
    uint64_t least;
    int status = reply_status(&upload->reply);
    if (status == 201 && mounts) {
        upload->result = UPLOAD_RESULT_MOUNTED;
        return OUTCOME_DONE;
    }
    if (status != 202 && status != 201)
        return judge(upload, request, err);
    if (take_location(upload, err) < 0)
        return OUTCOME_FAILED;
    upload->chunk_size = UPLOAD_CHUNK_SIZE;
    if (headers_get_uint64(&upload->reply.response.headers, "OCI-Chunk-Min-Length", &least) &&
        least > upload->chunk_size && least <= CHUNK_MAX_SIZE)
        upload->chunk_size = least;
    upload->result = UPLOAD_RESULT_SENT;
    return OUTCOME_DONE;
}

static enum outcome post(struct upload *upload, const char *from, struct error **err)
{
    static const struct http_body nothing = { .data = "" };
    const struct reference *repository = upload->request->repository;
    AUTO(url_release) struct url url = { 0 };
    if (request_url(upload->host, &url, err, "/v2/%s/blobs/uploads/", repository->path) < 0)
        return OUTCOME_FAILED;
    url_release(&upload->location);
    struct scope scope = scope_of(upload);
    if (from) {
        url_add_query(&url, "mount", upload->digest);
        url_add_query(&url, "from", from);
        scope.from = from;
    }
    struct request request = {
        .method = "POST", .host = upload->host, .url = &url, .scope = scope, .body = &nothing
    };
    enum outcome outcome = call(upload, &request, err);
    if (outcome != OUTCOME_DONE)
        return outcome;
    return opened(upload, &request, from != NULL, err);
}

static enum outcome begin(struct upload *upload, struct error **err)
{
    const char *from = upload->no_mount ? NULL : upload->request->from;
    if (from) {
        enum outcome outcome = post(upload, from, err);
        if (outcome == OUTCOME_DONE && only_mounts(upload) &&
            upload->result != UPLOAD_RESULT_MOUNTED)
            return OUTCOME_ABSENT;
        if (outcome == OUTCOME_DONE || outcome == OUTCOME_TRANSIENT ||
            error_is(*err, ERR_CANCELLED))
            return outcome;
        /* no right to the other repository, or mounts aren't known: as if there were none */
        error_clear(err);
        upload->no_mount = true;
    }
    if (only_mounts(upload))
        return OUTCOME_ABSENT;
    return post(upload, NULL, err);
}

/* Sending */

static void add_headers(struct strvec *headers)
{
    strvec_push(headers, "Content-Type: application/octet-stream");
}

static int check_digest(struct upload *upload, struct error **err)
{
    struct digest said = { 0 };
    const char *text = reply_header(&upload->reply, "Docker-Content-Digest");
    AUTO(error_free) struct error *ignored = NULL; /* of a kind that we don't know */
    if (!text || digest_parse(text, &said, &ignored) < 0 ||
        digest_equal(&said, &upload->request->blob->digest))
        return 0;
    return error_set(err, ERR_DIGEST, "the registry stored %.100s instead of what was sent", text);
}

/* To an URL made of the location. */
static enum outcome send(struct upload *upload, const char *method, const struct url *url,
                         const struct strvec *headers, const struct http_body *body,
                         struct error **err)
{
    struct request request = { .method = method,
                               .host = upload->host,
                               .url = url,
                               .scope = scope_of(upload),
                               .headers = headers,
                               .body = body,
                               .bulk = body->size > 0,
                               .on_sent = on_sent,
                               .data = upload };
    enum outcome outcome = call(upload, &request, err);
    if (outcome != OUTCOME_DONE)
        return outcome;
    int status = reply_status(&upload->reply);
    return status < 200 || status >= 300 ? judge(upload, &request, err) : OUTCOME_DONE;
}

/* PUT location&digest=: ends the upload; with the blob or without */
static enum outcome put(struct upload *upload, const struct http_body *body, struct error **err)
{
    AUTO(strvec_release) struct strvec headers = STRVEC_INIT;
    AUTO(url_release) struct url url = { 0 };
    url_copy(&url, &upload->location);
    url_add_query(&url, "digest", upload->digest);
    add_headers(&headers);
    upload->offset = body->size ? 0 : upload->request->blob->size;
    enum outcome outcome = send(upload, "PUT", &url, &headers, body, err);
    if (outcome != OUTCOME_DONE)
        return outcome;
    return check_digest(upload, err) < 0 ? OUTCOME_FAILED : OUTCOME_DONE;
}

static enum outcome finish_empty(struct upload *upload, struct error **err)
{
    static const struct http_body nothing = { .data = "" };
    return put(upload, &nothing, err);
}

static enum outcome send_whole(struct upload *upload, struct error **err)
{
    struct http_body body = body_at(upload, 0, upload->request->blob->size);
    return put(upload, &body, err);
}

/* PATCH with bytes from upload->offset on. has_range: as a chunk of several */
static enum outcome patch(struct upload *upload, uint64_t size, bool has_range, struct error **err)
{
    AUTO(strvec_release) struct strvec headers = STRVEC_INIT;
    struct http_body body = body_at(upload, upload->offset, size);
    add_headers(&headers);
    if (has_range) /* not "bytes a-b/c": ACR takes it literally */
        strvec_pushf(&headers, "Content-Range: %" PRIu64 "-%" PRIu64, upload->offset,
                     upload->offset + size - 1);
    AUTO(url_release) struct url url = { 0 };
    url_copy(&url, &upload->location);
    enum outcome outcome = send(upload, "PATCH", &url, &headers, &body, err);
    if (outcome != OUTCOME_DONE)
        return outcome;
    return take_location(upload, err) < 0 ? OUTCOME_FAILED : OUTCOME_DONE;
}

static enum outcome send_stream(struct upload *upload, struct error **err)
{
    upload->offset = 0;
    enum outcome outcome = patch(upload, upload->request->blob->size, false, err);
    return outcome == OUTCOME_DONE ? finish_empty(upload, err) : outcome;
}

/* GET location: how far the registry has come. False: it doesn't say. */
static bool ask_offset(struct upload *upload, uint64_t *offset)
{
    AUTO(error_free) struct error *ignored = NULL; /* then the blob starts again */
    AUTO(url_release) struct url url = { 0 };
    url_copy(&url, &upload->location);
    struct request request = {
        .method = "GET", .host = upload->host, .url = &url, .scope = scope_of(upload)
    };
    if (call(upload, &request, &ignored) != OUTCOME_DONE ||
        (reply_status(&upload->reply) != 204 && reply_status(&upload->reply) != 200) ||
        !headers_upload_range(&upload->reply.response.headers, offset))
        return false;
    return *offset <= upload->request->blob->size && take_location(upload, &ignored) == 0;
}

/*
 * The Range of a 202 isn't believed: ECR's stays at the first chunk although all is stored. It is
 * asked for only after trouble, and the digest in the last PUT decides.
 */
static enum outcome send_chunks(struct upload *upload, struct error **err)
{
    uint64_t size = upload->request->blob->size;
    struct retry retry;
    retry_init(&retry, session_abort_fd(upload->session));
    upload->offset = 0;
    while (upload->offset < size) {
        uint64_t left = size - upload->offset;
        uint64_t chunk = left < upload->chunk_size ? left : upload->chunk_size;
        enum outcome outcome = patch(upload, chunk, true, err);
        if (outcome == OUTCOME_DONE) {
            upload->offset += chunk;
            retry_progress(&retry);
            continue;
        }
        uint64_t offset;
        bool out_of_step = reply_status(&upload->reply) == 416;
        if (outcome != OUTCOME_TRANSIENT && !out_of_step)
            return outcome;
        if (retry_wait(&retry, NULL, err) < 0)
            return OUTCOME_FAILED;
        if (!ask_offset(upload, &offset)) {
            error_set_(err, ERR_NETWORK, "the registry lost the upload of blob %s", upload->digest);
            return OUTCOME_LOST;
        }
        upload->offset = offset;
    }
    return finish_empty(upload, err);
}

static enum outcome send_by(struct upload *upload, enum upload_mode mode, struct error **err)
{
    switch (mode) {
    case UPLOAD_PUT:
        return send_whole(upload, err);
    case UPLOAD_STREAM:
        return send_stream(upload, err);
    case UPLOAD_CHUNKS:
        return send_chunks(upload, err);
    }
    return OUTCOME_FAILED;
}

static enum outcome attempt(struct upload *upload, enum upload_mode mode, struct error **err)
{
    enum outcome outcome = begin(upload, err);
    if (outcome != OUTCOME_DONE || upload->result == UPLOAD_RESULT_MOUNTED)
        /* a refusal to open a session isn't about the way of sending */
        return outcome == OUTCOME_LOST || outcome == OUTCOME_REFUSED ? OUTCOME_FAILED : outcome;
    return send_by(upload, mode, err);
}

/* After a broken transfer the blob may be there: by us, or by another job that pushes the same. */
static bool is_there_now(struct upload *upload)
{
    bool there = false;
    AUTO(error_free)
    struct error *ignored = NULL; /* then it is sent again, and says what is wrong */
    const struct upload_request *request = upload->request;
    if (blob_exists(upload->session, request->repository, &request->blob->digest,
                    SCOPE_PULL | SCOPE_PUSH, &there, &ignored) < 0)
        return false;
    return there;
}

struct tries {
    struct retry retry;
    enum upload_mode mode;
    bool is_too_large; /* that is all that was said against the others */
    unsigned n_lost;
    struct error *first_refusal;
};

static void tries_release(struct tries *tries)
{
    error_free(tries->first_refusal);
}
DEFINE_AUTO_STRUCT(struct tries, tries_release)

/* The next way of sending; when there is none, what the registry said to the first counts. */
static int next_mode(struct tries *tries, struct error **err)
{
    if (!tries->first_refusal)
        tries->first_refusal = error_copy(*err);
    error_clear(err);
    if (tries->mode == UPLOAD_CHUNKS) {
        error_move(err, TAKE(tries->first_refusal));
        return -1;
    }
    tries->mode++;
    return 0;
}

/*
 * A registry behind a proxy may give Locations with the name that it has inside (Artifactory). The
 * first that nobody knows is asked for at the registry, and so are all after it. Not so a host
 * that only doesn't answer: uploads may lie on another one, which may be away for a moment.
 */
static bool led_inside(struct upload *upload)
{
    const struct reply *reply = &upload->reply;
    AUTO(error_free) struct error *ignored = NULL; /* no base: nothing was asked yet */
    AUTO(url_release) struct url base = { 0 };
    if (reply->response.failure != HTTP_FAILURE_RESOLVE || !upload->location.scheme ||
        host_base(upload->host, &base, &ignored) < 0 ||
        strcasecmp(base.host, upload->location.host) == 0 ||
        strcasecmp(reply->url.host, upload->location.host) != 0)
        return false;
    atomic_store(&upload->host->names_inside, true);
    return true; /* not again: from now on Locations lead home */
}

/* 1: try again; 0: done; -1 */
static int settle(struct upload *upload, struct tries *tries, enum outcome outcome,
                  struct error **err)
{
    switch (outcome) {
    case OUTCOME_DONE:
        return 0;
    case OUTCOME_ABSENT:
        return error_set(err, ERR_NOT_FOUND, "not in the store, and the registry doesn't mount it");
    case OUTCOME_TRANSIENT:
        if (led_inside(upload)) {
            error_clear(err);
            return 1;
        }
        if (retry_wait(&tries->retry, reply_header(&upload->reply, "Retry-After"), err) < 0)
            return -1;
        if (!is_there_now(upload))
            return 1;
        upload->result = UPLOAD_RESULT_PRESENT;
        return 0;
    case OUTCOME_LOST:
        if (tries->n_lost++ == 0) {
            error_clear(err);
            return 1;
        }
        tries->is_too_large = false;
        return next_mode(tries, err) < 0 ? -1 : 1;
    case OUTCOME_REFUSED:
        tries->is_too_large = tries->is_too_large && reply_status(&upload->reply) == 413;
        return next_mode(tries, err) < 0 ? -1 : 1;
    case OUTCOME_FAILED:
        break;
    }
    return -1;
}

/* Two jobs may push the same blob: who comes second may be refused what is there by then. */
static bool may_be_another_job(const struct upload *upload, const struct error *err)
{
    return !only_mounts(upload) && (error_is(err, ERR_REFUSED) || error_is(err, ERR_NOT_FOUND));
}

/* The way that large blobs need costs small ones requests. */
static enum upload_mode first_mode(struct host *host, const struct descriptor *blob)
{
    if (blob->size < atomic_load(&host->whole_below))
        return UPLOAD_PUT;
    return (enum upload_mode)atomic_load(&host->upload_mode);
}

/* A small blob that passed meanwhile says nothing of large ones. */
static void remember_mode(struct host *host, const struct tries *tries,
                          const struct descriptor *blob)
{
    bool is_first = atomic_load(&host->upload_mode) == UPLOAD_PUT;
    if (tries->mode == UPLOAD_PUT)
        return;
    uint64_t below = tries->is_too_large ? blob->size : 0;
    if (is_first || below < atomic_load(&host->whole_below))
        atomic_store(&host->whole_below, below);
    if ((int)tries->mode > atomic_load(&host->upload_mode))
        atomic_store(&host->upload_mode, (int)tries->mode);
}

int upload_blob(struct registry_session *session, const struct upload_request *request,
                enum upload_result *result, struct error **err)
{
    struct host *host = session_host(session, request->repository->domain);
    AUTO(upload_release)
    struct upload upload = { .session = session, .host = host, .request = request };
    upload.reply = (struct reply)REPLY_INIT;
    digest_format(&request->blob->digest, upload.digest);
    blob_short_name(&request->blob->digest, upload.short_name);
    AUTO(tries_release)
    struct tries tries = { .mode = first_mode(host, request->blob), .is_too_large = true };
    retry_init(&tries.retry, session_abort_fd(session));
    int again;
    do
        again = settle(&upload, &tries, attempt(&upload, tries.mode, err), err);
    while (again > 0);
    if (again < 0) {
        if (!may_be_another_job(&upload, *err) || !is_there_now(&upload))
            return -1;
        error_clear(err);
        upload.result = UPLOAD_RESULT_PRESENT;
    }
    if (upload.result == UPLOAD_RESULT_SENT)
        remember_mode(host, &tries, request->blob);
    tell(&upload, request->blob->size, true);
    *result = upload.result;
    return 0;
}
