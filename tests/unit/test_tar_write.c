/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"
#include "layers/archive_read.h"
#include "layers/tar_write.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <sys/stat.h>

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A100 A50 A50

struct row {
    struct entry entry;
    const char *content;
};

static void write_rows(const struct row *rows, size_t n, struct strbuf *tar)
{
    struct error *err = NULL;
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(tar);
    AUTO(tar_writer_free) struct tar_writer *writer = tar_writer_new(sink);
    for (size_t i = 0; i < n; i++) {
        assert_ok(tar_writer_entry(writer, &rows[i].entry, &err), err);
        if (rows[i].content)
            assert_ok(tar_writer_data(writer, rows[i].content, rows[i].entry.size, &err), err);
    }
    assert_ok(tar_writer_finish(writer, &err), err);
}

/* 6 entries of every simple kind */
static struct row plain[] = {
    { { .path = (char[]){ "gone" }, .type = ENTRY_WHITEOUT, .mode = 0777, .mtime = 99 }, NULL },
    { { .path = (char[]){ "d" }, .type = ENTRY_DIRECTORY, .mode = 0755, .mtime = 1700000000 },
      NULL },
    { { .path = (char[]){ "d" }, .type = ENTRY_OPAQUE }, NULL },
    { { .path = (char[]){ "d/gone" }, .type = ENTRY_WHITEOUT }, NULL },
    { { .path = (char[]){ "d/f" }, .mode = 04755, .uid = 1000, .gid = 100, .size = 5, .mtime = 1 },
      "hello" },
    { { .path = (char[]){ "d/l" },
        .type = ENTRY_HARDLINK,
        .mode = 04755,
        .uid = 1000,
        .gid = 100,
        .size = 5,
        .mtime = 1,
        .link = (char[]){ "d/f" } },
      NULL },
    { { .path = (char[]){ "s" }, .type = ENTRY_SYMLINK, .mode = 0, .link = (char[]){ "../x" } },
      NULL },
    { { .path = (char[]){ "tty" },
        .type = ENTRY_CHAR,
        .mode = 0620,
        .dev_major = 5,
        .dev_minor = 1 },
      NULL },
    { { .path = (char[]){ "p" }, .type = ENTRY_FIFO, .mode = 0600 }, NULL },
};

static void sha256_text(const struct strbuf *buf, char hex[SHA256_HEX_SIZE])
{
    uint8_t hash[SHA256_SIZE];
    sha256_of(buf->data, buf->size, hash);
    sha256_hex(hash, hex);
}

