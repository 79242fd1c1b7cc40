/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.json, for other tools. Each name is an entry of its own:
 *
 *   org.opencontainers.image.ref.name   as people write it, with tag: user/app:1.0, alpine:latest
 *   io.containerd.image.name            normalised: docker.io/user/app:1.0
 *
 * The image-spec leaves ref.name to its writer. The tag alone, which archives
 * of one image use, would be ambiguous here: skopeo takes all that follows the
 * second colon of oci:STORE:NAME as ref.name and the first entry that has it, so
 * "1.0" of two images could not be told apart; and `skopeo inspect oci:STORE:user/app:1.0` is what
 * one would try. Untagged images are listed without ref.name.
 *
 * Who changes a tag doesn't read the others: at 10,000 of them that is 0.3 s. The file itself says
 * what there is, in a form that only we write: its entries are found without a parser's objects,
 * and those that don't change are copied as they stand. Where it isn't of that form, or not as
 * young as tags/, it is made from the tags.
 *
 * 1. Before the first change of tags/ its time is set to 0: a kill leaves one that counts as stale.
 * 2. Entries are sorted: names by their bytes, then images without name by digest.
 */
#include "base/array.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/tempfile.h"
#include "oci/manifest.h"
#include "oci/store_internal.h"
#include "oci/store_tags.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define INDEX_FILE "index.json"

#define INDEX_MAX_SIZE ((size_t)256 << 20)
#define HEAD "{\"manifests\":["
#define TAIL "],\"mediaType\":\"" MEDIA_TYPE_OCI_INDEX "\",\"schemaVersion\":2}"

struct item {
    const char *text; /* its JSON, in the file's text or `own` */
    size_t size;
    const char *name; /* normalised, in text, not terminated; NULL: an image without name */
    size_t name_size;
    char hex[DIGEST_HEX_SIZE];
    char *own;
};

struct store_index {
    struct store *store;
    bool is_loaded, has_begun, was_empty;
    struct strbuf text;
    struct item *items; /* sorted */
    size_t n_items, items_capacity;
};

/* Reading what we wrote: canonical JSON. Each gives what follows, or NULL where it is of another
 * form. */

static const char *skip_text(const char *at)
{
    if (*at != '"')
        return NULL;
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && !*++at)
            return NULL;
    return *at ? at + 1 : NULL;
}

