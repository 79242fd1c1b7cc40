/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a COPY's cache key is made of. The content of context files is asked of the stat records
 * first; what they don't know is read, by several threads where that is worth it.
 */
#include "base/array.h"
#include "base/cancel.h"
#include "base/hashmap.h"
#include "base/mem.h"
#include "base/pool.h"
#include "builder/copy_internal.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define MANY_FILES 8
#define MANY_BYTES (1024UL * 1024)
#define HASHED_AT_ONCE ((size_t)64 << 10)

/* --- hashing --- */

struct hashing {
    struct copy *copy;
    struct place { /* of an item */
        const struct copy_source *source;
        size_t index;
    } * places;
    size_t n_places, places_capacity;
    uint64_t size;
    atomic_size_t next;
};

static void hashing_release(struct hashing *hashing)
{
    free(hashing->places);
}
DEFINE_AUTO_STRUCT(struct hashing, hashing_release)

/* Item 0 is the source itself; what a directory brings follows. A view. */
static void get_item(const struct copy_source *source, size_t index, struct source_item *ret)
{
    if (index)
        copy_source_get(source, index - 1, ret);
    else
        *ret = source->item;
    ret->is_view = true;
}

static bool is_known(struct copy *copy, const struct source_item *item)
{
    uint8_t digest[SHA256_SIZE];
    return copy->context ? context_known_digest(copy->context, &item->entry) != NULL
                         : tree_known_content(copy->from, &item->place, digest);
}

/* The context, or the tree's layer, remembers it. */
static int content_digest(const struct copy *copy, const struct source_item *item,
                          uint8_t out[SHA256_SIZE], struct error **err)
{
    return copy->context ? context_digest(copy->context, &item->entry, out, err)
                         : tree_content_digest(copy->from, &item->place, out, err);
}

static int hash_some(void *data, struct error **err)
{
    struct hashing *hashing = data;
    for (;;) {
        size_t i = atomic_fetch_add(&hashing->next, 1);
        if (i >= hashing->n_places)
            return 0;
        struct source_item item;
        uint8_t digest[SHA256_SIZE];
        get_item(hashing->places[i].source, hashing->places[i].index, &item);
        if (cancel_check(err) < 0 || content_digest(hashing->copy, &item, digest, err) < 0)
            return -1;
    }
}

static bool is_much(const struct hashing *hashing)
{
    return hashing->n_places > MANY_FILES || hashing->size > MANY_BYTES;
}

static int hash_all(struct hashing *hashing, struct error **err)
{
    if (!is_much(hashing))
        return hash_some(hashing, err);
    AUTO(pool_free) struct pool *pool = pool_new(0);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    for (unsigned i = 0; i < pool_n_threads(pool); i++)
        pool_submit(group, hash_some, NULL, hashing);
    return pool_group_wait(group, err);
}

/* The files whose content isn't known. */
static void find_unread(struct copy *copy, struct hashing *hashing)
{
    hashing->copy = copy;
    for (size_t i = 0; i < copy->sources.n_list; i++) {
        const struct copy_source *source = &copy->sources.list[i];
        for (size_t k = 0; k <= source->n_kept; k++) {
            struct source_item item;
            get_item(source, k, &item);
            if (item.entry.type != ENTRY_FILE || is_known(copy, &item))
                continue;
            *ARRAY_PUSH(hashing, places) = (struct place){ source, k };
            hashing->size += item.entry.size;
        }
    }
}

static int hash_files(struct copy *copy, struct error **err)
{
    if (copy->all_known)
        return 0;
    AUTO(hashing_release) struct hashing hashing = { .n_places = 0 };
    find_unread(copy, &hashing);
    return hash_all(&hashing, err);
}

bool copy_has_unread(struct copy *copy)
{
    AUTO(hashing_release) struct hashing hashing = { .n_places = 0 };
    find_unread(copy, &hashing);
    copy->all_known = !hashing.n_places;
    return is_much(&hashing);
}

void copy_learn(struct copy *copy)
{
    copy->learns = true;
}

/* --- items --- */

static void add_xattrs(const struct entry *entry, struct strbuf *value)
{
    for (size_t i = 0; i < entry->n_xattrs; i++) {
        strbuf_addf(value, " %s=", entry->xattrs[i].name);
        for (size_t k = 0; k < entry->xattrs[i].size; k++)
            strbuf_addf(value, "%02x", entry->xattrs[i].value[k]);
    }
}