/* Changes only with the version of docs/FORMAT.md, "Layer bytes". */
static void bytes_are_golden(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    char hex[SHA256_HEX_SIZE];
    write_rows(NULL, 0, &tar);
    assert_int_equal(tar.size, 1024);
    sha256_text(&tar, hex);
    assert_string_equal(hex, "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
    strbuf_reset(&tar);
    write_rows(plain, ARRAY_SIZE(plain), &tar);
    assert_int_equal(tar.size, 512 * 10 + 1024);
    sha256_text(&tar, hex);
    assert_string_equal(hex, "ccd10d915ebfa5bdc54200ddef40cc45f197a5de3e9af2d29a1cbfc655fde5da");
}

static void headers_follow_ustar(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    write_rows(plain, ARRAY_SIZE(plain), &tar);
    assert_string_equal(tar.data, ".wh.gone");
    assert_string_equal(tar.data + 100, "0000000"); /* a whiteout has no attributes */
    assert_string_equal(tar.data + 136, "00000000000");
    assert_string_equal(tar.data + 512, "d/");
    assert_int_equal(tar.data[512 + 156], '5');
    assert_string_equal(tar.data + 512 + 136, "14524770400");
    assert_string_equal(tar.data + 1024, "d/.wh..wh..opq");
    assert_string_equal(tar.data + 1536, "d/.wh.gone");
    const char *file = tar.data + 2048;
    assert_string_equal(file, "d/f");
    assert_string_equal(file + 100, "0004755");
    assert_string_equal(file + 108, "0001750");
    assert_string_equal(file + 116, "0000144");
    assert_string_equal(file + 124, "00000000005");
    assert_memory_equal(file + 257, "ustar\00000", 8);
    assert_string_equal(file + 265, "");
    assert_string_equal(file + 512, "hello");
    const char *link = file + 1024;
    assert_int_equal(link[156], '1');
    assert_string_equal(link + 157, "d/f");
    assert_string_equal(link + 124, "00000000000");
    assert_string_equal(link + 512 + 100, "0000777"); /* symlinks have one mode */
    assert_string_equal(link + 1024 + 329, "0000005");
}

static void long_names_are_split_or_recorded(void **state UNUSED)
{
    static const struct {
        const char *path;
        enum entry_type type;
        bool pax;
    } cases[] = {
        { A100, ENTRY_FILE, false },
        { A100, ENTRY_DIRECTORY, true }, /* the slash is the 101st byte, and no place to split */
        { "d/" A100, ENTRY_FILE, false },
        { "d/" A100 "a", ENTRY_FILE, true },
        { A100 "/" A100, ENTRY_FILE, false },
        { A100 A50 "bbbbb/" A100, ENTRY_FILE, false },
        { A100 A50 "bbbbbb/" A100, ENTRY_FILE, true },
        { A50 "/" A50 "/" A50, ENTRY_FILE, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
        AUTO(free) char *path = strdup(cases[i].path);
        struct row row = { { .path = path, .type = cases[i].type }, NULL };
        write_rows(&row, 1, &tar);
        assert_int_equal(tar.size, cases[i].pax ? 5 * 512 : 3 * 512);
        AUTO(archive_reader_free)
        struct archive_reader *reader =
            archive_reader_new(source_memory_new(tar.data, tar.size), &err);
        struct archive_item item;
        assert_int_equal(archive_reader_next(reader, &item, &err), 1);
        assert_memory_equal(item.path, path, strlen(path));
    }
}

static void what_ustar_cannot_hold_is_recorded(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    char link[151] = { 0 };
    memset(link, 'l', 150);
    struct row row = { { .path = (char[]){ "k\303\244se" },
                         .type = ENTRY_SYMLINK,
                         .uid = 4294967294,
                         .gid = 2097152,
                         .mtime = -5,
                         .link = link },
                       NULL };
    entry_add_xattr(&row.entry, "user.b", "x\0\ny", 4);
    entry_add_xattr(&row.entry, "security.capability", "c", 1);
    write_rows(&row, 1, &tar);
    static const char records[] = "36 SCHILY.xattr.security.capability=c\n";
    assert_string_equal(tar.data, "././@PaxHeader");
    assert_memory_equal(tar.data + 512 + 2, records + 2, sizeof(records) - 3);

    AUTO(archive_reader_free)
    struct archive_reader *reader = archive_reader_new(source_memory_new(tar.data, tar.size), &err);
    struct archive_item item;
    assert_int_equal(archive_reader_next(reader, &item, &err), 1);
    assert_string_equal(item.path, "k\303\244se");
    assert_string_equal(item.symlink, link);
    assert_int_equal(item.uid, 4294967294);
    assert_int_equal(item.gid, 2097152);
    assert_int_equal(item.mtime, -5);
    const char *name;
    const void *value;
    size_t size, n = 0;
    while (archive_reader_xattr(reader, &name, &value, &size))
        if (strcmp(name, "user.b") == 0 && size == 4 && memcmp(value, "x\0\ny", 4) == 0)
            n++;
    assert_int_equal(n, 1);
    assert_int_equal(archive_reader_next(reader, &item, &err), 0);
    entry_add_xattr(&row.entry, "user.a=b", "", 0);
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(&tar);
    AUTO(tar_writer_free) struct tar_writer *writer = tar_writer_new(sink);
    assert_fails(tar_writer_entry(writer, &row.entry, &err), err, ERR_INVALID, "user.a=b");
    row.entry.path = row.entry.link = NULL;
    entry_release(&row.entry);
}

static void sizes_beyond_octal_are_recorded(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(&tar);
    AUTO(tar_writer_free) struct tar_writer *writer = tar_writer_new(sink);
    struct entry entry = { .path = (char[]){ "big" }, .size = UINT64_C(1) << 33 };
    assert_ok(tar_writer_entry(writer, &entry, &err), err);
    assert_string_equal(tar.data + 512, "19 size=8589934592\n");
    assert_int_equal(tar.size, 3 * 512);
}

/* The length counts itself: at 9/10 and 99/100 one more digit makes one more byte. */
static void record_lengths_are_exact(void **state UNUSED)
{
    for (size_t size = 60; size < 90; size++) {
        AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
        char value[100] = { 0 };
        memset(value, 'v', sizeof(value));
        struct row row = { { .path = strdup("f") }, NULL };
        entry_add_xattr(&row.entry, "user.k", value, size);
        write_rows(&row, 1, &tar);
        unsigned long length = strtoul(tar.data + 512, NULL, 10);
        assert_int_equal(tar.data[512 + length - 1], '\n');
        assert_int_equal(tar.data[512 + length], '\0');
        entry_release(&row.entry);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_golden),
        cmocka_unit_test(headers_follow_ustar),
        cmocka_unit_test(long_names_are_split_or_recorded),
        cmocka_unit_test(what_ustar_cannot_hold_is_recorded),
        cmocka_unit_test(sizes_beyond_octal_are_recorded),
        cmocka_unit_test(record_lengths_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
