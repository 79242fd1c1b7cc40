/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/archive_read.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#define LIBRARY "libarchive.so.13"
#define READ_SIZE ((size_t)256 * 1024)

#define FUNCTIONS(X)                                                                               \
    X(archive_read_new)                                                                            \
    X(archive_read_free)                                                                           \
    X(archive_read_support_format_tar)                                                             \
    X(archive_read_support_format_raw)                                                             \
    X(archive_read_support_filter_bzip2)                                                           \
    X(archive_read_support_filter_xz)                                                              \
    X(archive_read_set_options)                                                                    \
    X(archive_read_open)                                                                           \
    X(archive_read_next_header)                                                                    \
    X(archive_read_data_block)                                                                     \
    X(archive_filter_count)                                                                        \
    X(archive_error_string)                                                                        \
    X(archive_entry_pathname)                                                                      \
    X(archive_entry_hardlink)                                                                      \
    X(archive_entry_symlink)                                                                       \
    X(archive_entry_filetype)                                                                      \
    X(archive_entry_perm)                                                                          \
    X(archive_entry_uid)                                                                           \
    X(archive_entry_gid)                                                                           \
    X(archive_entry_size)                                                                          \
    X(archive_entry_size_is_set)                                                                   \
    X(archive_entry_mtime)                                                                         \
    X(archive_entry_rdevmajor)                                                                     \
    X(archive_entry_rdevminor)                                                                     \
    X(archive_entry_sparse_reset)                                                                  \
    X(archive_entry_sparse_next)                                                                   \
    X(archive_entry_xattr_reset)                                                                   \
    X(archive_entry_xattr_next)

/* The library's functions, filled once. */
static struct {
#define MEMBER(name) __typeof__(&name) name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} lib;
static const char *missing; /* NULL: all there */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find(void *handle, const char *name, void *slot)
{
    void *function = dlsym(handle, name);
    if (!function && !missing)
        missing = name;
    memcpy(slot, &function, sizeof(function));
}

static void load(void)
{
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL); /* stays open until exit */
    if (!handle) {
        missing = "cannot be loaded";
        return;
    }
#define FIND(name) find(handle, #name, &lib.name);
    FUNCTIONS(FIND)
#undef FIND
}

struct archive_reader {
    struct source *source;
    struct archive *archive;
    bool opened;
    struct archive_entry *entry; /* the current one, belongs to archive */
    struct error *source_error;  /* of a failed read, to be reported once */
    char *buffer;
    /* of the current entry's content: a block of bytes, maybe behind a hole */
    const char *block;
    size_t block_size;
    uint64_t at, block_at, holes; /* at: what was read */
    bool content_ends;
};

static la_ssize_t read_source(struct archive *archive UNUSED, void *data, const void **buffer)
{
    struct archive_reader *reader = data;
    *buffer = NULL;
    if (reader->source_error)
        return ARCHIVE_FATAL;
    return source_borrow(reader->source, reader->buffer, READ_SIZE, buffer, &reader->source_error);
}

/* libarchive's result as an error of ours. */
static int reader_failure(struct archive_reader *reader, struct error **err)
{
    if (reader->source_error) {
        error_move(err, TAKE(reader->source_error));
        return -1;
    }
    const char *text = lib.archive_error_string(reader->archive);
    return error_set(err, ERR_INVALID, "%s", text ? text : "damaged archive");
}

static struct archive_reader *reader_alloc(struct source *source, struct error **err)
{
    AUTO(source_free) struct source *owned = source;
    (void)pthread_once(&once, load); /* can't fail with a valid control */
    if (missing)
        return error_set_null(err, ERR_UNSUPPORTED, "%s: %s", LIBRARY, missing);
    struct archive_reader *reader = NEW(struct archive_reader);
    reader->archive = lib.archive_read_new();
    if (!reader->archive)
        abort(); /* memory is out */
    reader->buffer = xmalloc(READ_SIZE);
    reader->source = TAKE(owned);
    return reader;
}

