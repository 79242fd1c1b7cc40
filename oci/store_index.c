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
 */
#include "base/array.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/tempfile.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "oci/store_internal.h"
#include "oci/store_tags.h"

#include <sys/stat.h>

#define INDEX_FILE "index.json"

static int add_entry(struct index *index, const struct store_tag *tag, struct error **err)
{
    struct descriptor *entry = ARRAY_PUSH(index, manifests);
    descriptor_copy(entry, &tag->descriptor);
    if (!tag->name)
        return 0;
    AUTO(reference_release) struct reference reference = { 0 };
    if (reference_parse(tag->name, &reference, err) < 0)
        return -1;
    AUTO(free) char *familiar = reference_familiar(&reference);
    descriptor_annotate(entry, STORE_ANNOTATION_REF_NAME, familiar);
    descriptor_annotate(entry, STORE_ANNOTATION_IMAGE_NAME, tag->name);
    return 0;
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

int store_index_write(struct store *store, struct error **err)
{
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    AUTO(index_release) struct index index = { .media_type = xstrdup(MEDIA_TYPE_OCI_INDEX) };
    if (store_tags_list(store, &tags, err) < 0)
        return -1;
    for (size_t i = 0; i < tags.n_tags; i++)
        if (add_entry(&index, &tags.tags[i], err) < 0)
            return error_wrap(err, "store %s: " INDEX_FILE, store->path);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    index_format(&index, &text);
    if (replace_index(store, &text, err) < 0)
        return error_wrap(err, "store %s: " INDEX_FILE, store->path);
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
    return store_index_write(store, err);
}
