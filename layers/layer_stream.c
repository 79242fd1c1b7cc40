/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/layer_stream.h"

#include "base/cancel.h"
#include "base/mem.h"
#include "layers/apply.h"
#include "layers/member_sink.h"
#include "layers/tar_write.h"
#include "oci/store_ingest.h"

#include <string.h>

#define READ_SIZE ((size_t)256 * 1024)
/* What comes from a disk while what stands before it is compressed. */
#define AHEAD_ENTRIES 256
#define AHEAD_BYTES ((uint64_t)32 * 1024 * 1024)

/* A changeset on its way: to the tar, and to the directory form. */
struct pass {
    const struct layer_options *options;
    const struct changeset *changeset;
    struct tar_writer *tar;
    struct form_writer *form; /* NULL: none is wanted, or it couldn't be made */
    char *buffer;
    size_t ahead;         /* the entry after those that ops->ahead() was told of */
    uint64_t ahead_bytes; /* of those of them that aren't read yet */
};

static void pass_release(struct pass *pass)
{
    tar_writer_free(pass->tar);
    form_writer_free(pass->form);
    free(pass->buffer);
}
DEFINE_AUTO_STRUCT(struct pass, pass_release)

/* A form is a cache: it is made of the blob when somebody needs it, who is told what stands in the
 * way. */
static void give_up_form(struct pass *pass, struct error *reason)
{
    error_free(reason);
    form_writer_free(TAKE(pass->form));
}

static void form_entry(struct pass *pass, const struct entry *entry)
{
    struct error *error = NULL;
    if (pass->form && form_writer_entry(pass->form, entry, &error) < 0)
        give_up_form(pass, error);
}

static void form_data(struct pass *pass, const void *data, size_t size)
{
    struct error *error = NULL;
    if (pass->form && form_writer_data(pass->form, data, size, &error) < 0)
        give_up_form(pass, error);
}

static int check(const struct pass *pass, struct error **err)
{
    const struct layer_options *options = pass->options;
    if (cancel_check(err) < 0)
        return -1;
    return options->check ? options->check(options->check_data, err) : 0;
}

/* Exactly entry->size bytes: a file that grew or shrank since its entry was made is an error. */
static int copy_content(struct pass *pass, struct source *source, const struct entry *entry,
                        struct error **err)
{
    uint64_t left = entry->size;
    for (;;) {
        if (check(pass, err) < 0)
            return -1;
        ssize_t n = source_read(source, pass->buffer, READ_SIZE, err);
        if (n < 0)
            return -1;
        if (n == 0 && left == 0)
            return 0;
        if (n == 0 || (uint64_t)n > left)
            return error_set(err, ERR_FAILED, "its size changed while it was read");
        if (tar_writer_data(pass->tar, pass->buffer, (size_t)n, err) < 0)
            return -1;
        form_data(pass, pass->buffer, (size_t)n);
        left -= (uint64_t)n;
    }
}

static int write_entry(struct pass *pass, const struct entry *entry, struct error **err)
{
    const struct changeset *changeset = pass->changeset;
    if (tar_writer_entry(pass->tar, entry, err) < 0)
        return -1;
    form_entry(pass, entry);
    if (entry->type != ENTRY_FILE || entry->size == 0)
        return check(pass, err);
    AUTO(source_free) struct source *source = changeset->ops->open(changeset->data, entry, err);
    if (source && copy_content(pass, source, entry, err) == 0)
        return 0;
    /* whose content it is may have said which file */
    bool is_named = !strncmp(error_message(*err), entry->path, strlen(entry->path));
    return is_named ? -1 : error_wrap(err, "%s", entry->path);
}

/* That ops->ahead() counts. */
static uint64_t content_size(const struct entry *entry)
{
    if (entry->type != ENTRY_FILE)
        return 0;
    return entry->size < CHANGESET_AHEAD_SIZE ? entry->size : CHANGESET_AHEAD_SIZE;
}

/* Before entry i is read. */
static void read_ahead(struct pass *pass, size_t i)
{
    const struct changeset *changeset = pass->changeset;
    const struct entry_list *list = &changeset->list;
    if (pass->ahead > i) { /* it was told of */
        pass->ahead_bytes -= content_size(&list->entries[i]);
    } else {
        pass->ahead = i + 1;
        pass->ahead_bytes = 0;
    }
    while (changeset->ops->ahead && pass->ahead < list->n_entries &&
           pass->ahead <= i + AHEAD_ENTRIES && pass->ahead_bytes < AHEAD_BYTES) {
        const struct entry *next = &list->entries[pass->ahead];
        const uint64_t size = content_size(next);
        if (size && !changeset->ops->ahead(changeset->data, next))
            return;
        pass->ahead_bytes += size;
        pass->ahead++;
    }
}

/* The changeset as a tar into `to`; `members` below it is told where entries begin. */
static int write_tar(struct pass *pass, struct sink *to, struct sink *members, struct error **err)
{
    pass->buffer = xmalloc(READ_SIZE);
    pass->tar = tar_writer_new(to);
    for (size_t i = 0; i < pass->changeset->list.n_entries; i++) {
        const struct entry *entry = &pass->changeset->list.entries[i];
        read_ahead(pass, i);
        if (member_sink_entry(members, entry->path, err) < 0 || write_entry(pass, entry, err) < 0)
            return -1;
    }
    return tar_writer_finish(pass->tar, err);
}

/*
 * Nothing is asked of the layers below: they may be in the making themselves, by tasks of the same
 * pool. What needs them is left to who mounts the layer.
 */
static void begin_form(struct pass *pass, struct store *store)
{
    struct error *error = NULL;
    pass->form = form_writer_new(store, NULL, &error);
    error_free(error); /* as in give_up_form() */
}

static void commit_form(struct pass *pass, const struct digest *diff_id)
{
    struct error *error = NULL;
    const struct digest no_chain = { 0 };
    AUTO(close) int fd = -1;
    if (pass->form && form_writer_finish(pass->form, &error) == 0 &&
        !form_writer_needs_chain(pass->form))
        fd = form_writer_commit(pass->form, diff_id, &no_chain, &error);
    give_up_form(pass, error); /* what has its name stays */
}

static int stream(const struct layer_options *options, const struct member_cache *cache,
                  struct pass *pass, struct sink *blob, struct entries *entries, struct error **err)
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
    int result = write_tar(pass, tar, members, err);
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
    AUTO(pass_release) struct pass pass = { .options = options, .changeset = changeset };
    struct digest digest;
    uint64_t size;
    if (options->wants_form)
        begin_form(&pass, store);
    if (!ingest || stream(options, cache, &pass, store_ingest_sink(ingest), &entries, err) < 0 ||
        store_ingest_commit(ingest, &digest, &size, err) < 0)
        return error_wrap(err, "writing a layer");

    struct entries whole = entries; /* borrows the list for a moment */
    whole.list = changeset->list;
    if (entries_write(store, &digest, &whole, err) < 0)
        return -1;
    commit_form(&pass, &entries.diff_id);
    descriptor_set(blob, compression_media_type(&options->compression), &digest, size);
    *ret = entries;
    entries = (struct entries){ .tar_size = 0 };
    return 0;
}
