/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_content.h"

#include "base/array.h"
#include "base/mem.h"
#include "builder/copy.h"

#include <string.h>

#define COMPARE_SIZE (64UL * 1024)
#define MANY_ENTRIES 4096

enum content_kind { CONTENT_CONTEXT, CONTENT_TREE, CONTENT_MEMORY, CONTENT_RANGE };

struct place {
    enum content_kind kind;
    union {
        struct {
            struct context *context; /* borrowed */
            uint64_t number;
        };
        struct {
            struct tree *tree;
            struct tree_entry entry;
        };
        struct {
            void *data;
            size_t size;
        };
        struct {
            int fd; /* one of fds */
            uint64_t offset;
        };
    };
};

/* An entry's content is the number of a place, or, where there can be millions, itself a context's
 * number or an offset in the spool. */
#define OF_CONTEXT (UINT64_C(1) << 63)
#define OF_SPOOL (UINT64_C(1) << 62)

struct copy_content {
    struct context *context; /* that OF_CONTEXT means; borrowed */
    bool learns;
    int spool_fd;     /* -1: none */
    uint64_t spooled; /* bytes in it */
    struct place *places;
    size_t n_places, places_capacity;
    int *fds;
    size_t n_fds, fds_capacity;
};

struct copy_content *copy_content_new(void)
{
    struct copy_content *content = NEW(struct copy_content);
    content->spool_fd = -1;
    return content;
}

static void place_release(struct place *place)
{
    switch (place->kind) {
    case CONTENT_TREE:
        tree_entry_release(&place->entry);
        tree_unref(place->tree);
        break;
    case CONTENT_MEMORY:
        free(place->data);
        break;
    case CONTENT_CONTEXT:
    case CONTENT_RANGE:
        break;
    }
}

void copy_content_free(struct copy_content *content)
{
    if (!content)
        return;
    for (size_t i = 0; i < content->n_places; i++)
        place_release(&content->places[i]);
    for (size_t i = 0; i < content->n_fds; i++)
        close_auto(&content->fds[i]);
    close_auto(&content->spool_fd);
    free(content->places);
    free(content->fds);
    free(content);
}

uint64_t copy_content_add_context(struct copy_content *content, struct context *context,
                                  uint64_t number)
{
    if (!content->context)
        content->context = context;
    if (content->context == context)
        return number | OF_CONTEXT;
    struct place *place = ARRAY_PUSH(content, places);
    place->kind = CONTENT_CONTEXT;
    place->context = context;
    place->number = number;
    return content->n_places;
}

void copy_content_learn(struct copy_content *content)
{
    content->learns = true;
}

uint64_t copy_content_add_tree(struct copy_content *content, struct tree *tree,
                               const struct tree_entry *from)
{
    struct place *place = ARRAY_PUSH(content, places);
    place->kind = CONTENT_TREE;
    place->tree = tree_ref(tree);
    place->entry = *from;
    place->entry.path = xstrdup(from->path);
    return content->n_places;
}

uint64_t copy_content_add_memory(struct copy_content *content, const void *data, size_t size)
{
    struct place *place = ARRAY_PUSH(content, places);
    place->kind = CONTENT_MEMORY;
    place->data = xmemdup(data, size);
    place->size = size;
    return content->n_places;
}

uint64_t copy_content_add_range(struct copy_content *content, int fd, uint64_t offset)
{
    struct place *place = ARRAY_PUSH(content, places);
    place->kind = CONTENT_RANGE;
    place->fd = fd;
    place->offset = offset;
    return content->n_places;
}

int copy_content_spool(const struct copy_content *content)
{
    return content->spool_fd;
}

void copy_content_set_spool(struct copy_content *content, int fd)
{
    content->spool_fd = fd;
}

uint64_t copy_content_add_spooled(struct copy_content *content, uint64_t size)
{
    uint64_t offset = content->spooled;
    content->spooled += size;
    return offset | OF_SPOOL;
}

static bool has_place(const struct entry *entry)
{
    return entry->content && !(entry->content & (OF_CONTEXT | OF_SPOOL));
}

