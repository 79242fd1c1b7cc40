/* SPDX-License-Identifier: Apache-2.0 */
/* From what a user types to an image of the store. */
#include "base/array.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "oci/image.h"
#include "oci/index.h"
#include "oci/store_tags.h"

#include <ctype.h>
#include <string.h>

#define PREFIX_MIN_SIZE 4

/* One image that an id may mean. */
struct match {
    struct digest id; /* of manifest, index or config: what the text is a prefix of */
    struct descriptor descriptor;
};

struct search {
    struct store *store;
    const char *prefix;            /* hex */
    const struct descriptor *root; /* the tagged image that we are in */
    struct platform host;
    struct match *matches;
    size_t n_matches, matches_capacity;
};

static void search_release(struct search *search)
{
    for (size_t i = 0; i < search->n_matches; i++)
        descriptor_release(&search->matches[i].descriptor);
    free(search->matches);
    platform_release(&search->host);
}
DEFINE_AUTO_STRUCT(struct search, search_release)

static bool has_prefix(const struct search *search, const struct digest *digest)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    return strncmp(hex, search->prefix, strlen(search->prefix)) == 0;
}

static void consider(struct search *search, const struct digest *id,
                     const struct descriptor *descriptor)
{
    if (!has_prefix(search, id))
        return;
    for (size_t i = 0; i < search->n_matches; i++)
        if (digest_equal(&search->matches[i].id, id))
            return; /* the same image by another way: the first is of the tag that sorts first */
    struct match *match = ARRAY_PUSH(search, matches);
    match->id = *id;
    descriptor_copy(&match->descriptor, descriptor);
}

static int search_document(struct search *search, const struct descriptor *desc, bool is_choice,
                           unsigned depth, struct error **err);

/* Children that are here; the one that this host takes stands for the whole. */
static int search_index(struct search *search, const struct strbuf *buf, const char *media_type,
                        bool is_choice, unsigned depth, struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    if (index_parse(buf->data, buf->size, media_type, &index, err) < 0)
        return -1;
    AUTO(error_free) struct error *no_choice = NULL;
    const struct descriptor *choice = index_select(&index, &search->host, &no_choice);
    size_t n_here = 0;
    for (size_t i = 0; i < index.n_manifests; i++)
        n_here += index_is_candidate(&index.manifests[i]) &&
                  store_has_blob(search->store, &index.manifests[i].digest, NULL);
    for (size_t i = 0; i < index.n_manifests; i++) {
        const struct descriptor *entry = &index.manifests[i];
        if (!store_has_blob(search->store, &entry->digest, NULL))
            continue;
        consider(search, &entry->digest, entry);
        bool stands_for =
            is_choice && index_is_candidate(entry) && (entry == choice || n_here == 1);
        if (search_document(search, entry, stands_for, depth + 1, err) < 0)
            return -1;
    }
    return 0;
}

static int search_document(struct search *search, const struct descriptor *desc, bool is_choice,
                           unsigned depth, struct error **err)
{
    enum media_kind kind = media_type_kind(desc->media_type);
    if ((kind != MEDIA_KIND_INDEX && kind != MEDIA_KIND_MANIFEST) || depth > INDEX_MAX_DEPTH)
        return 0;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    if (image_read_document(search->store, desc, MANIFEST_MAX_SIZE, &buf, err) < 0)
        return -1;
    if (kind == MEDIA_KIND_INDEX)
        return search_index(search, &buf, desc->media_type, is_choice, depth, err);
    AUTO(manifest_release) struct manifest manifest = { 0 };
    if (manifest_parse(buf.data, buf.size, desc->media_type, &manifest, err) < 0)
        return -1;
    consider(search, &manifest.config.digest, is_choice ? search->root : desc);
    return 0;
}

