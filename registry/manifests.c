/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/manifests.h"

#include "base/json.h"
#include "base/mem.h"
#include "oci/document.h"
#include "registry/api_error.h"
#include "registry/request.h"

#include <ctype.h>
#include <string.h>

/* Tag or digest of a reference, as URLs have it. A digest says more than a tag beside it. */
static char *name_of(const struct reference *reference)
{
    if (!reference->digest.is_set)
        return xstrdup(reference->tag ? reference->tag : "latest");
    char text[DIGEST_TEXT_SIZE];
    digest_format(&reference->digest, text);
    return xstrdup(text);
}

struct call {
    struct host *host;
    struct url url;
    struct strvec headers;
    struct request request;
};

static void call_release(struct call *call)
{
    url_release(&call->url);
    strvec_release(&call->headers);
}
DEFINE_AUTO_STRUCT(struct call, call_release)

static int call_init(struct call *call, struct registry_session *session,
                     const struct reference *repository, const char *method, const char *name,
                     unsigned actions, struct error **err)
{
    call->host = session_host(session, repository->domain);
    if (request_url(call->host, &call->url, err, "/v2/%s/manifests/%s", repository->path, name) < 0)
        return -1;
    strvec_pushf(&call->headers, "Accept: %s", media_type_accept());
    call->request = (struct request){ .method = method,
                                      .host = call->host,
                                      .url = &call->url,
                                      .scope = { repository->path, actions },
                                      .headers = &call->headers,
                                      .max_body = MANIFEST_MAX_SIZE };
    return 0;
}

/* Docker-Content-Digest; unset where it is missing or of a kind that we don't know */
static struct digest digest_header(const struct reply *reply)
{
    struct digest digest = { 0 };
    const char *text = reply_header(reply, "Docker-Content-Digest");
    AUTO(error_free) struct error *ignored = NULL; /* the content decides then */
    if (!text || digest_parse(text, &digest, &ignored) < 0)
        digest.is_set = false;
    return digest;
}

static int mismatch(const char *whose, const struct digest *expected, const struct digest *got,
                    struct error **err)
{
    char expected_text[DIGEST_TEXT_SIZE], got_text[DIGEST_TEXT_SIZE];
    digest_format(expected, expected_text);
    digest_format(got, got_text);
    return error_set(err, ERR_DIGEST, "manifest %s (%s): its content has the digest %s",
                     expected_text, whose, got_text);
}

static int describe(const struct reference *reference, const struct reply *reply,
                    struct descriptor *ret, struct error **err)
{
    const struct strbuf *body = &reply->body;
    struct digest got = digest_of(body->data, body->size), said = digest_header(reply);
    if (reference->digest.is_set && !digest_equal(&got, &reference->digest))
        return mismatch("asked for", &reference->digest, &got, err);
    if (said.is_set && !digest_equal(&got, &said))
        return mismatch("as the registry says", &said, &got, err);
    const char *content_type = reply_header(reply, "Content-Type");
    enum media_kind kind;
    AUTO(json_decref) json_t *document = json_parse_object(body->data, body->size, err);
    if (!document || manifest_classify(document, content_type, &kind, err) < 0)
        return -1;
    if (kind == MEDIA_KIND_SCHEMA1)
        return document_refuse_schema1(reference->domain, err);
    AUTO(free) char *media_type = manifest_name_type(document, content_type, kind);
    descriptor_set(ret, media_type, &got, body->size);
    return 0;
}

/* What a question about a manifest fills */
struct answer {
    struct strbuf *body; /* of manifest_fetch() */
    struct descriptor *descriptor;
};

static int fetch_at(struct registry_session *session, const struct reference *reference, void *data,
                    struct error **err)
{
    const struct answer *answer = data;
    AUTO(call_release) struct call call = { 0 };
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    AUTO(free) char *name = name_of(reference);
    if (call_init(&call, session, reference, "GET", name, SCOPE_PULL, err) < 0 ||
        request_run(session, &call.request, &reply, err) < 0)
        return -1;
    if (reply_status(&reply) != 200)
        return request_error(&call.request, &reply, err);
    if (describe(reference, &reply, answer->descriptor, err) < 0) {
        AUTO(free) char *url = url_format(&call.url);
        return error_wrap(err, "GET %s", url);
    }
    strbuf_add(answer->body, reply.body.data, reply.body.size);
    return 0;
}

