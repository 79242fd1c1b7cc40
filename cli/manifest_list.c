/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/manifest_list.h"

#include "base/array.h"
#include "cli/remote.h"
#include "oci/image_config.h"
#include "oci/manifest.h"
#include "oci/store_ingest.h"
#include "oci/store_tags.h"
#include "oci/transport_store.h"
#include "registry/image_copy.h"
#include "registry/sources.h"
#include "registry/transport_registry.h"

#include <string.h>

void manifest_list_release(struct manifest_list *list)
{
    reference_release(&list->reference);
    descriptor_release(&list->stored);
    index_release(&list->index);
}

static int read_stored(struct app *app, struct manifest_list *list, const char *name,
                       struct error **err)
{
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
    if (media_type_kind(list->stored.media_type) != MEDIA_KIND_INDEX)
        return error_set(err, ERR_EXISTS, "%s is an image, no index", name);
    if (store_read_blob(app->store, &list->stored.digest, MANIFEST_MAX_SIZE, &body, err) < 0)
        return -1;
    return index_parse(body.data, body.size, list->stored.media_type, &list->index, err);
}

int manifest_list_open(struct app *app, const char *name, struct manifest_list *ret, bool *found,
                       struct error **err)
{
    if (reference_parse(name, &ret->reference, err) < 0) {
        error_recode(err, ERR_USAGE);
        return -1;
    }
    if (ret->reference.digest.is_set)
        return error_set(err, ERR_USAGE, "%s: an index that changes has a tag, no digest", name);
    reference_default_tag(&ret->reference);
    if (!app_store(app, err))
        return -1;
    *found = store_tag_get(app->store, &ret->reference, &ret->stored, err) == 0;
    if (*found)
        return read_stored(app, ret, name, err);
    if (!error_is(*err, ERR_NOT_FOUND))
        return -1;
    error_clear(err);
    ret->index.media_type = xstrdup(MEDIA_TYPE_OCI_INDEX);
    return 0;
}

/* Adding */

static bool takes_the_place(const struct descriptor *entry, const struct descriptor *old)
{
    return digest_equal(&entry->digest, &old->digest) ||
           (entry->platform.os && old->platform.os && !platform_is_unknown(&entry->platform) &&
            platform_equal(&entry->platform, &old->platform));
}

static void put_entry(struct index *index, const struct descriptor *entry)
{
    for (size_t i = 0; i < index->n_manifests; i++) {
        if (!takes_the_place(entry, &index->manifests[i]))
            continue;
        descriptor_release(&index->manifests[i]);
        descriptor_copy(&index->manifests[i], entry);
        return;
    }
    descriptor_copy(ARRAY_PUSH(index, manifests), entry);
}

/* A single image, with the platform that its config says */
static int describe_image(struct place *place, const struct document *document,
                          struct descriptor *ret, struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(image_config_release) struct image_config config = { 0 };
    image_config_init(&config);
    descriptor_copy(ret, &document->descriptor);
    if (manifest_parse(document->body.data, document->body.size, document->descriptor.media_type,
                       &manifest, err) < 0)
        return -1;
    if (media_type_kind(manifest.config.media_type) != MEDIA_KIND_CONFIG)
        return 0; /* an artifact runs nowhere */
    if (remote_get_config(place, document, &text, err) < 0 ||
        image_config_parse(text.data, text.size, &config, err) < 0)
        return -1;
    platform_copy(&ret->platform, &config.platform);
    return 0;
}

/* Where a push finds it: what isn't of a registry has to be in the store. */
static int keep(struct app *app, struct place *place, const struct index *added, struct error **err)
{
    if (place->session) {
        for (size_t i = 0; i < added->n_manifests; i++)
            sources_add(app->store, &added->manifests[i].digest, &place->name.reference);
        return 0;
    }
    AUTO(transport_free) struct transport *to = transport_store_create(app->store, NULL, NULL);
    AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
    const struct image_copy_request request = {
        .from = place->transport, .to = to, .scope = IMAGE_COPY_ALL, .sparse = true
    };
    return image_copy(&request, &result, err);
}

static int read_entries(struct place *place, struct index *ret, struct error **err)
{
    AUTO(document_release) struct document document = DOCUMENT_INIT;
    if (remote_get(place, NULL, REMOTE_AS_IT_IS, &document, err) < 0)
        return -1;
    if (media_type_kind(document.descriptor.media_type) == MEDIA_KIND_INDEX)
        return index_parse(document.body.data, document.body.size, document.descriptor.media_type,
                           ret, err);
    return describe_image(place, &document, ARRAY_PUSH(ret, manifests), err);
}

int manifest_list_read(struct app *app, const char *image, struct place *place, struct index *ret,
                       struct error **err)
{
    if (place_open_local_first(app, image, place, err) < 0 || read_entries(place, ret, err) < 0 ||
        keep(app, place, ret, err) < 0)
        return error_wrap(err, "adding %s", image);
    return 0;
}