void archive_reader_free(struct archive_reader *reader)
{
    if (!reader)
        return;
    (void)lib.archive_read_free(reader->archive); /* nothing is written */
    source_free(reader->source);
    error_free(reader->source_error);
    free(reader->buffer);
    free(reader);
}

struct archive_reader *archive_reader_new(struct source *source, struct error **err)
{
    AUTO(archive_reader_free) struct archive_reader *reader = reader_alloc(source, err);
    if (!reader)
        return NULL;
    int result = lib.archive_read_support_format_tar(reader->archive);
    if (result != ARCHIVE_OK && reader_failure(reader, err) < 0)
        return NULL;
    return TAKE(reader);
}

/* Looking at the first bytes is left to the first call of next, so that new never blocks. */
static int reader_open(struct archive_reader *reader, struct error **err)
{
    if (reader->opened)
        return 0;
    reader->opened = true;
    if (lib.archive_read_open(reader->archive, reader, NULL, read_source, NULL) != ARCHIVE_OK)
        return reader_failure(reader, err);
    return 0;
}

static void measure_sparse(struct archive_entry *entry, struct archive_item *item)
{
    la_int64_t offset, size;
    item->n_sparse = (uint64_t)lib.archive_entry_sparse_reset(entry);
    if (!item->n_sparse)
        return; /* a map of the whole file was freed by the reset, and next would read it (3.6.2) */
    while (lib.archive_entry_sparse_next(entry, &offset, &size) == ARCHIVE_OK)
        if (size < 0 ||
            __builtin_add_overflow(item->sparse_data, (uint64_t)size, &item->sparse_data))
            item->sparse_data = UINT64_MAX;
}

int archive_reader_next(struct archive_reader *reader, struct archive_item *item,
                        struct error **err)
{
    if (reader_open(reader, err) < 0)
        return -1;
    struct archive_entry *entry;
    int result = lib.archive_read_next_header(reader->archive, &entry);
    if (result == ARCHIVE_EOF)
        return 0;
    /* WARN: in the C locale, any pax name that isn't ASCII; the bytes are kept. RETRY is damage. */
    if ((result != ARCHIVE_OK && result != ARCHIVE_WARN) || reader->source_error)
        return reader_failure(reader, err);
    reader->entry = entry;
    reader->block_size = 0;
    reader->at = reader->block_at = reader->holes = 0;
    reader->content_ends = false;

    memset(item, 0, sizeof(*item));
    item->path = lib.archive_entry_pathname(entry);
    item->hardlink = lib.archive_entry_hardlink(entry);
    item->symlink = lib.archive_entry_symlink(entry);
    item->type = (uint32_t)lib.archive_entry_filetype(entry);
    item->mode = (uint16_t)(lib.archive_entry_perm(entry) & 07777);
    item->uid = lib.archive_entry_uid(entry);
    item->gid = lib.archive_entry_gid(entry);
    item->has_size = lib.archive_entry_size_is_set(entry) != 0;
    item->size = lib.archive_entry_size(entry);
    item->mtime = (int64_t)lib.archive_entry_mtime(entry);
    item->dev_major = (uint64_t)lib.archive_entry_rdevmajor(entry);
    item->dev_minor = (uint64_t)lib.archive_entry_rdevminor(entry);
    measure_sparse(entry, item);
    (void)lib.archive_entry_xattr_reset(entry); /* their count */
    return 1;
}

bool archive_reader_xattr(struct archive_reader *reader, const char **name, const void **value,
                          size_t *size)
{
    return lib.archive_entry_xattr_next(reader->entry, name, value, size) == ARCHIVE_OK;
}

