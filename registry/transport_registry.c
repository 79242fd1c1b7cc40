/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transport_registry.h"

#include "base/hashmap.h"
#include "base/mem.h"
#include "registry/blobs.h"
#include "registry/fetch.h"
#include "registry/manifests.h"
#include "registry/sources.h"
#include "registry/uploads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct transport_registry {
    struct transport transport;
    struct registry_session *session;
    struct reference reference; /* of what is read; where it is written */
    atomic_bool insists;        /* nothing is believed to be there */
    atomic_bool lacked;         /* the registry said that something isn't there */
    pthread_mutex_t mutex;
    struct hashmap distrusted; /* under mutex: digests that mirrors gave wrongly */
};

static struct transport_registry *self_of(struct transport *transport)
{
    return (struct transport_registry *)transport;
}

/* Reading */

static int registry_resolve_top(struct transport *transport, struct descriptor *ret,
                                struct error **err)
{
    return manifest_resolve(self_of(transport)->session, &self_of(transport)->reference, ret, err);
}

static int registry_get_document(struct transport *transport, const struct digest *digest,
                                 struct document *ret, struct error **err)
{
    struct transport_registry *self = self_of(transport);
    AUTO(reference_release) struct reference reference = { 0 };
    reference_copy(&reference, &self->reference);
    if (digest)
        reference.digest = *digest;
    strbuf_reset(&ret->body);
    return manifest_fetch(self->session, &reference, &ret->body, &ret->descriptor, err);
}

static int registry_has_blob(struct transport *transport, const struct descriptor *blob, bool *ret,
                             struct error **err)
{
    struct transport_registry *self = self_of(transport);
    return blob_exists(self->session, &self->reference, &blob->digest, SCOPE_PULL, ret, err);
}

/*
 * Bytes on their way from a blob to a sink. A server that begins again is no trouble: what was
 * passed on is skipped.
 */
struct passage {
    const struct descriptor *blob;
    struct sink *to;
    uint64_t position;     /* of the next byte that comes */
    uint64_t begin, end;   /* what is wanted of the blob and not passed on yet */
    struct error *refusal; /* of the sink, which takes nothing more; from whatever mirror */
};

static int passage_restart(void *data, struct error **err UNUSED)
{
    struct passage *passage = data;
    passage->position = 0;
    return 0;
}

static int passage_write(void *data, const void *bytes, size_t size, struct error **err)
{
    struct passage *passage = data;
    uint64_t at = passage->position, after = at + size;
    passage->position = after;
    if (after <= passage->begin || at >= passage->end)
        return 0;
    uint64_t from = passage->begin > at ? passage->begin - at : 0;
    uint64_t until = (after < passage->end ? after : passage->end) - at;
    passage->begin = at + until;
    if (sink_write(passage->to, (const char *)bytes + from, (size_t)(until - from), err) == 0)
        return 0;
    passage->refusal = error_copy(*err);
    return -1;
}

/* From where the passage stands, which another mirror may have brought it to */
static int read_at(struct registry_session *session, const struct reference *repository, void *data,
                   struct error **err)
{
    struct passage *passage = data;
    struct host *host = session_host(session, repository->domain);
    if (passage->refusal) {
        error_move(err, error_copy(passage->refusal));
        return -1;
    }
    AUTO(url_release) struct url url = { 0 };
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    char text[DIGEST_TEXT_SIZE];
    digest_format(&passage->blob->digest, text);
    if (request_url(host, &url, err, "/v2/%s/blobs/%s", repository->path, text) < 0)
        return -1;
    passage->position = passage->begin;
    const struct scope scope = { .path = repository->path, .actions = SCOPE_PULL };
    AUTO(fetch_release)
    struct fetch fetch = { .session = session,
                           .host = host,
                           .scope = scope,
                           .url = &url,
                           .offset = passage->begin,
                           .size = passage->blob->size,
                           .max_size = UINT64_MAX, /* whoever doesn't know the size wants all */
                           .end = passage->end < passage->blob->size ? passage->end : 0,
                           .restart = passage_restart,
                           .write = passage_write,
                           .data = passage };
    if (fetch_run(&fetch, &reply, err) < 0)
        return -1;
    if (reply_status(&reply) == 200 || reply_status(&reply) == 206)
        return 0;
    struct request request = { .method = "GET", .host = host, .url = &url, .scope = scope };
    return request_error(&request, &reply, err);
}

static bool is_distrusted(struct transport_registry *self, const struct digest *digest)
{
    pthread_mutex_lock(&self->mutex);
    bool found = hashmap_getn(&self->distrusted, digest->bytes, SHA256_SIZE);
    pthread_mutex_unlock(&self->mutex);
    return found;
}

