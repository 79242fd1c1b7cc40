/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/image_copy.h"

#include "base/array.h"
#include "base/hashmap.h"
#include "base/mem.h"
#include "base/pool.h"
#include "oci/index.h"
#include "oci/manifest.h"

#include <inttypes.h>
#include <pthread.h>

#define BLOBS_MAX 100000
#define DOCUMENTS_MAX_SIZE ((uint64_t)64 << 20) /* in memory, all of an image */
#define DEFAULT_PARALLEL 6

struct copy {
    const struct image_copy_request *request;
    struct transport *from, *to;
    struct document **documents; /* children before parents; the last is the top */
    size_t n_documents, documents_capacity;
    uint64_t documents_size;
    struct descriptor *blobs; /* each once */
    size_t n_blobs, blobs_capacity;
    struct hashmap seen;      /* digests of blobs and documents */
    struct hashmap converted; /* digests → their struct document, in another form now */

    pthread_mutex_t mutex;
    struct image_copy_result result; /* under mutex */
};

static void document_free(void *data)
{
    struct document *document = data;
    document_release(document);
    free(document);
}

static void copy_init(struct copy *copy)
{
    hashmap_init(&copy->seen, NULL);
    hashmap_init(&copy->converted, NULL);
    pthread_mutex_init(&copy->mutex, NULL);
}

static void copy_release(struct copy *copy)
{
    for (size_t i = 0; i < copy->n_documents; i++)
        document_free(copy->documents[i]);
    for (size_t i = 0; i < copy->n_blobs; i++)
        descriptor_release(&copy->blobs[i]);
    free(copy->documents);
    free(copy->blobs);
    hashmap_release(&copy->seen);
    hashmap_release(&copy->converted);
    pthread_mutex_destroy(&copy->mutex);
}
DEFINE_AUTO_STRUCT(struct copy, copy_release)

void image_copy_result_release(struct image_copy_result *result)
{
    descriptor_release(&result->image);
}

/* What is to be copied */

static bool is_new(struct copy *copy, const struct digest *digest)
{
    if (hashmap_getn(&copy->seen, digest->bytes, SHA256_SIZE))
        return false;
    hashmap_putn(&copy->seen, digest->bytes, SHA256_SIZE, copy);
    return true;
}

static int add_blob(struct copy *copy, const struct descriptor *blob, struct error **err)
{
    /* foreign layers stay where their urls point */
    if (media_type_kind(blob->media_type) == MEDIA_KIND_FOREIGN_LAYER &&
        json_array_size(blob->urls))
        return 0;
    if (!is_new(copy, &blob->digest))
        return 0;
    if (copy->n_blobs == BLOBS_MAX)
        return error_set(err, ERR_LIMIT, "more than %d blobs", BLOBS_MAX);
    descriptor_copy(ARRAY_PUSH(copy, blobs), blob);
    return 0;
}

static int add_manifest(struct copy *copy, const struct document *document, struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    if (manifest_parse(document->body.data, document->body.size, document->descriptor.media_type,
                       &manifest, err) < 0)
        return -1;
    for (size_t i = 0; i < manifest.n_layers; i++)
        if (add_blob(copy, &manifest.layers[i], err) < 0)
            return -1;
    return add_blob(copy, &manifest.config, err);
}

static int add_document(struct copy *copy, struct document *document, unsigned depth,
                        struct error **err);

/* It, and so all below it, may be at the destination: then the source isn't even asked. */
static int is_at_destination(struct copy *copy, const struct digest *digest, bool *ret,
                             struct error **err)
{
    const struct transport_ops *ops = copy->to->ops;
    *ret = false;
    if (!ops->has_document || copy->request->format != IMAGE_FORMAT_KEEP)
        return 0;
    return ops->has_document(copy->to, digest, false, ret, err);
}

static int add_child(struct copy *copy, const struct descriptor *entry, unsigned depth,
                     struct error **err)
{
    enum media_kind kind = media_type_kind(entry->media_type);
    if (kind != MEDIA_KIND_MANIFEST && kind != MEDIA_KIND_INDEX)
        return add_blob(copy, entry, err); /* in an index may stand anything */
    bool there = false;
    if (!is_new(copy, &entry->digest))
        return 0;
    if (is_at_destination(copy, &entry->digest, &there, err) < 0)
        return -1;
    if (there)
        return 0;
    struct document *child = NEW(struct document);
    strbuf_init(&child->body);
    if (transport_get_child(copy->from, entry, child, err) < 0) {
        document_free(child);
        return -1;
    }
    return add_document(copy, child, depth, err);
}