/* All images under names and without, and what they hold. */
static int search_tags(struct search *search, const struct store_tags *tags, struct error **err)
{
    for (size_t i = 0; i < tags->n_tags; i++) {
        search->root = &tags->tags[i].descriptor;
        consider(search, &search->root->digest, search->root);
        /* a damaged image must not hide the others */
        AUTO(error_free) struct error *damaged = NULL;
        if (search_document(search, search->root, true, 0, &damaged) < 0 &&
            error_is(damaged, ERR_CANCELLED)) {
            error_move(err, TAKE(damaged));
            return -1;
        }
    }
    return 0;
}

static int not_found(const char *text, const struct store *store, const struct store_tags *tags,
                     struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    for (size_t i = 0; i < tags->n_tags; i++) {
        AUTO(error_free) struct error *ignored = NULL; /* only its suggestion is lost */
        AUTO(reference_release) struct reference reference = { 0 };
        if (!tags->tags[i].name || reference_parse(tags->tags[i].name, &reference, &ignored) < 0)
            continue;
        strvec_take(&names, reference_familiar(&reference));
        strvec_take(&names, reference_familiar_repository(&reference));
    }
    error_set_(err, ERR_NOT_FOUND, "image %s: not in store %s", text, store_path(store));
    const char *nearest =
        names.n ? suggest_nearest(text, (const char *const *)names.items, names.n) : NULL;
    if (nearest && strcmp(nearest, text) != 0)
        error_hint(err, "is it %s?", nearest);
    return -1;
}

/* The hex of an id as a user may type it: lower-case, 4 to 64 digits; NULL: it is none. */
static const char *id_prefix(const char *text)
{
    bool full = strncmp(text, "sha256:", 7) == 0;
    const char *hex = full ? text + 7 : text;
    size_t size = strspn(hex, "0123456789abcdef");
    if (hex[size] || size < PREFIX_MIN_SIZE || size > DIGEST_HEX_SIZE - 1)
        return NULL;
    return hex;
}

static int find_id(struct store *store, const char *text, const char *prefix,
                   struct descriptor *ret, struct error **err)
{
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    AUTO(search_release) struct search search = { .store = store, .prefix = prefix };
    platform_host(&search.host);
    if (store_tags_list(store, &tags, err) < 0)
        return -1;
    if (prefix && search_tags(&search, &tags, err) < 0)
        return -1;
    if (!search.n_matches)
        return not_found(text, store, &tags, err);
    if (search.n_matches > 1) {
        error_set_(err, ERR_INVALID, "image id %s: %zu images have it", text, search.n_matches);
        error_hint(err, "give more digits of the id");
        return -1;
    }
    descriptor_copy(ret, &search.matches[0].descriptor);
    return 0;
}

/* 1 found under this name, 0 not */
static int find_name(struct store *store, struct reference *reference, struct descriptor *ret,
                     struct error **err)
{
    if (reference->digest.is_set) {
        char hex[DIGEST_HEX_SIZE];
        digest_format_hex(&reference->digest, hex);
        if (find_id(store, hex, hex, ret, err) == 0)
            return 1;
    } else {
        reference_default_tag(reference);
        if (store_tag_get(store, reference, ret, err) == 0)
            return 1;
    }
    if (!error_is(*err, ERR_NOT_FOUND))
        return -1;
    error_clear(err);
    return 0;
}

int store_resolve(struct store *store, const char *text, struct descriptor *ret,
                  struct reference *reference, struct error **err)
{
    AUTO(reference_release) struct reference parsed = { 0 };
    AUTO(descriptor_release) struct descriptor found = { 0 };
    const char *prefix = id_prefix(text);
    bool is_name = reference_parse(text, &parsed, err) == 0;
    if (!is_name && !prefix)
        return -1;
    error_clear(err);
    int by_name = is_name ? find_name(store, &parsed, &found, err) : 0;
    if (by_name < 0 || (!by_name && find_id(store, text, prefix, &found, err) < 0))
        return -1;
    if (reference) {
        reference_release(reference);
        if (by_name)
            reference_copy(reference, &parsed);
    }
    descriptor_copy(ret, &found);
    return 0;
}