static int registry_read_blob(struct transport *transport, const struct descriptor *blob,
                              uint64_t offset, uint64_t size, struct sink *to, struct error **err)
{
    struct transport_registry *self = self_of(transport);
    struct passage passage = { blob, to, offset, offset, offset + size, NULL };
    if (!size)
        return 0;
    int done = (is_distrusted(self, &blob->digest) ? registries_try_origin : registries_try)(
        self->session, &self->reference, read_at, &passage, err);
    error_free(passage.refusal);
    return done;
}

static bool registry_distrust(struct transport *transport, const struct descriptor *blob)
{
    struct transport_registry *self = self_of(transport);
    if (!registries_has_mirrors(self->session, &self->reference))
        return false;
    pthread_mutex_lock(&self->mutex);
    bool is_new = !hashmap_getn(&self->distrusted, blob->digest.bytes, SHA256_SIZE);
    hashmap_putn(&self->distrusted, blob->digest.bytes, SHA256_SIZE, self);
    pthread_mutex_unlock(&self->mutex);
    return is_new;
}

static int registry_fetch_blob(struct transport *transport, struct store *store,
                               const struct descriptor *blob, struct error **err)
{
    struct transport_registry *self = self_of(transport);
    const struct blob_request request = { &self->reference, blob, transport->vertex, NULL };
    if (blob_fetch(self->session, store, &request, err) < 0)
        return -1;
    sources_add(store, &blob->digest, &self->reference);
    return 0;
}

static const struct reference *registry_repository(struct transport *transport)
{
    return &self_of(transport)->reference;
}

/* Writing */

static char *top_name(const struct transport_registry *self, const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    return xstrdup(self->reference.tag ? self->reference.tag : text);
}

static int registry_has_document(struct transport *transport, const struct digest *digest, bool top,
                                 bool *ret, struct error **err)
{
    struct transport_registry *self = self_of(transport);
    char text[DIGEST_TEXT_SIZE];
    *ret = false;
    if (atomic_load(&self->insists))
        return 0;
    digest_format(digest, text);
    AUTO(free) char *name = top ? top_name(self, digest) : xstrdup(text);
    return manifest_is(self->session, &self->reference, name, digest, ret, err);
}

/*
 * Hashes what passes, and gives the last piece out only when the hash is right: of wrong content
 * the other side never gets all that it waits for.
 */
struct guard {
    struct sink sink;
    const struct descriptor *blob;
    struct sink *to;
    struct sha256 *hash;
    uint64_t size;
};

static int guard_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct guard *guard = (struct guard *)sink;
    uint8_t hash[SHA256_SIZE];
    sha256_update(guard->hash, data, size);
    guard->size += size;
    if (guard->size >= guard->blob->size) {
        sha256_finish(guard->hash, hash);
        if (transport_check(guard->blob, hash, guard->size, err) < 0)
            return -1;
    }
    return sink_write(guard->to, data, size, err);
}

struct content {
    struct transport *from;
    const struct descriptor *blob;
    bool was_wrong; /* once: the source's answer was put together of several, perhaps */
};

static int produce_guarded(const struct content *content, struct sink *to, struct error **err)
{
    static const struct sink_ops ops = { .name = "guard", .write = guard_write };
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    struct guard guard = { { &ops }, content->blob, to, hash, 0 };
    return content->from->ops->read_blob(content->from, content->blob, 0, content->blob->size,
                                         &guard.sink, err);
}

/* Of a part, which is a chunk of a registry that takes no more at once, only that registry sees
 * the whole. */
static int produce(void *data, uint64_t offset, uint64_t size, struct sink *to, struct error **err)
{
    struct content *content = data;
    struct transport *from = content->from;
    int result = offset == 0 && size == content->blob->size
                     ? produce_guarded(content, to, err)
                     : from->ops->read_blob(from, content->blob, offset, size, to, err);
    content->was_wrong = result < 0 && error_is(*err, ERR_DIGEST);
    return result < 0 ? error_wrap(err, "reading it from the source") : 0;
}

static const char *mount_source(const struct transport_registry *self, struct transport *from)
{
    const struct reference *other = from->ops->repository ? from->ops->repository(from) : NULL;
    bool fits = other && strcmp(other->domain, self->reference.domain) == 0 &&
                strcmp(other->path, self->reference.path) != 0;
    return fits ? other->path : NULL;
}