static int add_children(struct copy *copy, const struct index *index, unsigned depth,
                        struct error **err)
{
    size_t n = 0, n_absent = 0;
    for (size_t i = 0; i < index->n_manifests; i++) {
        const struct descriptor *entry = &index->manifests[i];
        if (add_child(copy, entry, depth + 1, err) == 0) {
            n++;
            continue;
        }
        if (copy->request->sparse && error_is(*err, ERR_NOT_FOUND)) {
            error_clear(err);
            n_absent++;
            continue;
        }
        char text[DIGEST_TEXT_SIZE];
        digest_format(&entry->digest, text);
        return error_wrap(err, "manifest %s", text);
    }
    if (!n && n_absent)
        return error_set(err, ERR_NOT_FOUND, "an index none of whose images is there");
    return 0;
}

static int add_index(struct copy *copy, const struct document *document, unsigned depth,
                     struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    if (copy->request->scope == IMAGE_COPY_INDEX_ONLY)
        return 0;
    if (document_parse_index(document, depth, &index, err) < 0)
        return -1;
    return add_children(copy, &index, depth, err);
}

/* document: consumed */
static int add_document(struct copy *copy, struct document *document, unsigned depth,
                        struct error **err)
{
    bool is_index = media_type_kind(document->descriptor.media_type) == MEDIA_KIND_INDEX;
    copy->documents_size += document->body.size;
    int result = copy->documents_size > DOCUMENTS_MAX_SIZE
                     ? error_set(err, ERR_LIMIT, "manifests of more than %" PRIu64 " MiB in all",
                                 DOCUMENTS_MAX_SIZE >> 20)
                 : is_index ? add_index(copy, document, depth, err)
                            : add_manifest(copy, document, err);
    if (result < 0) {
        document_free(document);
        return -1;
    }
    *ARRAY_PUSH(copy, documents) = document;
    return 0;
}

static int check_scope(struct copy *copy, const struct document *top, struct error **err)
{
    if (copy->request->scope == IMAGE_COPY_INDEX_ONLY &&
        media_type_kind(top->descriptor.media_type) != MEDIA_KIND_INDEX)
        return error_set(err, ERR_INVALID, "an image where an index is expected");
    return 0;
}

static int collect(struct copy *copy, struct error **err)
{
    struct document *top = NEW(struct document);
    strbuf_init(&top->body);
    if (copy->from->ops->get_document(copy->from, NULL, top, err) < 0 ||
        (copy->request->scope == IMAGE_COPY_PLATFORM &&
         transport_choose_image(copy->from, copy->request->platform, top, err) < 0) ||
        check_scope(copy, top, err) < 0) {
        document_free(top);
        return -1;
    }
    return add_document(copy, top, 0, err);
}

/* Another format */

static const struct descriptor *converted_child(void *data, const struct digest *digest)
{
    const struct copy *copy = data;
    const struct document *now = hashmap_getn(&copy->converted, digest->bytes, SHA256_SIZE);
    return now ? &now->descriptor : NULL;
}

static int convert_one(struct copy *copy, struct document *document, struct error **err)
{
    struct digest before = document->descriptor.digest;
    char text[DIGEST_TEXT_SIZE];
    digest_format(&before, text);
    if (document_convert(document, copy->request->format, converted_child, copy, err) < 0)
        return error_wrap(err, "converting manifest %s", text);
    if (digest_equal(&before, &document->descriptor.digest))
        return 0;
    if (copy->request->preserve_digests)
        return error_set(err, ERR_REFUSED, "manifest %s would get another digest", text);
    hashmap_putn(&copy->converted, before.bytes, SHA256_SIZE, document);
    return 0;
}

static int convert(struct copy *copy, struct error **err)
{
    for (size_t i = 0; i < copy->n_documents; i++)
        if (convert_one(copy, copy->documents[i], err) < 0)
            return -1;
    return 0;
}

/* Copying */

struct blob_task {
    struct copy *copy;
    const struct descriptor *blob;
};

static void count(struct copy *copy, const struct descriptor *blob, enum transport_result how)
{
    pthread_mutex_lock(&copy->mutex);
    copy->result.n_present += how == TRANSPORT_PRESENT;
    copy->result.n_mounted += how == TRANSPORT_MOUNTED;
    copy->result.n_sent += how == TRANSPORT_SENT;
    copy->result.size_sent += how == TRANSPORT_SENT ? blob->size : 0;
    pthread_mutex_unlock(&copy->mutex);
}

