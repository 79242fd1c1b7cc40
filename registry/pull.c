/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pull.h"

#include "base/array.h"
#include "base/mem.h"
#include "oci/document.h"
#include "oci/image_config.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "oci/media_type.h"
#include "oci/store_ingest.h"
#include "oci/store_tags.h"
#include "registry/blobs.h"
#include "registry/manifests.h"
#include "registry/session_parts.h"
#include "registry/sources.h"

#include <inttypes.h>
#include <string.h>

struct pull {
    struct registry_session *session;
    struct store *store;
    const struct pull_request *request;
    unsigned vertex;
};

/* Documents */

/* A document that the store has already, under the media type that it itself names. */
static int read_stored(struct pull *pull, const struct digest *digest, struct document *document,
                       struct error **err)
{
    enum media_kind kind;
    strbuf_reset(&document->body);
    if (store_lease(pull->store, digest, err) < 0 ||
        store_read_blob(pull->store, digest, MANIFEST_MAX_SIZE, &document->body, err) < 0)
        return -1;
    return document_describe(document, NULL, digest, &kind, err);
}

static int get_document(struct pull *pull, const struct reference *reference,
                        struct document *document, struct error **err)
{
    if (reference->digest.is_set && store_has_blob(pull->store, &reference->digest, NULL))
        return read_stored(pull, &reference->digest, document, err);
    return manifest_fetch(pull->session, reference, &document->body, &document->descriptor, err);
}

static int get_by_digest(struct pull *pull, const struct digest *digest, struct document *document,
                         struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    reference_copy(&reference, pull->request->reference);
    reference.digest = *digest;
    return get_document(pull, &reference, document, err);
}

/*
 * What the name points to. Where the store has an image of that name it is probably unchanged, and
 * HEAD is enough to know; else the GET that follows anyhow is asked at once.
 */
static int get_target(struct pull *pull, struct document *document, struct error **err)
{
    const struct reference *reference = pull->request->reference;
    AUTO(descriptor_release) struct descriptor known = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* no such tag */
    if (reference->digest.is_set || !reference->tag ||
        store_tag_get(pull->store, reference, &known, &ignored) < 0)
        return get_document(pull, reference, document, err);
    AUTO(descriptor_release) struct descriptor now = { 0 };
    if (manifest_resolve(pull->session, reference, &now, err) < 0)
        return -1;
    return get_by_digest(pull, &now.digest, document, err);
}

/* Blobs */

struct blob_task {
    struct pull *pull;
    const struct descriptor *blob;
    char *what; /* "layer 2 of 5" */
};

static void blob_task_free(void *data)
{
    struct blob_task *task = data;
    free(task->what);
    free(task);
}

static int blob_task_run(void *data, struct error **err)
{
    struct blob_task *task = data;
    struct pull *pull = task->pull;
    const struct reference *reference = pull->request->reference;
    const struct blob_request request = { .repository = reference,
                                          .blob = task->blob,
                                          .vertex = pull->vertex,
                                          .watcher = pull->request->watcher };
    int result = blob_fetch(pull->session, pull->store, &request, err);
    if (result < 0)
        error_wrap_(err, "%s", task->what);
    else
        sources_add(pull->store, &task->blob->digest, reference);
    blob_task_free(task);
    return result;
}

static void submit_blob(struct pull *pull, struct pool_group *group, const struct descriptor *blob,
                        char *what)
{
    struct blob_task *task = NEW(struct blob_task);
    *task = (struct blob_task){ pull, blob, what };
    pool_submit(group, blob_task_run, blob_task_free, task);
}

/* The same layer may stand in a manifest several times: it is loaded once. */
static bool is_first(const struct manifest *manifest, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (digest_equal(&manifest->layers[k].digest, &manifest->layers[i].digest))
            return false;
    return true;
}

static int check_sizes(const struct manifest *manifest, struct error **err)
{
    if (media_type_kind(manifest->config.media_type) == MEDIA_KIND_CONFIG &&
        manifest->config.size > IMAGE_CONFIG_MAX_SIZE)
        return error_set(err, ERR_LIMIT, "config: %" PRIu64 " bytes, more than %u",
                         manifest->config.size, IMAGE_CONFIG_MAX_SIZE);
    for (size_t i = 0; i < manifest->n_layers; i++)
        for (size_t k = 0; k < i; k++)
            if (digest_equal(&manifest->layers[k].digest, &manifest->layers[i].digest) &&
                manifest->layers[k].size != manifest->layers[i].size)
                return error_set(err, ERR_INVALID, "layers %zu and %zu: one digest, two sizes",
                                 k + 1, i + 1);
    return 0;
}

