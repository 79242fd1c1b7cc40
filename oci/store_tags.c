/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tags/HEX is the tag whose normalised name has that SHA-256 (a name may be
 * longer than a file name), tags/untagged-HEX keeps the image with that digest.
 * Both hold canonical JSON. Changes are made under the tags lock in an order that
 * loses no image when we are killed: the untagged entry of who loses its name is
 * written first, that of who gets one removed last; list drops what is said twice.
 */
#include "oci/store_tags.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/json.h"
#include "base/tempfile.h"
#include "oci/members.h"
#include "oci/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define TAG_FILE_MAX_SIZE ((size_t)1 << 20)
#define UNTAGGED "untagged-"
#define FILE_NAME_SIZE (sizeof(UNTAGGED) + DIGEST_HEX_SIZE)

static void tag_release(struct store_tag *tag)
{
    free(tag->name);
    descriptor_release(&tag->descriptor);
    *tag = (struct store_tag){ 0 };
}
DEFINE_AUTO_STRUCT(struct store_tag, tag_release)

void store_tags_release(struct store_tags *tags)
{
    for (size_t i = 0; i < tags->n_tags; i++)
        tag_release(&tags->tags[i]);
    free(tags->tags);
    *tags = (struct store_tags){ 0 };
}

/* The name that a tag is kept under: never with a digest. */
static char *tag_name(const struct reference *reference, struct error **err)
{
    if (!reference->tag) {
        AUTO(free) char *text = reference_familiar(reference);
        error_set_(err, ERR_INVALID, "reference \"%s\": a tag is needed", text);
        return NULL;
    }
    return xasprintf("%s/%s:%s", reference->domain, reference->path, reference->tag);
}

static void file_of_name(const char *name, char out[FILE_NAME_SIZE])
{
    struct digest digest = digest_of(name, strlen(name));
    digest_format_hex(&digest, out);
}

static void file_of_untagged(const struct digest *digest, char out[FILE_NAME_SIZE])
{
    memcpy(out, UNTAGGED, sizeof(UNTAGGED) - 1);
    digest_format_hex(digest, out + sizeof(UNTAGGED) - 1);
}

static int tag_from_json(const json_t *object, struct store_tag *tag, struct error **err)
{
    const json_t *desc = NULL;
    if (members_get_text(object, "", "name", &tag->name, err) < 0 ||
        json_get_int64(object, "", "tagged", JSON_REQUIRED, &tag->tagged, err) < 0 ||
        json_get_object(object, "", "descriptor", JSON_REQUIRED, &desc, err) < 0)
        return -1;
    return descriptor_from_json(desc, "/descriptor", &tag->descriptor, err);
}

/* A file says what its name says: else it was copied or is damaged. */
static int check_file_name(const char *file, const struct store_tag *tag, struct error **err)
{
    char expected[FILE_NAME_SIZE];
    if (tag->name)
        file_of_name(tag->name, expected);
    else
        file_of_untagged(&tag->descriptor.digest, expected);
    if (strcmp(file, expected) != 0)
        return error_set(err, ERR_INVALID, "it holds another tag");
    return 0;
}

/* 1 read, 0 there is none */
static int tag_read(struct store *store, const char *file, struct store_tag *ret,
                    struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (fs_read_file(store->dir_fds[STORE_TAGS], file, &text, TAG_FILE_MAX_SIZE, err) < 0) {
        if (!error_is(*err, ERR_NOT_FOUND))
            return error_wrap(err, "store %s: tags/%s", store->path, file);
        error_clear(err);
        return 0;
    }
    AUTO(tag_release) struct store_tag tag = { 0 };
    AUTO(json_decref) json_t *object = json_parse_object(text.data, text.size, err);
    if (!object || tag_from_json(object, &tag, err) < 0 || check_file_name(file, &tag, err) < 0) {
        error_recode(err, ERR_STORE);
        error_hint(err, "`cbuild fsck --repair` removes damaged tags");
        return error_wrap(err, "store %s: tags/%s", store->path, file);
    }
    *ret = tag;
    tag = (struct store_tag){ 0 };
    return 1;
}

/* Content before the name; the name is durable when the directory is synced. */
static int write_content(struct store *store, const char *file, const struct strbuf *text,
                         struct error **err)
{
    AUTO(tempfile_free) struct tempfile *temp = tempfile_new(store->dir_fds[STORE_TMP], "tag", err);
    if (!temp || io_write_full(tempfile_fd(temp), text->data, text->size, "tag", err) < 0)
        return -1;
    if (fdatasync(tempfile_fd(temp)) < 0)
        return error_errno(err, "syncing a tag");
    return tempfile_commit(temp, store->dir_fds[STORE_TAGS], file, err);
}