int manifest_fetch(struct registry_session *session, const struct reference *reference,
                   struct strbuf *body, struct descriptor *ret, struct error **err)
{
    struct answer answer = { body, ret };
    return registries_try(session, reference, fetch_at, &answer, err);
}

int manifest_fetch_here(struct registry_session *session, const struct reference *reference,
                        struct strbuf *body, struct descriptor *ret, struct error **err)
{
    struct answer answer = { body, ret };
    return fetch_at(session, reference, &answer, err);
}

/* What HEAD says, if that is enough. */
static bool read_head(const struct reference *reference, const struct reply *reply,
                      struct descriptor *ret)
{
    uint64_t size;
    struct digest said = digest_header(reply);
    const char *content_type = reply_header(reply, "Content-Type");
    enum media_kind kind = media_type_kind(content_type);
    if (reply_status(reply) != 200 || !said.is_set ||
        (kind != MEDIA_KIND_INDEX && kind != MEDIA_KIND_MANIFEST) ||
        !headers_get_uint64(&reply->response.headers, "Content-Length", &size) || !size ||
        size > MANIFEST_MAX_SIZE)
        return false;
    if (reference->digest.is_set && !digest_equal(&said, &reference->digest))
        return false;
    AUTO(free) char *media_type = xstrndup(content_type, strcspn(content_type, "; \t"));
    for (char *c = media_type; *c; c++) /* of no case, but compared as text further on */
        *c = (char)tolower((unsigned char)*c);
    descriptor_set(ret, media_type, &said, size);
    return true;
}

static int head(struct registry_session *session, const struct reference *repository,
                const char *name, unsigned actions, struct reply *reply, struct error **err)
{
    AUTO(call_release) struct call call = { 0 };
    if (call_init(&call, session, repository, "HEAD", name, actions, err) < 0)
        return -1;
    return request_run(session, &call.request, reply, err);
}

static int resolve_at(struct registry_session *session, const struct reference *reference,
                      void *data, struct error **err)
{
    const struct answer *answer = data;
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    AUTO(free) char *name = name_of(reference);
    struct host *host = session_host(session, reference->domain);
    if (!atomic_load(&host->refuses_head)) {
        if (head(session, reference, name, SCOPE_PULL, &reply, err) < 0)
            return -1;
        if (read_head(reference, &reply, answer->descriptor))
            return 0;
        if (reply_status(&reply) == 405)
            atomic_store(&host->refuses_head, true);
    }
    /* a refusal of HEAD has no body that would say why: GET decides, also over 403 and 404 */
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
    struct answer whole = { &body, answer->descriptor };
    return fetch_at(session, reference, &whole, err);
}

int manifest_resolve(struct registry_session *session, const struct reference *reference,
                     struct descriptor *ret, struct error **err)
{
    struct answer answer = { NULL, ret };
    return registries_try(session, reference, resolve_at, &answer, err);
}

int manifest_is(struct registry_session *session, const struct reference *repository,
                const char *name, const struct digest *digest, bool *ret, struct error **err)
{
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    struct host *host = session_host(session, repository->domain);
    *ret = false;
    if (atomic_load(&host->refuses_head))
        return 0;
    if (head(session, repository, name, SCOPE_PULL | SCOPE_PUSH, &reply, err) < 0)
        return -1;
    if (reply_status(&reply) == 405)
        atomic_store(&host->refuses_head, true);
    struct digest said = digest_header(&reply);
    *ret = reply_status(&reply) == 200 && said.is_set && digest_equal(&said, digest);
    return 0;
}