static const char *skip_value(const char *at)
{
    size_t depth = 0;
    do {
        if (*at == '"') {
            at = skip_text(at);
            if (!at)
                return NULL;
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if ((*at == '}' || *at == ']') && depth)
            depth--;
        else if (!*at || (!depth && strchr(",}]", *at)))
            return depth ? NULL : at;
        at++;
    } while (depth || (*at && !strchr(",}]", *at)));
    return at;
}

static bool is_text(const char *start, const char *end, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(end - start) == size && memcmp(start, text, size) == 0;
}

/* The text between the quotes; false where it isn't a text, or has escapes. */
static bool plain_text(const char *at, const char *end, const char **text, size_t *size)
{
    if (end - at < 2 || *at != '"' || memchr(at, '\\', (size_t)(end - at)))
        return false;
    *text = at + 1;
    *size = (size_t)(end - at) - 2;
    return true;
}

/* One member of an entry: what is needed of it. */
static bool take_member(const char *key, const char *key_end, const char *value, const char *end,
                        struct item *item)
{
    const char *text;
    size_t size;
    uint8_t ignored[SHA256_SIZE];
    if (is_text(key, key_end, "\"" STORE_ANNOTATION_IMAGE_NAME "\""))
        return plain_text(value, end, &item->name, &item->name_size);
    if (!is_text(key, key_end, "\"digest\""))
        return true;
    if (!plain_text(value, end, &text, &size) || size != DIGEST_TEXT_SIZE - 1 ||
        !sha256_from_hex(text + size - (DIGEST_HEX_SIZE - 1), DIGEST_HEX_SIZE - 1, ignored))
        return false;
    memcpy(item->hex, text + size - (DIGEST_HEX_SIZE - 1), DIGEST_HEX_SIZE - 1);
    return true;
}

/* Of the entry's own members the digest counts, of its annotations the name. */
static const char *scan_object(const char *at, bool is_annotations, struct item *item)
{
    if (*at++ != '{')
        return NULL;
    while (*at != '}') {
        const char *key = at, *key_end = skip_text(at);
        if (!key_end || *key_end != ':')
            return NULL;
        const char *value = key_end + 1;
        bool nested = !is_annotations && is_text(key, key_end, "\"annotations\"");
        /* a name among the entry's own members, and a digest among its annotations, are others' */
        bool counts = is_annotations != is_text(key, key_end, "\"digest\"");
        at = nested ? scan_object(value, true, item) : skip_value(value);
        if (!at || (!nested && counts && !take_member(key, key_end, value, at, item)))
            return NULL;
        if (*at == ',')
            at++;
        else if (*at != '}')
            return NULL;
    }
    return at + 1;
}

static bool scan(struct store_index *index)
{
    const char *at = index->text.data, *end = at + index->text.size;
    size_t tail = strlen(TAIL);
    if (index->text.size < strlen(HEAD) + tail || memcmp(at, HEAD, strlen(HEAD)) != 0 ||
        memcmp(end - tail, TAIL, tail) != 0 || strlen(at) != index->text.size)
        return false;
    end -= tail;
    for (at += strlen(HEAD); at < end;) {
        struct item *item = ARRAY_PUSH(index, items);
        item->text = at;
        at = scan_object(at, false, item);
        if (!at || !item->hex[0] || at > end || (at < end && *at != ','))
            return false;
        item->size = (size_t)(at - item->text);
        at += at < end; /* the comma */
    }
    return true;
}

static int compare_items(const struct item *a, const struct item *b)
{
    if (!a->name != !b->name)
        return a->name ? -1 : 1;
    if (!a->name)
        return strcmp(a->hex, b->hex);
    size_t common = a->name_size < b->name_size ? a->name_size : b->name_size;
    int order = memcmp(a->name, b->name, common);
    return order ? order : (a->name_size > b->name_size) - (a->name_size < b->name_size);
}

/* An entry for the file; NULL where the name isn't one. */
static char *entry_text(const char *name, const struct descriptor *desc, struct error **err)
{
    AUTO(descriptor_release) struct descriptor entry = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    descriptor_copy(&entry, desc);
    if (name) {
        AUTO(reference_release) struct reference reference = { 0 };
        if (reference_parse(name, &reference, err) < 0)
            return NULL;
        AUTO(free) char *familiar = reference_familiar(&reference);
        descriptor_annotate(&entry, STORE_ANNOTATION_REF_NAME, familiar);
        descriptor_annotate(&entry, STORE_ANNOTATION_IMAGE_NAME, name);
    }
    AUTO(json_decref) json_t *object = descriptor_to_json(&entry);
    json_format_canonical(object, &text);
    return strbuf_detach(&text);
}

static int make_item(const char *name, const struct descriptor *desc, struct item *ret,
                     struct error **err)
{
    *ret = (struct item){ .own = entry_text(name, desc, err) };
    if (!ret->own)
        return -1;
    ret->text = ret->own;
    ret->size = strlen(ret->own);
    digest_format_hex(&desc->digest, ret->hex);
    if (!name)
        return 0;
    struct item found = { 0 };
    if (!scan_object(ret->own, false, &found) || !found.name)
        return error_set(err, ERR_INVALID, "%s: no name for an index", name);
    ret->name = found.name;
    ret->name_size = found.name_size;
    return 0;
}

static void drop_items(struct store_index *index)
{
    for (size_t i = 0; i < index->n_items; i++)
        free(index->items[i].own);
    free(index->items);
    index->items = NULL;
    index->n_items = index->items_capacity = 0;
}

/* From the tags; they are sorted as the entries are. */
static int derive(struct store_index *index, struct error **err)
{
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    drop_items(index);
    if (store_tags_list(index->store, &tags, err) < 0)
        return -1;
    for (size_t i = 0; i < tags.n_tags; i++) {
        struct item item;
        if (make_item(tags.tags[i].name, &tags.tags[i].descriptor, &item, err) < 0)
            return error_wrap(err, "store %s: " INDEX_FILE, index->store->path);
        *ARRAY_PUSH(index, items) = item;
    }
    return 0;
}

static void remove_at(struct store_index *index, size_t i)
{
    free(index->items[i].own);
    memmove(&index->items[i], &index->items[i + 1],
            (index->n_items - i - 1) * sizeof(*index->items));
    index->n_items--;
}

/* Where an item is, or would stand. */
static size_t place_of(const struct store_index *index, const struct item *item, bool *found)
{
    size_t low = 0, high = index->n_items;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_items(&index->items[middle], item) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < index->n_items && compare_items(&index->items[low], item) == 0;
    return low;
}

/* By way of tmp/, so that a kill leaves nothing beside the layout's own files. */
static int replace_index(struct store *store, const struct strbuf *text, struct error **err)
{
    AUTO(tempfile_free)
    struct tempfile *temp = tempfile_new(store->dir_fds[STORE_TMP], "index", err);
    if (!temp || io_write_full(tempfile_fd(temp), text->data, text->size, "writing it", err) < 0)
        return -1;
    if (fchmod(tempfile_fd(temp), 0644) < 0)
        return error_errno(err, "setting its mode");
    return tempfile_commit(temp, store->dir_fds[STORE_ROOT], INDEX_FILE, err);
}

/* What others may read when it is renamed into place. */
static int write_items(struct store_index *index, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, HEAD);
    for (size_t i = 0; i < index->n_items; i++) {
        if (i)
            strbuf_adds(&text, ",");
        strbuf_add(&text, index->items[i].text, index->items[i].size);
    }
    strbuf_adds(&text, TAIL);
    if (replace_index(index->store, &text, err) < 0)
        return error_wrap(err, "store %s: " INDEX_FILE, index->store->path);
    return 0;
}