static int pull_blobs(struct pull *pull, const struct manifest *manifest, struct error **err)
{
    AUTO(pool_group_free)
    struct pool_group *group = pool_group_new(session_pool(pull->session));
    bool no_layers = pull->request->flags & PULL_NO_LAYERS;
    submit_blob(pull, group, &manifest->config, xstrdup("config"));
    for (size_t i = 0; i < manifest->n_layers; i++) {
        if (!is_first(manifest, i))
            continue;
        if (no_layers)
            sources_add(pull->store, &manifest->layers[i].digest, pull->request->reference);
        else
            submit_blob(pull, group, &manifest->layers[i],
                        xasprintf("layer %zu of %zu", i + 1, manifest->n_layers));
    }
    return pool_group_wait(group, err);
}

/* Images */

static void warn_of_platform(struct pull *pull, const struct image_config *config)
{
    AUTO(platform_release) struct platform host = { 0 };
    AUTO(strbuf_release) struct strbuf have = STRBUF_INIT, want = STRBUF_INIT;
    const struct platform *wanted = pull->request->platform;
    if (!wanted) {
        platform_host(&host);
        wanted = &host;
    }
    if (!config->platform.os || platform_match(wanted, &config->platform) > 0)
        return;
    platform_format(&config->platform, &have);
    platform_format(wanted, &want);
    AUTO(free) char *name = reference_familiar(pull->request->reference);
    session_warn(pull->session, pull->vertex, "%s is an image for %s; wanted is %s", name,
                 have.data, want.data);
}

/* RELIABILITY 13: documents that disagree are refused before anything names them. */
static int check_config(struct pull *pull, const struct manifest *manifest, bool warn,
                        struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(image_config_release) struct image_config config;
    image_config_init(&config);
    if (media_type_kind(manifest->config.media_type) != MEDIA_KIND_CONFIG)
        return 0; /* an artifact: its config is its own affair */
    if (store_read_blob(pull->store, &manifest->config.digest, IMAGE_CONFIG_MAX_SIZE, &text, err) <
            0 ||
        image_config_parse(text.data, text.size, &config, err) < 0 ||
        image_config_check_layers(&config, manifest->n_layers, err) < 0)
        return error_wrap(err, "config");
    if (warn)
        warn_of_platform(pull, &config);
    return 0;
}

static int put_document(struct pull *pull, struct document *document, struct error **err)
{
    return store_put_blob(pull->store, document->body.data, document->body.size,
                          &document->descriptor, err);
}

static int pull_image(struct pull *pull, struct document *document, bool warn, struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    if (manifest_parse(document->body.data, document->body.size, document->descriptor.media_type,
                       &manifest, err) < 0 ||
        check_sizes(&manifest, err) < 0 || pull_blobs(pull, &manifest, err) < 0 ||
        check_config(pull, &manifest, warn, err) < 0)
        return -1;
    return put_document(pull, document, err);
}

static int pull_any(struct pull *pull, struct document *document, unsigned depth,
                    struct descriptor *manifest, struct error **err);

static int check_child(const struct descriptor *entry, const struct document *child,
                       struct error **err)
{
    if (entry->size != child->body.size)
        return error_set(err, ERR_DIGEST, "%zu bytes where the index says %" PRIu64,
                         child->body.size, entry->size);
    return 0;
}

static int pull_entry(struct pull *pull, const struct descriptor *entry, unsigned depth,
                      struct document *child, struct descriptor *manifest, struct error **err)
{
    char text[DIGEST_TEXT_SIZE];
    digest_format(&entry->digest, text);
    if (get_by_digest(pull, &entry->digest, child, err) < 0 || check_child(entry, child, err) < 0 ||
        pull_any(pull, child, depth + 1, manifest, err) < 0)
        return error_wrap(err, "manifest %s", text);
    return 0;
}

static int pull_all(struct pull *pull, const struct index *index, struct document *document,
                    unsigned depth, struct error **err)
{
    for (size_t i = 0; i < index->n_manifests; i++) {
        AUTO(document_release) struct document child = DOCUMENT_INIT;
        if (pull_entry(pull, &index->manifests[i], depth, &child, NULL, err) < 0)
            return -1;
    }
    return put_document(pull, document, err);
}

static int pull_index(struct pull *pull, struct document *document, unsigned depth,
                      struct descriptor *manifest, struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    if (document_parse_index(document, depth, &index, err) < 0)
        return -1;
    bool all = pull->request->flags & PULL_ALL_PLATFORMS;
    if (all && pull_all(pull, &index, document, depth, err) < 0)
        return -1;
    if (all && !manifest)
        return 0;
    const struct descriptor *entry = index_select(&index, pull->request->platform, err);
    if (!entry)
        return -1;
    AUTO(document_release) struct document child = DOCUMENT_INIT;
    if (pull_entry(pull, entry, depth, &child, manifest, err) < 0)
        return -1;
    if (!all) { /* of an index pulled for one platform, only that image is kept */
        descriptor_release(&document->descriptor);
        document->descriptor = child.descriptor;
        child.descriptor = (struct descriptor){ 0 };
    }
    return 0;
}