static int sync_part(const struct store *store, int fd, const char *what, struct error **err)
{
    return fsync(fd) < 0 ? error_errno(err, "store %s: syncing %s", store->path, what) : 0;
}

/* A descriptor out of another layout's index brings the name that it had there. */
static json_t *nameless_json(const struct descriptor *desc)
{
    json_t *object = descriptor_to_json(desc);
    json_t *annotations = json_object_get(object, "annotations");
    (void)json_object_del(annotations, STORE_ANNOTATION_REF_NAME); /* may be absent */
    (void)json_object_del(annotations, STORE_ANNOTATION_IMAGE_NAME);
    if (annotations && !json_object_size(annotations))
        (void)json_object_del(object, "annotations");
    return object;
}

static int tag_write(struct store *store, const char *file, const char *name,
                     const struct descriptor *desc, struct error **err)
{
    AUTO(json_decref) json_t *object = json_object();
    members_set_text(object, "name", name);
    json_set(object, "tagged", json_integer(clock_now()));
    json_set(object, "descriptor", nameless_json(desc));
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    json_format_canonical(object, &text);
    if (write_content(store, file, &text, err) < 0)
        return error_wrap(err, "store %s", store->path);
    return 0;
}

static int compare_tags(const void *a, const void *b)
{
    const struct store_tag *x = a, *y = b;
    if (!x->name != !y->name)
        return x->name ? -1 : 1;
    if (x->name)
        return strcmp(x->name, y->name);
    return digest_compare(&x->descriptor.digest, &y->descriptor.digest);
}

/* An untagged entry whose image has a name is what a killed process left. */
static void drop_said_twice(struct store_tags *tags)
{
    AUTO(hashmap_release) struct hashmap named = HASHMAP_INIT(NULL);
    size_t n = 0;
    for (size_t i = 0; i < tags->n_tags; i++) {
        struct store_tag *tag = &tags->tags[i];
        const struct digest *digest = &tag->descriptor.digest;
        if (tag->name) { /* names come first */
            hashmap_putn(&named, digest->bytes, sizeof(digest->bytes), tags);
        } else if (hashmap_getn(&named, digest->bytes, sizeof(digest->bytes))) {
            tag_release(tag);
            continue;
        }
        if (n != i) {
            tags->tags[n] = *tag;
            *tag = (struct store_tag){ 0 };
        }
        n++;
    }
    tags->n_tags = n;
}

int store_tags_list(struct store *store, struct store_tags *ret, struct error **err)
{
    AUTO(strvec_release) struct strvec files = STRVEC_INIT;
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    if (fs_list_fd(store->dir_fds[STORE_TAGS], &files, "tags", err) < 0)
        return error_wrap(err, "store %s", store->path);
    for (size_t i = 0; i < files.n; i++) {
        struct store_tag tag = { 0 };
        int there = tag_read(store, files.items[i], &tag, err);
        if (there < 0)
            return -1;
        if (there)
            *ARRAY_PUSH(&tags, tags) = tag;
    }
    if (tags.n_tags)
        qsort(tags.tags, tags.n_tags, sizeof(*tags.tags), compare_tags);
    drop_said_twice(&tags);
    *ret = tags;
    tags = (struct store_tags){ 0 };
    return 0;
}

int store_tags_sweep(struct store *store, bool remove, size_t *n_damaged, struct error **err)
{
    AUTO(strvec_release) struct strvec files = STRVEC_INIT;
    if (fs_list_fd(store->dir_fds[STORE_TAGS], &files, "tags", err) < 0)
        return error_wrap(err, "store %s", store->path);
    *n_damaged = 0;
    for (size_t i = 0; i < files.n; i++) {
        AUTO(tag_release) struct store_tag tag = { 0 };
        if (tag_read(store, files.items[i], &tag, err) >= 0)
            continue;
        if (!error_is(*err, ERR_STORE))
            return -1;
        error_clear(err);
        (*n_damaged)++;
        if (remove && fs_unlink(store->dir_fds[STORE_TAGS], files.items[i], err) < 0)
            return error_wrap(err, "store %s", store->path);
    }
    return 0;
}

static int keep_nameless(struct store *store, struct store_index *index,
                         const struct descriptor *desc, struct error **err)
{
    char file[FILE_NAME_SIZE];
    file_of_untagged(&desc->digest, file);
    if (tag_write(store, file, NULL, desc, err) < 0)
        return -1;
    return store_index_put(index, NULL, desc, err);
}