static int put_alone(struct transport_registry *self, const struct descriptor *blob,
                     struct transport *from, enum transport_result *result, struct error **err)
{
    static const enum transport_result meanings[] = {
        [UPLOAD_RESULT_SENT] = TRANSPORT_SENT,
        [UPLOAD_RESULT_MOUNTED] = TRANSPORT_MOUNTED,
        [UPLOAD_RESULT_PRESENT] = TRANSPORT_PRESENT,
    };
    enum upload_result uploaded;
    bool there = false, insists = atomic_load(&self->insists);
    if (!insists && blob_exists(self->session, &self->reference, &blob->digest,
                                SCOPE_PULL | SCOPE_PUSH, &there, err) < 0)
        return -1;
    if (there)
        return 0;
    struct content content = { from, blob, false };
    struct upload_request request = { .repository = &self->reference,
                                      .blob = blob,
                                      .fd = -1,
                                      .from = insists ? NULL : mount_source(self, from),
                                      .vertex = self->transport.vertex };
    AUTO(close) int fd = from->ops->open_blob ? from->ops->open_blob(from, blob, err) : -1;
    if (from->ops->open_blob && fd < 0)
        return -1;
    request.fd = fd;
    if (fd < 0) {
        request.produce = produce;
        request.producer = &content;
    }
    int done = upload_blob(self->session, &request, &uploaded, err);
    if (done < 0 && content.was_wrong) {
        (void)transport_distrust(from, blob); /* once more in any case */
        error_clear(err);
        done = upload_blob(self->session, &request, &uploaded, err);
    }
    if (done < 0)
        return -1;
    *result = meanings[uploaded];
    return 0;
}

static int registry_put_blob(struct transport *transport, const struct descriptor *blob,
                             struct transport *from, enum transport_result *result,
                             struct error **err)
{
    struct transport_registry *self = self_of(transport);
    struct host *host = session_host(self->session, self->reference.domain);
    *result = TRANSPORT_PRESENT;
    if (registries_check_push(self->session, &self->reference, err) < 0)
        return -1;
    if (atomic_load(&self->insists))
        host_blob_forget(host, self->reference.path, &blob->digest);
    if (!host_blob_begin(host, self->reference.path, &blob->digest))
        return 0;
    int done = put_alone(self, blob, from, result, err);
    host_blob_end(host, self->reference.path, &blob->digest, done == 0);
    return done;
}

static int registry_put_document(struct transport *transport, const struct document *document,
                                 struct error **err)
{
    struct transport_registry *self = self_of(transport);
    char name[DIGEST_TEXT_SIZE];
    bool lacks_blob = false;
    digest_format(&document->descriptor.digest, name);
    int put = manifest_put(self->session, &self->reference, name, &document->descriptor,
                           &document->body, &lacks_blob, err);
    atomic_store(&self->lacked, lacks_blob);
    return put;
}

static int registry_commit(struct transport *transport, const struct document *top,
                           const struct strvec *more_tags, struct error **err)
{
    struct transport_registry *self = self_of(transport);
    const struct digest *digest = &top->descriptor.digest;
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    if (self->reference.digest.is_set && !digest_equal(&self->reference.digest, digest))
        return error_set(err, ERR_DIGEST,
                         "the image has the digest %s, the destination's name "
                         "another one",
                         text);
    AUTO(strvec_release) struct strvec tags = STRVEC_INIT;
    bool lacks_blob = false;
    if (self->reference.tag)
        strvec_push(&tags, self->reference.tag);
    strvec_append(&tags, more_tags);
    if (registries_check_push(self->session, &self->reference, err) < 0)
        return -1;
    int put = manifest_put_tags(self->session, &self->reference, &tags, &top->descriptor,
                                &top->body, &lacks_blob, err);
    atomic_store(&self->lacked, lacks_blob);
    return put;
}

/* A registry of several parts (Nexus groups) says "there" of blobs that the part which takes the
 * manifest lacks. */
static bool registry_was_mistaken(struct transport *transport)
{
    struct transport_registry *self = self_of(transport);
    return atomic_load(&self->lacked) && !atomic_exchange(&self->insists, true);
}

static void registry_free(struct transport *transport)
{
    struct transport_registry *self = self_of(transport);
    reference_release(&self->reference);
    hashmap_release(&self->distrusted);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

struct transport *transport_registry_new(struct registry_session *session,
                                         const struct reference *reference)
{
    static const struct transport_ops ops = {
        .name = "docker",
        .resolve = registry_resolve_top,
        .get_document = registry_get_document,
        .read_blob = registry_read_blob,
        .has_blob = registry_has_blob,
        .fetch_blob = registry_fetch_blob,
        .distrust = registry_distrust,
        .repository = registry_repository,
        .has_document = registry_has_document,
        .put_blob = registry_put_blob,
        .put_document = registry_put_document,
        .commit = registry_commit,
        .was_mistaken = registry_was_mistaken,
        .free = registry_free,
    };
    struct transport_registry *self = NEW(struct transport_registry);
    self->transport.ops = &ops;
    self->session = session;
    pthread_mutex_init(&self->mutex, NULL);
    hashmap_init(&self->distrusted, NULL);
    reference_copy(&self->reference, reference);
    reference_default_tag(&self->reference);
    return &self->transport;
}
