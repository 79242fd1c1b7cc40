/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/push.h"

#include "base/array.h"
#include "base/mem.h"
#include "oci/document.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "oci/media_type.h"
#include "registry/blobs.h"
#include "registry/manifests.h"
#include "registry/scope.h"
#include "registry/session_parts.h"
#include "registry/sources.h"
#include "registry/uploads.h"

#include <string.h>

#define BLOBS_MAX 100000

struct push {
    struct registry_session *session;
    struct store *store;
    const struct push_request *request;
    unsigned vertex;
    struct document **documents; /* children before parents; the last is the image */
    size_t n_documents, documents_capacity;
    struct descriptor *blobs; /* each once */
    size_t n_blobs, blobs_capacity;
    struct hashmap seen; /* digests of blobs and documents */
    bool insist;         /* the registry lacks what it seemed to have: don't ask, send */

    pthread_mutex_t mutex;
    struct push_result result; /* under mutex */
    bool tag_is_current;       /* under mutex */
};

static void document_free(struct document *document)
{
    document_release(document);
    free(document);
}

static void push_init(struct push *push)
{
    hashmap_init(&push->seen, NULL);
    pthread_mutex_init(&push->mutex, NULL);
}

static void push_release(struct push *push)
{
    for (size_t i = 0; i < push->n_documents; i++)
        document_free(push->documents[i]);
    for (size_t i = 0; i < push->n_blobs; i++)
        descriptor_release(&push->blobs[i]);
    free(push->documents);
    free(push->blobs);
    hashmap_release(&push->seen);
    pthread_mutex_destroy(&push->mutex);
}
DEFINE_AUTO_STRUCT(struct push, push_release)

/* What is to be sent */

static bool is_new(struct push *push, const struct digest *digest)
{
    if (hashmap_getn(&push->seen, digest->bytes, SHA256_SIZE))
        return false;
    hashmap_putn(&push->seen, digest->bytes, SHA256_SIZE, push);
    return true;
}

static int add_blob(struct push *push, const struct descriptor *blob, struct error **err)
{
    /* foreign layers stay where their urls point */
    if (media_type_kind(blob->media_type) == MEDIA_KIND_FOREIGN_LAYER &&
        json_array_size(blob->urls))
        return 0;
    if (!is_new(push, &blob->digest))
        return 0;
    if (push->n_blobs == BLOBS_MAX)
        return error_set(err, ERR_LIMIT, "more than %d blobs", BLOBS_MAX);
    descriptor_copy(ARRAY_PUSH(push, blobs), blob);
    return 0;
}

static int collect(struct push *push, const struct descriptor *desc, unsigned depth,
                   struct error **err);

static int collect_manifest(struct push *push, const struct document *document, struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    if (manifest_parse(document->body.data, document->body.size, document->descriptor.media_type,
                       &manifest, err) < 0)
        return -1;
    for (size_t i = 0; i < manifest.n_layers; i++)
        if (add_blob(push, &manifest.layers[i], err) < 0)
            return -1;
    return add_blob(push, &manifest.config, err);
}

static int collect_index(struct push *push, const struct document *document, unsigned depth,
                         struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    if (document_parse_index(document, depth, &index, err) < 0)
        return -1;
    for (size_t i = 0; i < index.n_manifests; i++)
        if (collect(push, &index.manifests[i], depth + 1, err) < 0)
            return -1;
    return 0;
}

static int read_document(struct push *push, const struct descriptor *desc,
                         struct document *document, enum media_kind *kind, struct error **err)
{
    if (store_lease(push->store, &desc->digest, err) < 0 ||
        store_read_blob(push->store, &desc->digest, MANIFEST_MAX_SIZE, &document->body, err) < 0)
        return -1;
    /* the name that the body gives itself is what registries compare Content-Type with */
    return document_describe(document, desc->media_type, &desc->digest, kind, err);
}