/* An image that loses this name. */
static int keep_if_nameless(struct store *store, struct store_index *index,
                            const struct descriptor *desc, const char *lost, struct error **err)
{
    int has = store_index_has(index, &desc->digest, lost, true, err);
    if (has)
        return has < 0 ? -1 : 0;
    return keep_nameless(store, index, desc, err);
}

static int set_tag(struct store *store, struct store_index *index, const char *name,
                   const struct descriptor *desc, struct error **err)
{
    char file[FILE_NAME_SIZE], untagged[FILE_NAME_SIZE];
    file_of_name(name, file);
    file_of_untagged(&desc->digest, untagged);
    AUTO(tag_release) struct store_tag old = { 0 };
    int had = tag_read(store, file, &old, err);
    if (had < 0)
        return -1;
    if (had && digest_equal(&old.descriptor.digest, &desc->digest))
        return 0;
    if (store_index_begin(index, err) < 0)
        return -1;
    if (had && keep_if_nameless(store, index, &old.descriptor, name, err) < 0)
        return -1;
    if (tag_write(store, file, name, desc, err) < 0 ||
        fs_unlink(store->dir_fds[STORE_TAGS], untagged, err) < 0)
        return -1;
    return store_index_put(index, name, desc, err);
}

static int keep(struct store *store, struct store_index *index, const struct descriptor *desc,
                struct error **err)
{
    int has = store_index_has(index, &desc->digest, NULL, false, err);
    if (has)
        return has < 0 ? -1 : 0;
    return store_index_begin(index, err) < 0 ? -1 : keep_nameless(store, index, desc, err);
}

/* What the first name of a store needs besides: the way there. */
static int sync_skeleton(struct store *store, struct error **err)
{
    static const struct {
        const char *path;
        int flags;
    } parts[] = {
        { "cbuild-store", O_RDONLY },        { "oci-layout", O_RDONLY },
        { "blobs", O_RDONLY | O_DIRECTORY }, { ".", O_RDONLY | O_DIRECTORY },
        { "..", O_RDONLY | O_DIRECTORY },
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        AUTO(close)
        int fd = openat(store->dir_fds[STORE_ROOT], parts[i].path, parts[i].flags | O_CLOEXEC);
        if (fd < 0 && (errno == ENOENT || errno == EACCES))
            continue; /* a directory above that we may not read: its owner's affair */
        if (fd < 0)
            return error_errno(err, "store %s: %s", store->path, parts[i].path);
        if (sync_part(store, fd, parts[i].path, err) < 0)
            return -1;
    }
    return 0;
}

/* What the images need, in memory's order or the disk's: durable before a name says so. */
static int sync_images(struct store *store, const struct store_naming *names, size_t n_names,
                       struct error **err)
{
    AUTO(hashmap_release) struct hashmap needed = HASHMAP_INIT(NULL);
    for (size_t i = 0; i < n_names; i++)
        if (store_mark_image(store, names[i].image, &needed, err) < 0)
            return -1;
    return store_sync_names(store, &needed, err);
}

static int wrap_naming(const struct store_naming *naming, struct error **err)
{
    AUTO(free) char *name = naming->reference ? reference_format(naming->reference) : NULL;
    return name ? error_wrap(err, "tagging %s", name) : error_wrap(err, "keeping an image");
}

/*
 * Both locks that a new root needs: collecting sees it or has not begun, and what it refers to is
 * there. The caller releases them, tags first.
 */
static int begin_roots(struct store *store, const struct store_naming *names, size_t n_names,
                       struct lockfile **store_lock, struct lockfile **tags_lock,
                       struct error **err)
{
    if (sync_images(store, names, n_names, err) < 0)
        return wrap_naming(&names[0], err);
    *store_lock = store_lock_internal(store, STORE_LOCK_STORE, LOCK_MODE_SHARED, err);
    for (size_t i = 0; *store_lock && i < n_names; i++)
        if (store_check_image(store, names[i].image, err) < 0)
            return wrap_naming(&names[i], err);
    if (*store_lock)
        *tags_lock = store_lock_internal(store, STORE_LOCK_TAGS, LOCK_MODE_EXCLUSIVE, err);
    return *tags_lock ? 0 : -1;
}

static int set_one(struct store *store, struct store_index *index,
                   const struct store_naming *naming, struct error **err)
{
    if (!naming->reference)
        return keep(store, index, naming->image, err);
    AUTO(free) char *name = tag_name(naming->reference, err);
    return name ? set_tag(store, index, name, naming->image, err) : -1;
}