void copy_content_own_fd(struct copy_content *content, int fd)
{
    *ARRAY_PUSH(content, fds) = fd;
}

struct source *copy_content_open(struct copy_content *content, const struct entry *entry,
                                 struct error **err)
{
    if (entry->content & OF_CONTEXT) {
        struct entry there = { .size = entry->size, .content = entry->content & ~OF_CONTEXT };
        return content->learns ? context_open_learning(content->context, &there, err)
                               : context_open_file(content->context, &there, err);
    }
    if (entry->content & OF_SPOOL)
        return source_range_new(content->spool_fd, entry->content & ~OF_SPOOL, entry->size,
                                entry->path);
    const struct place *place = &content->places[entry->content - 1];
    switch (place->kind) {
    case CONTENT_CONTEXT: {
        struct entry there = { .size = entry->size, .content = place->number };
        return context_open_file(place->context, &there, err);
    }
    case CONTENT_TREE:
        return tree_open(place->tree, &place->entry, err);
    case CONTENT_MEMORY:
        return source_memory_new(place->data, place->size);
    case CONTENT_RANGE:
        break;
    }
    return source_range_new(place->fd, place->offset, entry->size, entry->path);
}

static struct source *open_entry(void *data, const struct entry *entry, struct error **err)
{
    return copy_content_open(data, entry, err);
}

static void free_content(void *data)
{
    copy_content_free(data);
}

/* What isn't the context's was written by this build, or comes of one file. */
static bool read_ahead(void *data, const struct entry *entry)
{
    struct copy_content *content = data;
    const struct entry there = { .size = entry->size, .content = entry->content & ~OF_CONTEXT };
    return !(entry->content & OF_CONTEXT) || context_read_ahead(content->context, &there);
}

const struct changeset_ops copy_content_ops = { open_entry, free_content, read_ahead };

/* SHA-256 of a file's content, where that is known without reading it. */
static bool known_digest(const struct copy_content *content, const struct entry *entry,
                         uint8_t out[SHA256_SIZE])
{
    const struct place *place = &content->places[entry->content - 1];
    switch (place->kind) {
    case CONTENT_CONTEXT: {
        const struct entry there = { .size = entry->size, .content = place->number };
        const uint8_t *digest = context_known_digest(place->context, &there);
        if (digest)
            memcpy(out, digest, SHA256_SIZE);
        return digest != NULL;
    }
    case CONTENT_TREE:
        return tree_known_content(place->tree, &place->entry, out);
    case CONTENT_MEMORY:
    case CONTENT_RANGE:
        break;
    }
    return false;
}

/* Digests by number of their place. */
struct known_places {
    uint8_t (*digests)[SHA256_SIZE];
    bool *known;
};

static void known_places_release(struct known_places *places)
{
    free(places->digests);
    free(places->known);
}
DEFINE_AUTO_STRUCT(struct known_places, known_places_release)

static void look_up_places(const struct changeset *changeset, struct known_places *ret)
{
    const struct copy_content *content = changeset->data;
    ret->digests = xcalloc(content->n_places + 1, sizeof(*ret->digests));
    ret->known = xcalloc(content->n_places + 1, sizeof(*ret->known));
    for (size_t i = 0; i < changeset->list.n_entries; i++) {
        const struct entry *entry = &changeset->list.entries[i];
        if (entry->type == ENTRY_FILE && has_place(entry))
            ret->known[entry->content] = known_digest(content, entry, ret->digests[entry->content]);
    }
}

static void teach_places(struct layer *layer, const struct known_places *places)
{
    const struct entry_list *list = layer_entries(layer, NULL); /* its own is there */
    for (size_t i = 0; i < list->n_entries; i++) {
        const struct entry *entry = &list->entries[i];
        if (entry->type == ENTRY_FILE && has_place(entry) && places->known[entry->content])
            layer_learn_content(layer, entry, places->digests[entry->content]);
    }
}

