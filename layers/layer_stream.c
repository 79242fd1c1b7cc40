/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/layer_stream.h"

#include "base/cancel.h"
#include "base/mem.h"
#include "layers/member_sink.h"
#include "layers/tar_write.h"
#include "oci/store_ingest.h"

#include <string.h>

#define READ_SIZE ((size_t)256 * 1024)

/* Exactly entry->size bytes: a file that grew or shrank since its entry was made is an error. */
static int copy_content(struct source *source, const struct entry *entry, struct tar_writer *tar,
                        char *buffer, struct error **err)
{
    uint64_t left = entry->size;
    for (;;) {
        if (cancel_check(err) < 0)
            return -1;
        ssize_t n = source_read(source, buffer, READ_SIZE, err);
        if (n < 0)
            return -1;
        if (n == 0 && left == 0)
            return 0;
        if (n == 0 || (uint64_t)n > left)
            return error_set(err, ERR_FAILED, "its size changed while it was read");
        if (tar_writer_data(tar, buffer, (size_t)n, err) < 0)
            return -1;
        left -= (uint64_t)n;
    }
}

static int write_entry(const struct changeset *changeset, const struct entry *entry,
                       struct tar_writer *tar, char *buffer, struct error **err)
{
    if (tar_writer_entry(tar, entry, err) < 0)
        return -1;
    if (entry->type != ENTRY_FILE || entry->size == 0)
        return cancel_check(err);
    AUTO(source_free) struct source *source = changeset->ops->open(changeset->data, entry, err);
    if (source && copy_content(source, entry, tar, buffer, err) == 0)
        return 0;
    /* whose content it is may have said which file */
    bool is_named = !strncmp(error_message(*err), entry->path, strlen(entry->path));
    return is_named ? -1 : error_wrap(err, "%s", entry->path);
}

/* The changeset as a tar into `to`; `members` below it is told where entries begin. */
static int write_tar(const struct changeset *changeset, struct sink *to, struct sink *members,
                     struct error **err)
{
    AUTO(free) char *buffer = xmalloc(READ_SIZE);
    AUTO(tar_writer_free) struct tar_writer *tar = tar_writer_new(to);
    for (size_t i = 0; i < changeset->list.n_entries; i++) {
        const struct entry *entry = &changeset->list.entries[i];
        if (member_sink_entry(members, entry->path, err) < 0 ||
            write_entry(changeset, entry, tar, buffer, err) < 0)
            return -1;
    }
    return tar_writer_finish(tar, err);
}

static int stream(const struct layer_options *options, const struct member_cache *cache,
                  const struct changeset *changeset, struct sink *blob, struct entries *entries,
                  struct error **err)
{
    const struct member_options member_options = {
        .compression = options->compression,
        .group = options->group,
        .n_threads = options->pool ? pool_n_threads(options->pool) : 1,
        .cache = cache,
    };
    struct member_list list = { NULL, 0, 0 };
    uint8_t diff_id[SHA256_SIZE];
    uint64_t tar_size;
    struct sink *members = member_sink_new(sink_borrow_new(blob), &member_options, &list);
    struct sink *tar = sink_sha256_new(members, diff_id, &tar_size);
    int result = write_tar(changeset, tar, members, err);
    if (result == 0)
        result = sink_finish(tar, err);
    sink_free(tar); /* helpers that still write are waited for */
    if (result < 0) {
        free(list.members);
        return -1;
    }
    entries->diff_id = digest_from_sha256(diff_id);
    entries->tar_size = tar_size;
    entries->codec = compression_codec_version(&options->compression);
    entries->members = list.members;
    entries->n_members = list.n_members;
    entries->members_capacity = list.members_capacity;
    return 0;
}

int layer_stream(struct store *store, const struct layer_options *options,
                 const struct changeset *changeset, struct descriptor *blob, struct entries *ret,
                 struct error **err)
{
    AUTO(member_cache_free) struct member_cache *cache = NULL;
    if (options->previous.is_set) {
        struct error *error = NULL;
        cache = member_cache_open(store, &options->previous, &options->compression, &error);
        if (error) {
            error_move(err, error);
            return -1;
        }
    }
    AUTO(store_ingest_free) struct store_ingest *ingest = store_ingest_new(store, NULL, err);
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    struct digest digest;
    uint64_t size;
    if (!ingest ||
        stream(options, cache, changeset, store_ingest_sink(ingest), &entries, err) < 0 ||
        store_ingest_commit(ingest, &digest, &size, err) < 0)
        return error_wrap(err, "writing a layer");

    struct entries whole = entries; /* borrows the list for a moment */
    whole.list = changeset->list;
    if (entries_write(store, &digest, &whole, err) < 0)
        return -1;
    descriptor_set(blob, compression_media_type(&options->compression), &digest, size);
    *ret = entries;
    entries = (struct entries){ .tar_size = 0 };
    return 0;
}