static int blob_task_run(void *data, struct error **err)
{
    struct blob_task *task = data;
    struct copy *copy = task->copy;
    const struct descriptor *blob = task->blob;
    enum transport_result how = TRANSPORT_PRESENT;
    free(task);
    if (copy->to->ops->put_blob(copy->to, blob, copy->from, &how, err) < 0) {
        char text[DIGEST_TEXT_SIZE];
        digest_format(&blob->digest, text);
        return error_wrap(err, "blob %s", text);
    }
    count(copy, blob, how);
    return 0;
}

static int copy_blobs(struct copy *copy, struct error **err)
{
    unsigned n = copy->request->n_parallel;
    AUTO(pool_free) struct pool *pool = pool_new(n ? n : DEFAULT_PARALLEL);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    for (size_t i = 0; i < copy->n_blobs; i++) {
        struct blob_task *task = NEW(struct blob_task);
        *task = (struct blob_task){ copy, &copy->blobs[i] };
        pool_submit(group, blob_task_run, free, task);
    }
    return pool_group_wait(group, err);
}

static int put_documents(struct copy *copy, struct error **err)
{
    static const struct strvec no_tags = STRVEC_INIT;
    const struct strvec *tags = copy->request->more_tags;
    for (size_t i = 0; i < copy->n_documents; i++) {
        const struct document *document = copy->documents[i];
        bool is_top = i + 1 == copy->n_documents;
        int result = is_top ? copy->to->ops->commit(copy->to, document, tags ? tags : &no_tags, err)
                            : copy->to->ops->put_document(copy->to, document, err);
        if (result < 0) {
            char text[DIGEST_TEXT_SIZE];
            digest_format(&document->descriptor.digest, text);
            return error_wrap(err, "manifest %s", text);
        }
    }
    return 0;
}

/* Two questions tell that nothing is to be done; of a registry that limits pulls, none counts. */
static int is_unchanged(struct copy *copy, bool *ret, struct error **err)
{
    const struct image_copy_request *request = copy->request;
    *ret = false;
    if (!copy->from->ops->resolve || !copy->to->ops->has_document ||
        request->scope != IMAGE_COPY_ALL || request->format != IMAGE_FORMAT_KEEP ||
        (request->more_tags && request->more_tags->n))
        return 0;
    AUTO(descriptor_release) struct descriptor top = { 0 };
    if (copy->from->ops->resolve(copy->from, &top, err) < 0 ||
        copy->to->ops->has_document(copy->to, &top.digest, true, ret, err) < 0)
        return -1;
    if (*ret)
        descriptor_copy(&copy->result.image, &top);
    return 0;
}

static int copy_all(struct copy *copy, struct error **err)
{
    bool unchanged;
    if (is_unchanged(copy, &unchanged, err) < 0)
        return -1;
    if (unchanged)
        return 0;
    if (collect(copy, err) < 0 || convert(copy, err) < 0 || copy_blobs(copy, err) < 0 ||
        put_documents(copy, err) < 0)
        return -1;
    descriptor_copy(&copy->result.image, &copy->documents[copy->n_documents - 1]->descriptor);
    return 0;
}

static int copy_once(const struct image_copy_request *request, struct image_copy_result *ret,
                     struct error **err)
{
    AUTO(copy_release)
    struct copy copy = { .request = request, .from = request->from, .to = request->to };
    copy_init(&copy);
    if (copy_all(&copy, err) < 0) {
        image_copy_result_release(&copy.result);
        return -1;
    }
    *ret = copy.result;
    return 0;
}

int image_copy(const struct image_copy_request *request, struct image_copy_result *ret,
               struct error **err)
{
    const struct transport_ops *to = request->to->ops;
    if (!to->commit)
        return error_set(err, ERR_UNSUPPORTED, "%s: can't be written to", to->name);
    unsigned vertex = progress_vertex(request->progress);
    request->from->vertex = request->to->vertex = vertex;
    progress_started(request->progress, vertex, request->title);
    int result = copy_once(request, ret, err);
    if (result < 0 && to->was_mistaken && to->was_mistaken(request->to)) {
        error_clear(err); /* it lacks what it said it has: all of it */
        result = copy_once(request, ret, err);
    }
    if (result < 0) {
        progress_failed(request->progress, vertex, error_message(*err));
        return -1;
    }
    progress_simple(request->progress, PROGRESS_DONE, vertex);
    return 0;
}
