/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/transport_store.h"

#include "base/mem.h"
#include "oci/manifest.h"
#include "oci/store_ingest.h"
#include "oci/store_tags.h"

#include <inttypes.h>

struct transport_store {
    struct transport transport;
    struct store *store;
    struct descriptor image;    /* to read */
    struct reference reference; /* to write; path NULL: none */
    int (*check)(struct store *store, const struct descriptor *image, struct error **err);
};

static int store_get_document(struct transport *transport, const struct digest *digest,
                              struct document *ret, struct error **err)
{
    struct transport_store *self = (struct transport_store *)transport;
    const char *content_type = digest ? NULL : self->image.media_type;
    enum media_kind kind;
    if (!digest)
        digest = &self->image.digest;
    strbuf_reset(&ret->body);
    if (store_lease(self->store, digest, err) < 0 ||
        store_read_blob(self->store, digest, MANIFEST_MAX_SIZE, &ret->body, err) < 0)
        return -1;
    return document_describe(ret, content_type, digest, &kind, err);
}

static int store_has(struct transport *transport, const struct descriptor *blob, bool *ret,
                     struct error **err)
{
    struct transport_store *self = (struct transport_store *)transport;
    uint64_t size;
    if (store_lease(self->store, &blob->digest, err) < 0)
        return -1;
    *ret = store_has_blob(self->store, &blob->digest, &size) && size == blob->size;
    return 0;
}

static int store_open_file(struct transport *transport, const struct descriptor *blob,
                           struct error **err)
{
    struct transport_store *self = (struct transport_store *)transport;
    if (store_lease(self->store, &blob->digest, err) < 0)
        return -1;
    return store_open_blob(self->store, &blob->digest, err);
}

static int store_read(struct transport *transport, const struct descriptor *blob, uint64_t offset,
                      uint64_t size, struct sink *to, struct error **err)
{
    AUTO(close) int fd = store_open_file(transport, blob, err);
    return fd < 0 ? -1 : transport_send_file(fd, offset, size, to, err);
}

static int store_has_document(struct transport *transport, const struct digest *digest, bool top,
                              bool *ret, struct error **err UNUSED)
{
    struct transport_store *self = (struct transport_store *)transport;
    AUTO(descriptor_release) struct descriptor now = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* no such tag */
    /* a document alone says nothing of what is below it; a tag does */
    *ret = top && self->reference.path &&
           store_tag_get(self->store, &self->reference, &now, &ignored) == 0 &&
           digest_equal(&now.digest, digest);
    return 0;
}

static int ingest(struct transport_store *self, const struct descriptor *blob,
                  struct transport *from, struct error **err)
{
    AUTO(store_ingest_free)
    struct store_ingest *ingest = store_ingest_new(self->store, blob, err);
    if (!ingest ||
        from->ops->read_blob(from, blob, 0, blob->size, store_ingest_sink(ingest), err) < 0)
        return -1;
    return store_ingest_commit(ingest, NULL, NULL, err);
}

static int store_put(struct transport *transport, const struct descriptor *blob,
                     struct transport *from, enum transport_result *result, struct error **err)
{
    struct transport_store *self = (struct transport_store *)transport;
    bool there = false;
    *result = TRANSPORT_PRESENT;
    if (store_has(transport, blob, &there, err) < 0)
        return -1;
    if (there)
        return 0;
    *result = TRANSPORT_SENT;
    if (from->ops->fetch_blob)
        return from->ops->fetch_blob(from, self->store, blob, err);
    return ingest(self, blob, from, err);
}

static int store_put_document(struct transport *transport, const struct document *document,
                              struct error **err)
{
    struct transport_store *self = (struct transport_store *)transport;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    descriptor_copy(&desc, &document->descriptor);
    return store_put_blob(self->store, document->body.data, document->body.size, &desc, err);
}

static int store_commit(struct transport *transport, const struct document *top,
                        const struct strvec *more_tags, struct error **err)
{
    struct transport_store *self = (struct transport_store *)transport;
    if (store_put_document(transport, top, err) < 0 ||
        (self->check && self->check(self->store, &top->descriptor, err) < 0))
        return -1;
    if (!self->reference.path)
        return 0;
    if (store_tag_set(self->store, &self->reference, &top->descriptor, err) < 0)
        return -1;
    for (size_t i = 0; i < more_tags->n; i++) {
        AUTO(reference_release) struct reference other = { 0 };
        reference_copy(&other, &self->reference);
        free(other.tag);
        other.tag = xstrdup(more_tags->items[i]);
        if (store_tag_set(self->store, &other, &top->descriptor, err) < 0)
            return -1;
    }
    return 0;
}

static void store_free(struct transport *transport)
{
    struct transport_store *self = (struct transport_store *)transport;
    descriptor_release(&self->image);
    reference_release(&self->reference);
    free(self);
}

static const struct transport_ops ops = {
    .name = "store",
    .get_document = store_get_document,
    .read_blob = store_read,
    .has_blob = store_has,
    .open_blob = store_open_file,
    .has_document = store_has_document,
    .put_blob = store_put,
    .put_document = store_put_document,
    .commit = store_commit,
    .free = store_free,
};

static struct transport_store *self_new(struct store *store)
{
    struct transport_store *self = NEW(struct transport_store);
    self->transport.ops = &ops;
    self->store = store;
    return self;
}

struct transport *transport_store_open(struct store *store, const char *text, struct error **err)
{
    struct transport_store *self = self_new(store);
    if (store_resolve(store, text, &self->image, NULL, err) < 0) {
        store_free(&self->transport);
        return NULL;
    }
    return &self->transport;
}

struct transport *transport_store_of(struct store *store, const struct descriptor *image)
{
    struct transport_store *self = self_new(store);
    descriptor_copy(&self->image, image);
    return &self->transport;
}

struct transport *transport_store_create(struct store *store, const struct reference *reference,
                                         int (*check)(struct store *store,
                                                      const struct descriptor *image,
                                                      struct error **err))
{
    struct transport_store *self = self_new(store);
    self->check = check;
    if (reference)
        reference_copy(&self->reference, reference);
    return &self->transport;
}