static int collect(struct push *push, const struct descriptor *desc, unsigned depth,
                   struct error **err)
{
    char text[DIGEST_TEXT_SIZE];
    digest_format(&desc->digest, text);
    if (!is_new(push, &desc->digest))
        return 0;
    struct document *document = NEW(struct document);
    strbuf_init(&document->body);
    enum media_kind kind = MEDIA_KIND_UNKNOWN;
    int result = read_document(push, desc, document, &kind, err);
    if (result == 0)
        result = kind == MEDIA_KIND_INDEX ? collect_index(push, document, depth, err)
                                          : collect_manifest(push, document, err);
    if (result < 0) {
        document_free(document);
        return error_wrap(err, "manifest %s", text);
    }
    *ARRAY_PUSH(push, documents) = document;
    return 0;
}

/* One blob */

struct blob_push {
    struct registry_session *session;
    struct store *store;
    const struct reference *repository;
    const struct descriptor *blob;
    unsigned vertex;
    bool insist; /* send without asking */
};

/* Another repository of this registry that has the blob; NULL: none known. free() it. */
static char *mount_source(const struct blob_push *push)
{
    AUTO(strvec_release) struct strvec known = STRVEC_INIT;
    sources_list(push->store, &push->blob->digest, &known);
    for (size_t i = 0; i < known.n; i++) {
        AUTO(reference_release) struct reference source = { 0 };
        AUTO(error_free) struct error *ignored = NULL; /* a damaged line: passed over */
        if (reference_parse(known.items[i], &source, &ignored) < 0)
            continue;
        if (strcmp(source.domain, push->repository->domain) == 0 &&
            strcmp(source.path, push->repository->path) != 0)
            return TAKE(source.path);
    }
    return NULL;
}

/* A layer that was never fetched, since no step needed it, comes from where it is known to be. */
static int fetch_from_sources(const struct blob_push *push, struct error **err)
{
    AUTO(strvec_release) struct strvec known = STRVEC_INIT;
    sources_list(push->store, &push->blob->digest, &known);
    for (size_t i = 0; i < known.n; i++) {
        AUTO(reference_release) struct reference source = { 0 };
        const struct blob_request request = { &source, push->blob, push->vertex, NULL };
        error_clear(err);
        if (reference_parse(known.items[i], &source, err) == 0 &&
            blob_fetch(push->session, push->store, &request, err) == 0)
            return 0;
        if (error_is(*err, ERR_CANCELLED))
            return -1;
    }
    if (*err)
        return -1;
    return error_set(err, ERR_NOT_FOUND,
                     "neither in the store, nor is a repository known that has it");
}

static int upload(const struct blob_push *push, enum upload_result *result, struct error **err)
{
    struct upload_request request = { .repository = push->repository,
                                      .blob = push->blob,
                                      .vertex = push->vertex };
    AUTO(free) char *from = push->insist ? NULL : mount_source(push);
    request.from = from;
    if (store_lease(push->store, &push->blob->digest, err) < 0)
        return -1;
    if (!store_has_blob(push->store, &push->blob->digest, NULL)) {
        request.fd = -1;
        if (from && upload_blob(push->session, &request, result, err) == 0)
            return 0;
        if (from && !error_is(*err, ERR_NOT_FOUND))
            return -1;
        error_clear(err);
        request.from = NULL;
        if (fetch_from_sources(push, err) < 0)
            return -1;
    }
    AUTO(close) int fd = store_open_blob(push->store, &push->blob->digest, err);
    if (fd < 0)
        return -1;
    request.fd = fd;
    return upload_blob(push->session, &request, result, err);
}

static int push_blob_alone(const struct blob_push *push, enum upload_result *result,
                           struct error **err)
{
    bool there = false;
    *result = UPLOAD_RESULT_PRESENT;
    if (!push->insist && blob_exists(push->session, push->repository, &push->blob->digest,
                                     SCOPE_PULL | SCOPE_PUSH, &there, err) < 0)
        return -1;
    return there ? 0 : upload(push, result, err);
}