/* The end has a place, too: whoever wrote the archive may say that the file is longer. */
static int next_block(struct archive_reader *reader, struct error **err)
{
    const void *block = NULL;
    size_t size = 0;
    la_int64_t at = (la_int64_t)reader->at;
    int result = lib.archive_read_data_block(reader->archive, &block, &size, &at);
    if (reader->source_error || (result != ARCHIVE_OK && result != ARCHIVE_EOF))
        return reader_failure(reader, err);
    if (at < 0 || (uint64_t)at < reader->at)
        return error_set(err, ERR_INVALID, "blocks of a sparse file out of order");
    reader->holes += (uint64_t)at - reader->at;
    if (reader->holes > ARCHIVE_MAX_HOLES)
        return error_set(err, ERR_LIMIT, "sparse file with %llu bytes of holes",
                         (unsigned long long)reader->holes);
    reader->content_ends = result == ARCHIVE_EOF;
    reader->block = block;
    reader->block_size = reader->content_ends ? 0 : size;
    reader->block_at = (uint64_t)at;
    return 0;
}

ssize_t archive_reader_borrow(struct archive_reader *reader, size_t size, const void **data,
                              struct error **err)
{
    static const char zeros[64 << 10];
    while (reader->at == reader->block_at && !reader->block_size) {
        if (reader->content_ends)
            return 0;
        if (next_block(reader, err) < 0)
            return -1;
    }
    if (reader->at < reader->block_at) {
        uint64_t hole = reader->block_at - reader->at;
        size_t n = hole < sizeof(zeros) ? (size_t)hole : sizeof(zeros);
        *data = zeros;
        size = size < n ? size : n;
    } else {
        *data = reader->block;
        size = size < reader->block_size ? size : reader->block_size;
        reader->block += size;
        reader->block_size -= size;
        reader->block_at += size;
    }
    reader->at += size;
    return (ssize_t)size;
}

ssize_t archive_reader_data(struct archive_reader *reader, void *data, size_t size,
                            struct error **err)
{
    const void *bytes = NULL;
    ssize_t n = archive_reader_borrow(reader, size, &bytes, err);
    if (n > 0)
        memcpy(data, bytes, (size_t)n);
    return n;
}

/* Filters: a "raw" archive holds one member, the decompressed bytes. */

struct filter_source {
    struct source source;
    struct source *next; /* until the first read */
    enum filter_kind filter;
    struct archive_reader *reader;
};

static int filter_open(struct filter_source *self, struct error **err)
{
    self->reader = reader_alloc(TAKE(self->next), err);
    if (!self->reader)
        return -1;
    struct archive *archive = self->reader->archive;
    int result = lib.archive_read_support_format_raw(archive);
    if (result == ARCHIVE_OK)
        result = self->filter == FILTER_XZ ? lib.archive_read_support_filter_xz(archive)
                                           : lib.archive_read_support_filter_bzip2(archive);
    if (result != ARCHIVE_OK) /* WARN: it would call an external program */
        return error_set(err, ERR_UNSUPPORTED, "%s without %s", LIBRARY,
                         self->filter == FILTER_XZ ? "xz" : "bzip2");
    struct archive_item item;
    if (archive_reader_next(self->reader, &item, err) < 0)
        return -1;
    if (lib.archive_filter_count(archive) < 2)
        return error_set(err, ERR_INVALID, "damaged compressed stream");
    return 0;
}

static ssize_t filter_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct filter_source *self = (struct filter_source *)source;
    if (!self->reader && filter_open(self, err) < 0)
        return -1;
    return archive_reader_data(self->reader, data, size, err);
}

static void filter_free(struct source *source)
{
    struct filter_source *self = (struct filter_source *)source;
    archive_reader_free(self->reader);
    source_free(self->next);
    free(self);
}

struct source *archive_filter_source_new(struct source *next, enum filter_kind filter)
{
    static const struct source_ops ops = { "libarchive filter", filter_read, filter_free };
    struct filter_source *self = NEW(struct filter_source);
    self->source.ops = &ops;
    self->next = next;
    self->filter = filter;
    return &self->source;
}