static int add_digest(const struct copy *copy, const struct source_item *item, struct strbuf *value,
                      struct error **err)
{
    uint8_t digest[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    if (content_digest(copy, item, digest, err) < 0)
        return -1;
    sha256_hex(digest, hex);
    strbuf_adds(value, " sha256:");
    strbuf_adds(value, hex);
    return 0;
}

/* " 0644" */
static void add_mode(uint16_t mode, struct strbuf *value)
{
    const char text[] = { ' ', (char)('0' + (mode >> 9 & 7)), (char)('0' + (mode >> 6 & 7)),
                          (char)('0' + (mode >> 3 & 7)), (char)('0' + (mode & 7)) };
    strbuf_add(value, text, sizeof(text));
}

/* " 0:0" */
static void add_owner(const struct entry *entry, struct strbuf *value)
{
    if (entry->uid || entry->gid)
        strbuf_addf(value, " %u:%u", entry->uid, entry->gid);
    else
        strbuf_adds(value, " 0:0");
}

static char type_letter(enum entry_type type)
{
    switch (type) {
    case ENTRY_DIRECTORY:
        return 'd';
    case ENTRY_SYMLINK:
        return 'l';
    case ENTRY_CHAR:
        return 'c';
    case ENTRY_BLOCK:
        return 'b';
    case ENTRY_FIFO:
        return 'p';
    case ENTRY_FILE:
    case ENTRY_HARDLINK:
    case ENTRY_WHITEOUT:
    case ENTRY_OPAQUE:
        break;
    }
    return 'f';
}

/* The first name of a file that has several, for the others. */
static void add_other_name(struct hashmap *names, const struct copy_source *source,
                           const struct source_item *item, const char *name, struct strbuf *value)
{
    AUTO(free) char *key = source_item_link_key(source->context, item);
    if (!key)
        return;
    const char *first = hashmap_get(names, key);
    if (first)
        strbuf_addf(value, " link:%s", first);
    else
        hashmap_put(names, key, xstrdup(name));
}

/* A word's items. */
struct listing {
    const struct copy *copy;
    inputs_visit visit;
    void *data;
    struct hashmap names;      /* of files that have several: link key to the first */
    struct strbuf name, value; /* of the item that is added */
};

static void listing_release(struct listing *listing)
{
    hashmap_release(&listing->names);
    strbuf_release(&listing->name);
    strbuf_release(&listing->value);
}
DEFINE_AUTO_STRUCT(struct listing, listing_release)

static void set_name(const struct copy_source *source, const struct source_item *item,
                     struct strbuf *name)
{
    strbuf_reset(name);
    strbuf_adds(name, source->path);
    if (source->path[0] && item->path[0])
        strbuf_addc(name, '/');
    strbuf_adds(name, item->path);
}

static int tell_item(struct listing *listing, const struct copy_source *source, size_t index,
                     struct error **err)
{
    const struct copy *copy = listing->copy;
    struct strbuf *value = &listing->value;
    struct source_item item;
    get_item(source, index, &item);
    const struct entry *entry = &item.entry;
    set_name(source, &item, &listing->name);
    strbuf_reset(value);
    strbuf_addc(value, type_letter(entry->type));
    /* what a copied directory itself looks like doesn't count: the destination keeps or makes its
     * own */
    bool is_top = index == 0 && entry->type == ENTRY_DIRECTORY && !(copy->mounted && copy->from);
    if (entry->type != ENTRY_SYMLINK && !is_top)
        add_mode(entry->mode, value);
    if (!is_top)
        add_owner(entry, value);
    if (entry->type == ENTRY_SYMLINK)
        strbuf_addf(value, " %s", entry->link);
    if (entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK)
        strbuf_addf(value, " %u,%u", entry->dev_major, entry->dev_minor);
    if (entry->type == ENTRY_FILE && add_digest(copy, &item, value, err) < 0)
        return -1;
    add_xattrs(copy->mounted && item.place.entry ? item.place.entry : entry, value);
    add_other_name(&listing->names, source, &item, listing->name.data, value);
    const char *name = listing->name.size ? listing->name.data : ".";
    listing->visit(listing->data, &(struct input){ "file", name, value->data });
    return 0;
}

static int tell_word(const struct copy *copy, size_t word, inputs_visit visit, void *data,
                     struct error **err)
{
    AUTO(listing_release)
    struct listing listing = { copy, visit, data, HASHMAP_INIT(free), STRBUF_INIT, STRBUF_INIT };
    const size_t from = word ? copy->word_ends[word - 1] : 0, to = copy->word_ends[word];
    if (from == to)
        visit(data, &(struct input){ "source", copy->words.items[word], "nothing" });
    for (size_t at = from; at < to; at++) {
        const struct copy_source *source = &copy->sources.list[at];
        for (size_t i = 0; i <= source->n_kept; i++)
            if (tell_item(&listing, source, i, err) < 0)
                return -1;
    }
    return 0;
}

static int tell_items(const struct copy *copy, inputs_visit visit, void *data, struct error **err)
{
    for (size_t word = 0; word < copy->words.n; word++)
        if (tell_word(copy, word, visit, data, err) < 0)
            return -1;
    return 0;
}

/* Of a context whose files were hashed: nothing is left that could fail. */
static void each_item(const void *data, inputs_visit visit, void *visit_data)
{
    struct error *error = NULL;
    int result = tell_items(data, visit, visit_data, &error);
    assert(result == 0);
}

static void add_one(void *data, const struct input *item)
{
    inputs_add(data, item->kind, item->name, item->value);
}

static size_t count_items(const struct copy *copy)
{
    size_t n = 0;
    for (size_t i = 0; i < copy->sources.n_list; i++)
        n += copy->sources.list[i].n_kept + 1;
    return n;
}

static int add_source_items(struct copy *copy, struct inputs *inputs, struct error **err)
{
    if (hash_files(copy, err) < 0)
        return -1;
    size_t n = count_items(copy);
    if (copy->context && !copy->mounted && n >= INPUTS_MANY)
        inputs_add_more(inputs, each_item, copy, n);
    else
        return tell_items(copy, add_one, inputs, err);
    return 0;
}

/* "NAME\0TYPE SIZE\0" */
static void add_shape(const struct copy_source *source, const struct source_item *item,
                      struct strbuf *text)
{
    const struct entry *entry = &item->entry;
    strbuf_adds(text, source->path);
    strbuf_addc(text, '/');
    strbuf_add(text, item->path, strlen(item->path) + 1);
    strbuf_addf(text, "%c %llu", type_letter(entry->type), (unsigned long long)entry->size);
    strbuf_addc(text, '\0');
}

struct digest copy_shape(const struct copy *copy)
{
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    sha256_update_field(hash, copy->destination);
    for (size_t i = 0; i < copy->sources.n_list; i++) {
        const struct copy_source *source = &copy->sources.list[i];
        for (size_t k = 0; k <= source->n_kept; k++) {
            struct source_item item;
            get_item(source, k, &item);
            add_shape(source, &item, &text);
            if (text.size < HASHED_AT_ONCE)
                continue;
            sha256_update(hash, text.data, text.size);
            strbuf_reset(&text);
        }
    }
    sha256_update(hash, text.data, text.size);
    uint8_t digest[SHA256_SIZE];
    sha256_finish(hash, digest);
    return digest_from_sha256(digest);
}

static int hash_fd(const struct copy_file *file, uint8_t out[SHA256_SIZE], struct error **err)
{
    AUTO(source_free)
    struct source *source = source_range_new(file->fd, 0, file->size, file->name);
    AUTO(sink_free) struct sink *sink = sink_sha256_new(NULL, out, NULL);
    if (source_pump(source, sink, NULL, err) < 0)
        return -1;
    return sink_finish(sink, err);
}

static int add_files(const struct copy *copy, struct inputs *inputs, struct error **err)
{
    for (size_t i = 0; i < copy->n_files; i++) {
        const struct copy_file *file = &copy->files[i];
        uint8_t digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        if (file->data)
            sha256_of(file->data, file->size, digest);
        else if (hash_fd(file, digest, err) < 0)
            return -1;
        sha256_hex(digest, hex);
        AUTO(free)
        char *value =
            xasprintf("f %04o 0:0 sha256:%s%s", file->mode, hex, file->unpack ? " unpack" : "");
        inputs_add(inputs, "inline", file->name ? file->name : "", value);
    }
    return 0;
}

int copy_add_inputs(struct copy *copy, struct inputs *inputs, struct error **err)
{
    AUTO(free)
    char *destination = xasprintf("/%s%s", copy->destination, copy->to_directory ? "/" : "");
    inputs_add(inputs, "copy", copy->is_add ? "ADD" : "COPY", destination);
    const struct {
        const char *name;
        const char *value;
    } options[] = {
        { "chown", copy->chown },
        { "chmod", copy->chmod_text },
        { "parents", copy->parents ? "yes" : NULL },
        { "link", copy->link ? "yes" : NULL },
        { "unpack", copy->no_unpack ? "no" : NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (options[i].value)
            inputs_add(inputs, "option", options[i].name, options[i].value);
    for (size_t i = 0; i < copy->excludes.n; i++)
        inputs_add(inputs, "option", "exclude", copy->excludes.items[i]);
    if (copy->context && add_source_items(copy, inputs, err) < 0)
        return -1;
    for (size_t i = 0; copy->from && i < copy->words.n; i++)
        inputs_add(inputs, "source", copy->words.items[i], "");
    return add_files(copy, inputs, err);
}

void copy_add_selection(const struct copy *copy, struct inputs *inputs)
{
    for (size_t i = 0; i < copy->words.n; i++)
        inputs_add(inputs, "source", copy->words.items[i], "");
    for (size_t i = 0; i < copy->excludes.n; i++)
        inputs_add(inputs, "option", "exclude", copy->excludes.items[i]);
    inputs_add(inputs, "option", "parents", copy->parents ? "yes" : "no");
    inputs_add(inputs, "option", "mounted", copy->mounted ? "yes" : "no");
}

int copy_add_tree_contents(struct copy *copy, struct inputs *inputs, struct error **err)
{
    return copy_find_sources(copy, err) < 0 ? -1 : add_source_items(copy, inputs, err);
}