/* Each blob once per session and repository, whoever asks first. */
static int push_blob(const struct blob_push *push, enum upload_result *result, struct error **err)
{
    struct host *host = session_host(push->session, push->repository->domain);
    *result = UPLOAD_RESULT_PRESENT;
    if (!host_blob_begin(host, push->repository->path, &push->blob->digest))
        return 0;
    int done = push_blob_alone(push, result, err);
    host_blob_end(host, push->repository->path, &push->blob->digest, done == 0);
    if (done < 0) {
        char text[DIGEST_TEXT_SIZE];
        digest_format(&push->blob->digest, text);
        return error_wrap(err, "blob %s", text);
    }
    sources_add(push->store, &push->blob->digest, push->repository);
    return 0;
}

/* The image */

struct blob_task {
    struct push *push;
    const struct descriptor *blob;
};

static void count(struct push *push, const struct descriptor *blob, enum upload_result result)
{
    pthread_mutex_lock(&push->mutex);
    push->result.n_present += result == UPLOAD_RESULT_PRESENT;
    push->result.n_mounted += result == UPLOAD_RESULT_MOUNTED;
    push->result.n_uploaded += result == UPLOAD_RESULT_SENT;
    push->result.size_uploaded += result == UPLOAD_RESULT_SENT ? blob->size : 0;
    pthread_mutex_unlock(&push->mutex);
}

static int blob_task_run(void *data, struct error **err)
{
    struct blob_task *task = data;
    struct push *push = task->push;
    enum upload_result result;
    struct blob_push blob = { push->session, push->store,  push->request->reference,
                              task->blob,    push->vertex, push->insist };
    int done = push_blob(&blob, &result, err);
    if (done == 0)
        count(push, task->blob, result);
    free(task);
    return done;
}

/* Whether the tag is this image already: putting it again is an error where tags are immutable. */
static int ask_tag(void *data, struct error **err)
{
    struct push *push = data;
    const struct push_request *request = push->request;
    bool is_current = false;
    if (manifest_is(push->session, request->reference, request->reference->tag,
                    &request->image->digest, &is_current, err) < 0)
        return -1;
    pthread_mutex_lock(&push->mutex);
    push->tag_is_current = is_current;
    pthread_mutex_unlock(&push->mutex);
    return 0;
}

static void nothing_to_drop(void *data UNUSED)
{
}

/*
 * Whether the image's config came from the repository or went there once. Then its tag is probably
 * this image, so that one request is enough; else asking first would only cost a round trip.
 */
static bool was_there(const struct push *push)
{
    const struct reference *to = push->request->reference;
    AUTO(strvec_release) struct strvec known = STRVEC_INIT;
    AUTO(free) char *repository = reference_repository(to);
    if (push->n_blobs)
        sources_list(push->store, &push->blobs[push->n_blobs - 1].digest, &known);
    for (size_t i = 0; i < known.n; i++)
        if (strcmp(known.items[i], repository) == 0)
            return true;
    return false;
}

static int push_blobs(struct push *push, struct error **err)
{
    AUTO(pool_group_free)
    struct pool_group *group = pool_group_new(session_pool(push->session));
    bool asks_tag = push->request->reference->tag && !push->insist && !push->request->force;
    if (asks_tag && was_there(push)) {
        asks_tag = false;
        if (ask_tag(push, err) < 0)
            return -1;
        if (push->tag_is_current) { /* a manifest is there with all that it names, or not at all */
            push->result.n_present = push->n_blobs;
            return 0;
        }
    }
    if (asks_tag)
        pool_submit(group, ask_tag, nothing_to_drop, push);
    for (size_t i = 0; i < push->n_blobs; i++) {
        struct blob_task *task = NEW(struct blob_task);
        *task = (struct blob_task){ push, &push->blobs[i] };
        pool_submit(group, blob_task_run, free, task);
    }
    return pool_group_wait(group, err);
}

static int put(struct push *push, const struct document *document, const char *name,
               bool *lacks_blob, struct error **err)
{
    return manifest_put(push->session, push->request->reference, name, &document->descriptor,
                        &document->body, lacks_blob, err);
}