/* manifest: NULL, or gets the descriptor of the (chosen) image */
static int pull_any(struct pull *pull, struct document *document, unsigned depth,
                    struct descriptor *manifest, struct error **err)
{
    enum media_kind kind;
    if (manifest_sniff(document->body.data, document->body.size, document->descriptor.media_type,
                       &kind, err) < 0)
        return -1;
    if (kind == MEDIA_KIND_INDEX)
        return pull_index(pull, document, depth, manifest, err);
    bool warn = depth == 0;
    if (pull_image(pull, document, warn, err) < 0)
        return -1;
    if (manifest)
        descriptor_copy(manifest, &document->descriptor);
    return 0;
}

static int pull_reference(struct pull *pull, struct descriptor *target, struct descriptor *manifest,
                          struct error **err)
{
    AUTO(document_release) struct document document = DOCUMENT_INIT;
    AUTO(descriptor_release) struct descriptor chosen = { 0 };
    if (get_target(pull, &document, err) < 0 ||
        pull_any(pull, &document, 0, manifest ? &chosen : NULL, err) < 0)
        return -1;
    if (manifest)
        descriptor_copy(manifest, &chosen);
    descriptor_copy(target, &document.descriptor);
    return 0;
}

static void tell_end(struct registry_session *session, unsigned vertex, const struct error *error)
{
    if (!error)
        progress_simple(session_progress(session), PROGRESS_DONE, vertex);
    else
        progress_failed(session_progress(session), vertex, error_message(error));
}

/* Of several meanings of a short name the first that is there. */
static int pull_first(const struct pull *pull, const struct locations *meanings,
                      struct descriptor *target, struct descriptor *manifest, struct error **err)
{
    for (size_t i = 0; i < meanings->n_items; i++) {
        bool is_last = i + 1 == meanings->n_items;
        struct pull_request request = *pull->request;
        struct pull one = { pull->session, pull->store, &request, pull->vertex };
        request.reference = &meanings->items[i];
        error_clear(err);
        if (pull_reference(&one, target, manifest, err) == 0)
            return 0;
        AUTO(free) char *name = reference_format(request.reference);
        if (meanings->n_items > 1)
            error_wrap_(err, "%s", name);
        if (!is_last && error_is(*err, ERR_CANCELLED))
            return -1;
    }
    return -1;
}

/* A password is for one registry: it isn't shown to each that may have the name. */
static int check_credentials(struct registry_session *session, const struct locations *meanings,
                             struct error **err)
{
    const struct reference *first = &meanings->items[0];
    for (size_t i = 1; i < meanings->n_items; i++) {
        if (!credentials_are_given(session_credentials(session)) ||
            !strcasecmp(meanings->items[i].domain, first->domain))
            continue;
        error_set_(err, ERR_USAGE,
                   "--creds with a short name: %s, %s or another one of the search list would get "
                   "the password",
                   first->domain, meanings->items[i].domain);
        error_hint(err, "write the whole name, like %s/%s, or `cbuild login` where it is for",
                   first->domain, first->path);
        return -1;
    }
    return 0;
}

static int find_meanings(struct registry_session *session, const struct reference *reference,
                         struct locations *ret, struct error **err)
{
    if (registries_meanings(session_registries(session), reference, ret, err) < 0)
        return -1;
    return check_credentials(session, ret, err);
}

int registry_pull(struct registry_session *session, struct store *store,
                  const struct pull_request *request, struct descriptor *target,
                  struct descriptor *manifest, struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(locations_release) struct locations meanings = { 0 };
    reference_copy(&reference, request->reference);
    reference_default_tag(&reference);
    if (find_meanings(session, &reference, &meanings, err) < 0)
        return -1;
    struct pull pull = { session, store, request, request->vertex };
    AUTO(free) char *name = reference_familiar(&reference);
    AUTO(free) char *title = xasprintf("pulling %s", name);
    if (!pull.vertex) {
        pull.vertex = progress_vertex(session_progress(session));
        progress_started(session_progress(session), pull.vertex, title);
    }
    int result = pull_first(&pull, &meanings, target, manifest, err);
    if (!request->vertex)
        tell_end(session, pull.vertex, *err);
    return result;
}

int registry_resolve(struct registry_session *session, const struct reference *reference,
                     struct descriptor *ret, struct error **err)
{
    AUTO(locations_release) struct locations meanings = { 0 };
    if (find_meanings(session, reference, &meanings, err) < 0)
        return -1;
    for (size_t i = 0; i < meanings.n_items; i++) {
        error_clear(err);
        if (manifest_resolve(session, &meanings.items[i], ret, err) == 0)
            return 0;
        if (error_is(*err, ERR_CANCELLED))
            break;
    }
    return -1;
}

int registry_pull_blob(struct registry_session *session, struct store *store,
                       const struct reference *repository, const struct descriptor *blob,
                       unsigned vertex, struct error **err)
{
    const struct blob_request request = { repository, blob, vertex, NULL };
    if (blob_fetch(session, store, &request, err) < 0)
        return -1;
    sources_add(store, &blob->digest, repository);
    return 0;
}