void manifest_list_add(struct manifest_list *list, const struct index *added)
{
    for (size_t i = 0; i < added->n_manifests; i++)
        put_entry(&list->index, &added->manifests[i]);
}

struct descriptor *manifest_list_find(struct app *app, struct manifest_list *list,
                                      const char *image, struct place *place, struct error **err)
{
    AUTO(descriptor_release) struct descriptor wanted = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* a name then */
    if (digest_parse(image, &wanted.digest, &ignored) < 0 &&
        (place_open_local_first(app, image, place, err) < 0 ||
         remote_resolve(place, NULL, &wanted, err) < 0))
        return error_wrap_null(err, "%s", image);
    for (size_t i = 0; i < list->index.n_manifests; i++)
        if (digest_equal(&list->index.manifests[i].digest, &wanted.digest))
            return &list->index.manifests[i];
    error_set_(err, ERR_NOT_FOUND, "%s isn't in the index", image);
    error_hint(err, "name it by the digest it has there: `cbuild manifest inspect` shows them");
    return NULL;
}

/* Keeping */

int manifest_list_save(struct app *app, struct manifest_list *list, struct error **err)
{
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
    AUTO(descriptor_release) struct descriptor made = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* the old one has other names */
    struct digest unset = { 0 };
    index_format(&list->index, &body);
    descriptor_set(&made, list->index.media_type, &unset, 0);
    if (store_put_blob(app->store, body.data, body.size, &made, err) < 0 ||
        store_tag_set(app->store, &list->reference, &made, err) < 0)
        return -1;
    if (list->stored.media_type && !digest_equal(&list->stored.digest, &made.digest) &&
        store_tag_remove_untagged(app->store, &list->stored.digest, &ignored) < 0 &&
        !error_is(ignored, ERR_NOT_FOUND)) {
        error_move(err, TAKE(ignored));
        return -1;
    }
    descriptor_release(&list->stored);
    descriptor_copy(&list->stored, &made);
    return 0;
}

/* Pushing */

static int copy_image(struct app *app, struct transport *from, struct transport *to,
                      const struct descriptor *entry, struct error **err)
{
    AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&entry->digest, digest);
    const struct image_copy_request request = {
        .from = from, .to = to, .scope = IMAGE_COPY_ALL, .progress = app->progress, .title = digest
    };
    return image_copy(&request, &result, err);
}

static int copy_from_registry(struct app *app, const char *repository, struct place *from,
                              struct transport *to, const struct descriptor *entry,
                              struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    if (reference_parse(repository, &reference, err) < 0)
        return -1;
    reference.digest = entry->digest;
    AUTO(transport_free)
    struct transport *transport = transport_registry_new(from->session, &reference);
    return copy_image(app, transport, to, entry, err);
}

/* From the repositories where it was seen, newest first; what the last says is the error. */
static int copy_from_sources(struct app *app, struct transport *to, const struct descriptor *entry,
                             struct error **err)
{
    AUTO(strvec_release) struct strvec sources = STRVEC_INIT;
    AUTO(place_release) struct place from = PLACE_INIT;
    sources_list(app->store, &entry->digest, &sources);
    if (!sources.n)
        return error_set(err, ERR_NOT_FOUND, "neither in the store nor known from a registry");
    if (place_open_session(app, &from, err) < 0)
        return -1;
    for (size_t i = 0; i < sources.n; i++) {
        error_clear(err);
        if (copy_from_registry(app, sources.items[i], &from, to, entry, err) == 0)
            return 0;
        if (error_is(*err, ERR_CANCELLED))
            return -1;
    }
    return -1;
}

static int push_entry(struct app *app, struct place *to, const struct descriptor *entry,
                      struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    reference_copy(&reference, &to->name.reference);
    free(reference.tag);
    reference.tag = NULL;
    reference.digest = entry->digest;
    AUTO(transport_free)
    struct transport *image = transport_registry_new(to->session, &reference);
    bool there = false;
    if (image->ops->has_document(image, &entry->digest, false, &there, err) < 0)
        return -1;
    if (there)
        return 0;
    if (!store_has_blob(app->store, &entry->digest, NULL))
        return copy_from_sources(app, image, entry, err);
    AUTO(transport_free) struct transport *from = transport_store_of(app->store, entry);
    return copy_image(app, from, image, entry, err);
}

int manifest_list_push(struct app *app, const struct manifest_list *list, struct place *to,
                       struct error **err)
{
    AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
    for (size_t i = 0; i < list->index.n_manifests; i++) {
        const struct descriptor *entry = &list->index.manifests[i];
        char digest[DIGEST_TEXT_SIZE];
        digest_format(&entry->digest, digest);
        if (push_entry(app, to, entry, err) < 0)
            return error_wrap(err, "manifest %s", digest);
    }
    AUTO(transport_free) struct transport *from = transport_store_of(app->store, &list->stored);
    const struct image_copy_request request = { .from = from,
                                                .to = to->transport,
                                                .scope = IMAGE_COPY_INDEX_ONLY };
    return image_copy(&request, &result, err);
}