static bool says_blob_is_missing(const struct reply *reply)
{
    static const char *const codes[] = { "MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN",
                                         "MANIFEST_UNKNOWN" };
    int status = reply_status(reply);
    if (status != 400 && status != 404)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (api_error_has_code(reply->body.data, reply->body.size, codes[i]))
            return true;
    return false;
}

/* Old servers (Quay once) know Docker's types alone. */
static void hint_format(const struct descriptor *desc, const struct reply *reply,
                        struct error **err)
{
    int status = reply_status(reply);
    const struct strbuf *body = &reply->body;
    if ((status != 400 && status != 415) || !desc->media_type ||
        strncmp(desc->media_type, "application/vnd.oci.", 20) != 0)
        return;
    error_hint(err, "if the registry knows Docker's formats alone: "
                    "`cbuild copy --format v2s2 NAME docker://NAME`");
    if (status == 415 || api_error_has_code(body->data, body->size, "MANIFEST_INVALID") ||
        api_error_has_code(body->data, body->size, "UNSUPPORTED"))
        error_recode(err, ERR_UNSUPPORTED);
}

/* A prepared PUT */
static int send_document(struct registry_session *session, struct call *call,
                         const struct descriptor *desc, const struct strbuf *body,
                         struct reply *reply, bool *lacks_blob, struct error **err)
{
    struct http_body content = { .data = body->data, .size = body->size };
    strvec_pushf(&call->headers, "Content-Type: %s", desc->media_type);
    call->request.body = &content;
    int result = request_run(session, &call->request, reply, err);
    call->request.body = NULL;
    if (result < 0)
        return -1;
    if (reply_status(reply) < 200 || reply_status(reply) >= 300) {
        *lacks_blob = says_blob_is_missing(reply);
        (void)request_error(&call->request, reply, err); /* sets *err */
        if (!*lacks_blob)
            hint_format(desc, reply, err);
        return -1;
    }
    struct digest said = digest_header(reply);
    if (said.is_set && !digest_equal(&said, &desc->digest))
        return mismatch("as it was sent", &desc->digest, &said, err);
    return 0;
}

int manifest_put(struct registry_session *session, const struct reference *repository,
                 const char *name, const struct descriptor *desc, const struct strbuf *body,
                 bool *lacks_blob, struct error **err)
{
    AUTO(call_release) struct call call = { 0 };
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    *lacks_blob = false;
    if (call_init(&call, session, repository, "PUT", name, SCOPE_PULL | SCOPE_PUSH, err) < 0)
        return -1;
    return send_document(session, &call, desc, body, &reply, lacks_blob, err);
}

/* OCI-Tag: one or more, separated by commas; may come several times */
static void remove_said(struct strvec *tags, const struct reply *reply)
{
    const char *said;
    for (size_t n = 0; (said = headers_get(&reply->response.headers, "OCI-Tag", n)); n++)
        while (*said) {
            size_t size = strcspn(said, ", \t");
            AUTO(free) char *tag = xstrndup(said, size);
            for (size_t i = tags->n; size && i-- > 0;)
                if (strcmp(tags->items[i], tag) == 0)
                    strvec_remove(tags, i);
            said += size + strspn(said + size, ", \t");
        }
}

/* Under the digest with all these tags; tags loses those that the registry says it set. */
static int put_together(struct registry_session *session, const struct reference *repository,
                        struct strvec *tags, const struct descriptor *desc,
                        const struct strbuf *body, bool *lacks_blob, struct error **err)
{
    AUTO(call_release) struct call call = { 0 };
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    char name[DIGEST_TEXT_SIZE];
    size_t n_before = tags->n;
    digest_format(&desc->digest, name);
    *lacks_blob = false;
    if (call_init(&call, session, repository, "PUT", name, SCOPE_PULL | SCOPE_PUSH, err) < 0)
        return -1;
    for (size_t i = 0; i < tags->n; i++)
        url_add_query(&call.url, "tag", tags->items[i]);
    if (send_document(session, &call, desc, body, &reply, lacks_blob, err) < 0)
        return -1;
    remove_said(tags, &reply);
    if (tags->n == n_before)
        atomic_store(&call.host->takes_no_tags, true);
    return 0;
}

