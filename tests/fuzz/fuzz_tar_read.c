/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever a layer's tar says, only harmless names, links and attributes come out of the reader,
 * and their index is in order. What is borrowed from the reader is what it copies, whatever pieces
 * its source lends, each of which is gone at the next call.
 */
#include "base/array.h"
#include "base/mem.h"
#include "base/path.h"
#include "layers/tar_read.h"
#include "layers/tree_index.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONTENT ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *path)
{
    if (strlen(path) >= PATH_MAX || (path[0] && !path_is_clean_relative(path)))
        abort();
    for (const char *p = path; *p; p += *p == '/') {
        size_t n = strcspn(p, "/");
        if (n > NAME_MAX)
            abort();
        p += n;
    }
}

static void check_entry(const struct entry *entry)
{
    check_path(entry->path);
    if (!entry->path[0] && entry->type != ENTRY_DIRECTORY && entry->type != ENTRY_OPAQUE)
        abort();
    if (entry->type == ENTRY_HARDLINK) {
        check_path(entry->link);
        if (!entry->link[0])
            abort();
    }
    if (entry->type == ENTRY_SYMLINK && (!entry->link[0] || strlen(entry->link) >= PATH_MAX))
        abort();
    if (entry->uid == UINT32_MAX || entry->gid == UINT32_MAX || entry->mode > 07777)
        abort();
    if (entry->type == ENTRY_CHAR && !entry->dev_major && !entry->dev_minor)
        abort();
    for (size_t i = 0; i < entry->n_xattrs; i++) {
        const char *name = entry->xattrs[i].name;
        if (strcmp(name, "security.capability") != 0 &&
            (strncmp(name, "user.", 5) != 0 || strncmp(name, "user.overlay.", 13) == 0))
            abort();
    }
}

static void check_index(const struct tree_index *index)
{
    for (size_t i = 0; i < index->n_records; i++) {
        const struct tree_record *record = &index->records[i];
        if (i && path_compare(index->records[i - 1].path, record->path) >= 0)
            abort();
        if (record->end <= i || record->end > index->n_records)
            abort();
        for (size_t k = i + 1; k < record->end && k < i + 4; k++)
            if (!path_is_within(index->records[k].path, record->path))
                abort();
    }
}

static void read_content(struct tar_reader *tar)
{
    static uint8_t buffer[64 * 1024];
    struct error *err = NULL;
    ssize_t n = 1;
    for (size_t total = 0; n > 0 && total < MAX_CONTENT; total += (size_t)n)
        if ((n = tar_reader_data(tar, buffer, sizeof(buffer), &err)) < 0)
            break;
    error_free(err);
}

struct lender {
    struct source source;
    const uint8_t *data;
    size_t size, at, step;
    uint8_t *piece;
};

static ssize_t lender_borrow(struct source *source, void *buffer UNUSED, size_t size,
                             const void **data, struct error **err UNUSED)
{
    struct lender *self = (struct lender *)source;
    size_t n = self->size - self->at;
    if (n > self->step)
        n = self->step;
    if (n > size)
        n = size;
    free(self->piece);
    self->piece = xmalloc(n ? n : 1);
    memcpy(self->piece, self->data + self->at, n);
    self->at += n;
    *data = self->piece;
    return (ssize_t)n;
}

static ssize_t lender_read(struct source *source UNUSED, void *data UNUSED, size_t size UNUSED,
                           struct error **err UNUSED)
{
    abort(); /* nobody copies */
}

static void lender_free(struct source *source)
{
    struct lender *self = (struct lender *)source;
    free(self->piece);
    free(self);
}

static struct source *lender_new(const uint8_t *data, size_t size, size_t step)
{
    static const struct source_ops ops = { "lender", lender_read, lender_free, lender_borrow };
    struct lender *self = NEW(struct lender);
    *self = (struct lender){ { &ops }, data, size, 0, step, NULL };
    return &self->source;
}

/* Of the current entry; -1: fails. At most about MAX_CONTENT. */
static int content(struct tar_reader *tar, bool borrows, struct strbuf *ret)
{
    static uint8_t buffer[4000];
    AUTO(error_free) struct error *err = NULL;
    ssize_t n = 0;
    while (ret->size < MAX_CONTENT) {
        const void *bytes = buffer;
        n = borrows ? tar_reader_borrow(tar, sizeof(buffer), &bytes, &err)
                    : tar_reader_data(tar, buffer, sizeof(buffer), &err);
        if ((n < 0) != (err != NULL))
            abort();
        if (n <= 0)
            break;
        strbuf_add(ret, bytes, (size_t)n);
    }
    return n < 0 ? -1 : 0;
}

static void compare_contents(struct tar_reader *copying, struct tar_reader *borrowing)
{
    AUTO(strbuf_release) struct strbuf a = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf b = STRBUF_INIT;
    int copied = content(copying, false, &a);
    int borrowed = content(borrowing, true, &b);
    size_t n = a.size < b.size ? a.size : b.size;
    if (n && memcmp(a.data, b.data, n) != 0)
        abort();
    /* who copies may see a failure before the bytes that came with it */
    if (a.size < MAX_CONTENT && b.size < MAX_CONTENT &&
        (copied != borrowed || (copied == 0 && a.size != b.size)))
        abort();
}

static void compare_readers(const uint8_t *data, size_t size)
{
    AUTO(error_free) struct error *err_a = NULL;
    AUTO(error_free) struct error *err_b = NULL;
    const unsigned flags = TAR_READ_LAYER | TAR_READ_TAR_ONLY;
    const size_t step = 1 + (size ? data[size / 2] * data[size - 1] % 5000u : 0);
    AUTO(tar_reader_free)
    struct tar_reader *a = tar_reader_new(source_memory_new(data, size), flags, &err_a);
    AUTO(tar_reader_free)
    struct tar_reader *b = tar_reader_new(lender_new(data, size, step), flags, &err_b);
    AUTO(entry_release) struct entry entry_a = { 0 };
    AUTO(entry_release) struct entry entry_b = { 0 };
    for (int i = 0; i < 1000; i++) {
        int found = tar_reader_next(a, &entry_a, &err_a);
        if (tar_reader_next(b, &entry_b, &err_b) != found)
            abort();
        if (found <= 0)
            return;
        if (strcmp(entry_a.path, entry_b.path) != 0 || entry_a.size != entry_b.size)
            abort();
        if (entry_a.type == ENTRY_FILE)
            compare_contents(a, b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error *err = NULL;
    compare_readers(data, size);
    AUTO(entry_list_release) struct entry_list list = ENTRY_LIST_INIT;
    AUTO(tar_reader_free)
    struct tar_reader *tar =
        tar_reader_new(source_memory_new(data, size), TAR_READ_LAYER | TAR_READ_TAR_ONLY, &err);
    if (!tar)
        abort();
    AUTO(entry_release) struct entry entry = { 0 };
    int found = 0;
    while (list.n_entries < 1000 && (found = tar_reader_next(tar, &entry, &err)) > 0) {
        check_entry(&entry);
        entry_copy(ARRAY_PUSH(&list, entries), &entry);
        if (entry.type == ENTRY_FILE && list.n_entries % 2)
            read_content(tar);
    }
    if ((found < 0) != (err != NULL))
        abort();
    error_free(err);
    AUTO(tree_index_free) struct tree_index *index = tree_index_new(&list, 0);
    check_index(index);
    AUTO(tree_index_free) struct tree_index *merged = tree_index_merge(index, index);
    check_index(merged);
    return 0;
}
