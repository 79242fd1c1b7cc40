/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever a layer's tar says, only harmless names, links and attributes come out of the reader,
 * and their index is in order.
 */
#include "base/array.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error *err = NULL;
    AUTO(entry_list_release) struct entry_list list = { NULL, 0, 0 };
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