/* An immutable tag that is this image is what was wanted (or another job was first). */
static int put_named(struct registry_session *session, const struct reference *repository,
                     const char *name, const struct descriptor *desc, const struct strbuf *body,
                     bool *lacks_blob, struct error **err)
{
    AUTO(error_free) struct error *ignored = NULL; /* the refusal counts */
    bool same = false;
    if (manifest_put(session, repository, name, desc, body, lacks_blob, err) == 0)
        return 0;
    if ((!error_is(*err, ERR_REFUSED) && !error_is(*err, ERR_UNSUPPORTED)) ||
        manifest_is(session, repository, name, &desc->digest, &same, &ignored) < 0 || !same)
        return -1;
    error_clear(err);
    return 0;
}

int manifest_put_tags(struct registry_session *session, const struct reference *repository,
                      const struct strvec *tags, const struct descriptor *desc,
                      const struct strbuf *body, bool *lacks_blob, struct error **err)
{
    AUTO(strvec_release) struct strvec left = STRVEC_INIT;
    AUTO(error_free) struct error *trouble = NULL;
    struct host *host = session_host(session, repository->domain);
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&desc->digest, digest);
    *lacks_blob = false;
    strvec_append(&left, tags);
    if (!left.n)
        return put_named(session, repository, digest, desc, body, lacks_blob, err);
    if (left.n > 1 && !atomic_load(&host->takes_no_tags) &&
        put_together(session, repository, &left, desc, body, lacks_blob, &trouble) < 0 &&
        (*lacks_blob || error_is(trouble, ERR_CANCELLED))) {
        error_move(err, TAKE(trouble));
        return -1;
    } /* what else is wrong is said of the tag that is put alone; one may be immutable */
    for (size_t i = 0; i < left.n; i++)
        if (put_named(session, repository, left.items[i], desc, body, lacks_blob, err) < 0)
            return -1;
    return 0;
}

int manifest_put_artifact(struct registry_session *session, const struct reference *repository,
                          const struct descriptor *desc, const struct strbuf *body,
                          bool *knows_subject, struct error **err)
{
    AUTO(call_release) struct call call = { 0 };
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    char name[DIGEST_TEXT_SIZE];
    bool lacks_blob = false;
    digest_format(&desc->digest, name);
    if (call_init(&call, session, repository, "PUT", name, SCOPE_PULL | SCOPE_PUSH, err) < 0 ||
        send_document(session, &call, desc, body, &reply, &lacks_blob, err) < 0)
        return -1;
    *knows_subject = reply_header(&reply, "OCI-Subject") != NULL;
    return 0;
}

/* Why a registry that is asked to delete says no, beyond what it says itself */
static void hint_delete(const struct reference *reference, const struct reply *reply,
                        struct error **err)
{
    int status = reply_status(reply);
    bool unsupported = status == 405 || status == 501 ||
                       api_error_has_code(reply->body.data, reply->body.size, "UNSUPPORTED");
    if (!reference->digest.is_set && (unsupported || status == 400))
        error_hint(err, "either deleting is disabled there, or it deletes by digest only, which "
                        "takes every tag of that digest away: `cbuild digest --full-ref` tells it");
    else if (unsupported)
        error_hint(err, "deleting is disabled at this registry: its configuration has to allow it");
}

int manifest_delete(struct registry_session *session, const struct reference *reference,
                    struct error **err)
{
    AUTO(call_release) struct call call = { 0 };
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    AUTO(free) char *name = name_of(reference);
    if (registries_check_push(session, reference, err) < 0 ||
        call_init(&call, session, reference, "DELETE", name, SCOPE_PULL | SCOPE_DELETE, err) < 0 ||
        request_run(session, &call.request, &reply, err) < 0)
        return -1;
    if (reply_status(&reply) >= 200 && reply_status(&reply) < 300)
        return 0;
    int result = request_error(&call.request, &reply, err);
    hint_delete(reference, &reply, err);
    return result;
}