void copy_teach_layer(struct context *context, struct layer *layer)
{
    const struct entry_list *list = layer_entries(layer, NULL); /* its own is there */
    for (size_t i = 0; i < list->n_entries; i++) {
        const struct entry *entry = &list->entries[i];
        const struct entry there = { .size = entry->size, .content = entry->content & ~OF_CONTEXT };
        const uint8_t *digest = entry->type == ENTRY_FILE && (entry->content & OF_CONTEXT)
                                    ? context_known_digest(context, &there)
                                    : NULL;
        if (digest)
            layer_learn_content(layer, entry, digest);
    }
}

static bool print_place(const struct place *place, const struct entry *entry, struct sha256 *hash)
{
    const struct entry there = { .size = entry->size, .content = place->number };
    switch (place->kind) {
    case CONTENT_CONTEXT:
        context_identify(place->context, &there, hash);
        return true;
    case CONTENT_TREE:
        sha256_update(hash, &place->entry.entry, sizeof(place->entry.entry));
        return true;
    case CONTENT_MEMORY:
        sha256_update(hash, place->data, place->size);
        return true;
    case CONTENT_RANGE:
        break;
    }
    return false;
}

static bool print_content(const struct copy_content *content, const struct entry *entry,
                          struct sha256 *hash)
{
    if (entry->content & OF_SPOOL)
        return false;
    if (!(entry->content & OF_CONTEXT))
        return print_place(&content->places[entry->content - 1], entry, hash);
    const struct entry there = { .size = entry->size, .content = entry->content & ~OF_CONTEXT };
    context_identify(content->context, &there, hash);
    return true;
}

static void print_attributes(const struct entry *entry, struct sha256 *hash)
{
    const uint64_t numbers[] = { entry->type,        entry->mode,      entry->uid,
                                 entry->gid,         entry->size,      (uint64_t)entry->mtime,
                                 entry->dev_major,   entry->dev_minor, entry->n_xattrs,
                                 entry->link != NULL };
    sha256_update_field(hash, entry->path);
    sha256_update(hash, numbers, sizeof(numbers));
    if (entry->link)
        sha256_update_field(hash, entry->link);
    for (size_t i = 0; i < entry->n_xattrs; i++) {
        const struct xattr *xattr = &entry->xattrs[i];
        sha256_update_field(hash, xattr->name);
        sha256_update(hash, &xattr->size, sizeof(xattr->size));
        sha256_update(hash, xattr->value, xattr->size);
    }
}

bool copy_changeset_print(const struct changeset *changeset, struct digest *ret)
{
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    for (size_t i = 0; i < changeset->list.n_entries; i++) {
        const struct entry *entry = &changeset->list.entries[i];
        print_attributes(entry, hash);
        if (entry->type == ENTRY_FILE && entry->content &&
            !print_content(changeset->data, entry, hash))
            return false;
    }
    uint8_t bytes[SHA256_SIZE];
    sha256_finish(hash, bytes);
    *ret = digest_from_sha256(bytes);
    return true;
}

struct layer *copy_make_layer(struct store *store, const struct layer_options *options,
                              struct changeset *changeset)
{
    AUTO(known_places_release) struct known_places places = { NULL, NULL };
    const struct copy_content *content = changeset->data;
    struct context *context = content->learns ? NULL : content->context;
    if (changeset->list.n_entries >= MANY_ENTRIES)
        mem_trim(); /* the destination is gone: room for the layer's members */
    look_up_places(changeset, &places);
    struct layer *layer = layer_make(store, options, changeset, NULL);
    teach_places(layer, &places);
    if (context)
        copy_teach_layer(context, layer);
    return layer;
}

int copy_content_equal(struct source *a, struct source *b, bool *ret, struct error **err)
{
    AUTO(free) char *x = xmalloc(COMPARE_SIZE);
    AUTO(free) char *y = xmalloc(COMPARE_SIZE);
    for (;;) {
        ssize_t n = source_read_full(a, x, COMPARE_SIZE, err);
        ssize_t m = n < 0 ? -1 : source_read_full(b, y, COMPARE_SIZE, err);
        if (m < 0)
            return -1;
        *ret = n == m && memcmp(x, y, (size_t)n) == 0;
        if (!*ret || n == 0)
            return 0;
    }
}