static int put_tags(struct push *push, bool is_current, bool *lacks_blob, struct error **err)
{
    const struct push_request *request = push->request;
    const struct document *image = push->documents[push->n_documents - 1];
    AUTO(strvec_release) struct strvec tags = STRVEC_INIT;
    if (request->reference->tag && !is_current)
        strvec_push(&tags, request->reference->tag);
    for (size_t i = 0; i < request->n_extra; i++)
        strvec_push(&tags, request->extra[i].tag);
    if (is_current && !tags.n)
        return 0;
    if (manifest_put_tags(push->session, request->reference, &tags, &image->descriptor,
                          &image->body, lacks_blob, err) == 0)
        return 0;
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&image->descriptor.digest, digest);
    return error_wrap(err, "manifest %s", digest);
}

/* Children before parents, tags last */
static int put_documents(struct push *push, bool *lacks_blob, struct error **err)
{
    bool is_current = push->tag_is_current;
    for (size_t i = 0; i + 1 < push->n_documents && !is_current; i++) {
        char digest[DIGEST_TEXT_SIZE];
        digest_format(&push->documents[i]->descriptor.digest, digest);
        if (put(push, push->documents[i], digest, lacks_blob, err) < 0)
            return error_wrap(err, "manifest %s", digest);
    }
    return put_tags(push, is_current, lacks_blob, err);
}

static void forget_blobs(struct push *push)
{
    const struct reference *reference = push->request->reference;
    struct host *host = session_host(push->session, reference->domain);
    for (size_t i = 0; i < push->n_blobs; i++)
        host_blob_forget(host, reference->path, &push->blobs[i].digest);
}

static int push_image(struct push *push, struct error **err)
{
    bool lacks_blob = false;
    if (collect(push, push->request->image, 0, err) < 0 || push_blobs(push, err) < 0)
        return -1;
    if (put_documents(push, &lacks_blob, err) == 0)
        return 0;
    if (!lacks_blob || push->insist)
        return -1;
    /* a registry of several parts (Nexus groups) said "there" of blobs that this part lacks: send
     * all */
    error_clear(err);
    forget_blobs(push);
    push->insist = true;
    push->tag_is_current = false;
    push->result = (struct push_result){ 0 };
    if (push_blobs(push, err) < 0)
        return -1;
    return put_documents(push, &lacks_blob, err);
}

static void tell_end(struct registry_session *session, unsigned vertex, const struct error *error)
{
    if (!error)
        progress_simple(session_progress(session), PROGRESS_DONE, vertex);
    else
        progress_failed(session_progress(session), vertex, error_message(error));
}

int registry_push(struct registry_session *session, struct store *store,
                  const struct push_request *request, struct push_result *result,
                  struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    reference_copy(&reference, request->reference);
    reference_default_tag(&reference);
    if (registries_check_push(session, &reference, err) < 0)
        return -1;
    struct push_request normal = *request;
    normal.reference = &reference;
    AUTO(push_release)
    struct push push = {
        .session = session, .store = store, .request = &normal, .vertex = request->vertex
    };
    push_init(&push);
    AUTO(free) char *name = reference_familiar(&reference);
    AUTO(free) char *title = xasprintf("pushing %s", name);
    if (!push.vertex) {
        push.vertex = progress_vertex(session_progress(session));
        progress_started(session_progress(session), push.vertex, title);
    }
    int done = push_image(&push, err);
    if (done == 0 && result)
        *result = push.result;
    if (!request->vertex)
        tell_end(session, push.vertex, *err);
    return done;
}

int registry_push_blob(struct registry_session *session, struct store *store,
                       const struct reference *repository, const struct descriptor *blob,
                       unsigned vertex, struct error **err)
{
    enum upload_result ignored;
    if (registries_check_push(session, repository, err) < 0)
        return -1;
    struct blob_push push = { session, store, repository, blob, vertex, false };
    return push_blob(&push, &ignored, err);
}
