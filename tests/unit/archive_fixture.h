/* SPDX-License-Identifier: Apache-2.0 */
/* Tars and images made in memory, for the tests of archives. */
#ifndef CBUILD_TESTS_UNIT_ARCHIVE_FIXTURE_H
#define CBUILD_TESTS_UNIT_ARCHIVE_FIXTURE_H

#include "layers/archive.h"
#include "layers/tar_write.h"
#include "tests/unit/store_fixture.h"

/* One member of a tar; type ENTRY_FILE has text as content, links have it as target. */
struct member_row {
    enum entry_type type;
    const char *path, *text;
};

static inline void tar_add(struct tar_writer *tar, enum entry_type type, const char *path,
                           const void *data, size_t size)
{
    struct error *err = NULL;
    AUTO(entry_release) struct entry entry = { .path = xstrdup(path), .type = type, .mode = 0755 };
    if (type == ENTRY_SYMLINK || type == ENTRY_HARDLINK)
        entry.link = xstrdup(data);
    if (type == ENTRY_FILE) {
        entry.mode = 0644;
        entry.size = size;
    }
    entry.mtime = 1700000000;
    assert_ok(tar_writer_entry(tar, &entry, &err), err);
    if (entry.size)
        assert_ok(tar_writer_data(tar, data, size, &err), err);
}

static inline void tar_of(const struct member_row *rows, size_t n, struct strbuf *tar)
{
    struct error *err = NULL;
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(tar);
    AUTO(tar_writer_free) struct tar_writer *writer = tar_writer_new(sink);
    for (size_t i = 0; i < n; i++)
        tar_add(writer, rows[i].type, rows[i].path, rows[i].text ? rows[i].text : "",
                rows[i].text ? strlen(rows[i].text) : 0);
    assert_ok(tar_writer_finish(writer, &err), err);
}

/* An image of one gzip layer with one file of this text. */
static inline void import_image(struct store *store, const char *text, struct descriptor *ret)
{
    struct error *err = NULL;
    const struct member_row rows[] = { { ENTRY_DIRECTORY, "etc", NULL },
                                       { ENTRY_FILE, "etc/text", text } };
    const struct import_options options = { .created = 1700000000 };
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    tar_of(rows, ARRAY_SIZE(rows), &tar);
    assert_ok(archive_import(store, source_memory_new(tar.data, tar.size), &options, ret, &err),
              err);
}

/* What archive_load() told: "NAME DIGEST\n" each. */
static inline int note_loaded(void *data, const struct archive_image *image,
                              struct error **err UNUSED)
{
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&image->descriptor.digest, digest);
    strbuf_addf(data, "%s %s\n", image->name ? image->name : "-", digest);
    return 0;
}

#endif