static int set_all(struct store *store, const struct store_naming *names, size_t n_names,
                   struct error **err)
{
    AUTO(store_index_free) struct store_index *index = store_index_new(store);
    for (size_t i = 0; i < n_names; i++)
        if (set_one(store, index, &names[i], err) < 0)
            return wrap_naming(&names[i], err);
    if (!store_index_has_begun(index))
        return 0;
    if ((store_index_was_empty(index) && sync_skeleton(store, err) < 0) ||
        sync_part(store, store->dir_fds[STORE_TAGS], "tags", err) < 0)
        return -1;
    return store_index_finish(index, err);
}

int store_tags_set(struct store *store, const struct store_naming *names, size_t n_names,
                   struct error **err)
{
    AUTO(lockfile_release) struct lockfile *store_lock = NULL;
    AUTO(lockfile_release) struct lockfile *tags_lock = NULL;
    if (!n_names)
        return 0;
    if (begin_roots(store, names, n_names, &store_lock, &tags_lock, err) < 0)
        return -1;
    return set_all(store, names, n_names, err);
}

int store_tag_set(struct store *store, const struct reference *reference,
                  const struct descriptor *desc, struct error **err)
{
    const struct store_naming naming = { reference, desc };
    return store_tags_set(store, &naming, 1, err);
}

int store_tag_keep(struct store *store, const struct descriptor *desc, struct error **err)
{
    const struct store_naming naming = { NULL, desc };
    return store_tags_set(store, &naming, 1, err);
}

/* ERR_NOT_FOUND. The file's name as well. */
static int find_tag(struct store *store, const char *name, char file[FILE_NAME_SIZE],
                    struct store_tag *ret, struct error **err)
{
    file_of_name(name, file);
    int there = tag_read(store, file, ret, err);
    if (there < 0)
        return -1;
    return there ? 0
                 : error_set(err, ERR_NOT_FOUND, "image %s: not in store %s", name, store->path);
}

int store_tag_get(struct store *store, const struct reference *reference, struct descriptor *ret,
                  struct error **err)
{
    AUTO(free) char *name = tag_name(reference, err);
    if (!name)
        return -1;
    char file[FILE_NAME_SIZE];
    AUTO(tag_release) struct store_tag tag = { 0 };
    if (find_tag(store, name, file, &tag, err) < 0)
        return -1;
    descriptor_copy(ret, &tag.descriptor);
    return 0;
}

/* index.json is derived: where the disk is full, removing must go on, and the next open writes it.
 */
static int index_after_removal(struct store_index *index, struct error **err)
{
    if (store_index_finish(index, err) == 0)
        return 0;
    if (!error_is(*err, ERR_NO_SPACE))
        return -1;
    error_clear(err);
    return 0;
}

static int remove_tag(struct store *store, const char *name, bool keep_image, struct error **err)
{
    char file[FILE_NAME_SIZE];
    AUTO(tag_release) struct store_tag tag = { 0 };
    if (find_tag(store, name, file, &tag, err) < 0)
        return -1;
    AUTO(store_index_free) struct store_index *index = store_index_new(store);
    if (store_index_begin(index, err) < 0)
        return -1;
    if (keep_image && (keep_if_nameless(store, index, &tag.descriptor, name, err) < 0 ||
                       sync_part(store, store->dir_fds[STORE_TAGS], "tags", err) < 0))
        return -1;
    if (fs_unlink(store->dir_fds[STORE_TAGS], file, err) < 0)
        return -1;
    store_index_remove(index, name, &tag.descriptor.digest);
    return index_after_removal(index, err);
}

int store_tag_remove(struct store *store, const struct reference *reference, bool keep_image,
                     struct error **err)
{
    AUTO(free) char *name = tag_name(reference, err);
    if (!name)
        return -1;
    AUTO(lockfile_release)
    struct lockfile *lock = store_lock_internal(store, STORE_LOCK_TAGS, LOCK_MODE_EXCLUSIVE, err);
    if (!lock)
        return error_wrap(err, "untagging %s", name);
    return remove_tag(store, name, keep_image, err);
}

static int remove_untagged(struct store *store, const struct digest *digest, struct error **err)
{
    char file[FILE_NAME_SIZE];
    file_of_untagged(digest, file);
    AUTO(store_index_free) struct store_index *index = store_index_new(store);
    if (store_index_begin(index, err) < 0 || fs_unlink(store->dir_fds[STORE_TAGS], file, err) < 0)
        return -1;
    store_index_remove(index, NULL, digest);
    return index_after_removal(index, err);
}

int store_tag_remove_untagged(struct store *store, const struct digest *digest, struct error **err)
{
    AUTO(lockfile_release)
    struct lockfile *lock = store_lock_internal(store, STORE_LOCK_TAGS, LOCK_MODE_EXCLUSIVE, err);
    if (!lock || remove_untagged(store, digest, err) < 0)
        return error_wrap(err, "store %s: removing an image without name", store->path);
    return 0;
}