static bool is_older(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* 1 as it should be, 0 missing, empty (a crash) or older than the last change of a tag (a kill) */
static int is_fresh(struct store *store, struct error **err)
{
    struct stat index, tags;
    int there = fs_stat(store->dir_fds[STORE_ROOT], INDEX_FILE, &index, err);
    if (there <= 0)
        return there;
    if (fstat(store->dir_fds[STORE_TAGS], &tags) < 0)
        return error_errno(err, "tags");
    return index.st_size > 0 && !is_older(&index.st_mtim, &tags.st_mtim);
}

static int load(struct store_index *index, struct error **err)
{
    int root = index->store->dir_fds[STORE_ROOT];
    if (index->is_loaded)
        return 0;
    AUTO(error_free) struct error *ignored = NULL; /* then it is derived */
    int fresh = is_fresh(index->store, err);
    if (fresh < 0)
        return -1;
    if ((!fresh || fs_read_file(root, INDEX_FILE, &index->text, INDEX_MAX_SIZE, &ignored) < 0 ||
         !scan(index)) &&
        derive(index, err) < 0)
        return -1;
    index->is_loaded = true;
    index->was_empty = !index->n_items;
    return 0;
}

struct store_index *store_index_new(struct store *store)
{
    struct store_index *index = NEW(struct store_index);
    index->store = store;
    strbuf_init(&index->text);
    return index;
}

void store_index_free(struct store_index *index)
{
    if (!index)
        return;
    drop_items(index);
    strbuf_release(&index->text);
    free(index);
}

int store_index_has(struct store_index *index, const struct digest *digest, const char *except,
                    bool named, struct error **err)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    if (load(index, err) < 0)
        return -1;
    for (size_t i = 0; i < index->n_items; i++) {
        const struct item *item = &index->items[i];
        bool counts = item->name
                          ? !except || !is_text(item->name, item->name + item->name_size, except)
                          : !named;
        if (counts && strcmp(item->hex, hex) == 0)
            return 1;
    }
    return 0;
}

int store_index_begin(struct store_index *index, struct error **err)
{
    static const struct timespec never[] = { { 0, 0 }, { 0, 0 } };
    if (index->has_begun)
        return 0;
    if (load(index, err) < 0)
        return -1;
    if (utimensat(index->store->dir_fds[STORE_ROOT], INDEX_FILE, never, AT_SYMLINK_NOFOLLOW) < 0 &&
        errno != ENOENT)
        return error_errno(err, "store %s: " INDEX_FILE, index->store->path);
    index->has_begun = true;
    return 0;
}

bool store_index_has_begun(const struct store_index *index)
{
    return index->has_begun;
}

bool store_index_was_empty(const struct store_index *index)
{
    return index->was_empty;
}

void store_index_remove(struct store_index *index, const char *name, const struct digest *digest)
{
    struct item item = { .name = name, .name_size = name ? strlen(name) : 0 };
    bool found;
    digest_format_hex(digest, item.hex);
    size_t place = place_of(index, &item, &found);
    if (found)
        remove_at(index, place);
}

int store_index_put(struct store_index *index, const char *name, const struct descriptor *desc,
                    struct error **err)
{
    struct item item;
    bool found;
    if (make_item(name, desc, &item, err) < 0)
        return -1;
    store_index_remove(index, name, &desc->digest);
    if (name)
        store_index_remove(index, NULL, &desc->digest);
    size_t place = place_of(index, &item, &found);
    (void)ARRAY_PUSH(index, items);
    memmove(&index->items[place + 1], &index->items[place],
            (index->n_items - 1 - place) * sizeof(*index->items));
    index->items[place] = item;
    return 0;
}

int store_index_finish(struct store_index *index, struct error **err)
{
    return write_items(index, err);
}

static int rewrite(struct store *store, struct error **err)
{
    AUTO(store_index_free) struct store_index *index = store_index_new(store);
    return derive(index, err) < 0 ? -1 : write_items(index, err);
}

int store_index_refresh(struct store *store, struct error **err)
{
    int fresh = is_fresh(store, err);
    if (fresh)
        return fresh < 0 ? -1 : 0;
    AUTO(lockfile_release)
    struct lockfile *lock = store_lock_internal(store, STORE_LOCK_TAGS, LOCK_MODE_EXCLUSIVE, err);
    if (!lock)
        return -1;
    fresh = is_fresh(store, err); /* another process may have been at it */
    if (fresh)
        return fresh < 0 ? -1 : 0;
    return rewrite(store, err);
}
