/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/entries.h"
#include "layers/tar_write.h"
#include "tests/unit/store_fixture.h"

#include <unistd.h>

static struct entry *add(struct entry_list *list, enum entry_type type, const char *path)
{
    struct entry *entry = ARRAY_PUSH(list, entries);
    entry->type = type;
    entry->path = xstrdup(path);
    return entry;
}

static void fill(struct entry_list *list)
{
    struct entry *entry = add(list, ENTRY_WHITEOUT, "gone");
    entry = add(list, ENTRY_DIRECTORY, "d");
    entry->mode = 01777;
    entry->mtime = -3;
    (void)add(list, ENTRY_OPAQUE, "d");
    entry = add(list, ENTRY_FILE, "d/f\303\244");
    *entry = (struct entry){ .path = entry->path,
                             .mode = 0644,
                             .uid = 4000000000,
                             .gid = 7,
                             .size = 3,
                             .mtime = 1700000000 };
    entry_add_xattr(entry, "user.k", "a\0b", 3);
    entry_add_xattr(entry, "user.empty", "", 0);
    entry = add(list, ENTRY_HARDLINK, "d/l");
    entry->link = xstrdup("d/f\303\244");
    entry->mode = 0644;
    entry = add(list, ENTRY_SYMLINK, "s");
    entry->link = xstrdup("/etc/../x");
    entry->mode = 0777;
    entry = add(list, ENTRY_CHAR, "tty");
    entry->dev_major = 5;
    entry->dev_minor = 300;
    (void)add(list, ENTRY_FIFO, "pipe");
}

static void assert_same_list(const struct entry_list *a, const struct entry_list *b)
{
    assert_int_equal(a->n_entries, b->n_entries);
    for (size_t i = 0; i < a->n_entries; i++) {
        assert_string_equal(a->entries[i].path, b->entries[i].path);
        if (!entry_same_attributes(&a->entries[i], &b->entries[i]))
            fail_msg("%s: other attributes", a->entries[i].path);
    }
}

static void what_is_written_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest blob = digest_of("blob", 4);
    AUTO(entries_release) struct entries entries = { .tar_size = 12345 };
    AUTO(entries_release) struct entries read = { .tar_size = 0 };
    assert_fails(entries_read(fixture->store, &blob, &read, &err), err, ERR_NOT_FOUND,
                 "entries of");
    entries.diff_id = digest_of("tar", 3);
    entries.codec = xstrdup("gzip:3 libdeflate-1.14");
    fill(&entries.list);
    for (uint64_t i = 0; i < 3; i++) {
        struct member *member = ARRAY_PUSH(&entries, members);
        *member = (struct member){
            .offset = i * 1000, .size = 1000, .input_size = 5000000000 + i, .crc = 0xdeadbeef
        };
        memset(member->input, (int)i + 1, sizeof(member->input));
    }
    assert_ok(entries_write(fixture->store, &blob, &entries, &err), err);
    assert_ok(entries_read(fixture->store, &blob, &read, &err), err);
    assert_true(digest_equal(&read.diff_id, &entries.diff_id));
    assert_int_equal(read.tar_size, 12345);
    assert_string_equal(read.codec, entries.codec);
    assert_int_equal(read.n_members, 3);
    AUTO(entries_release) struct entries table = { .tar_size = 0 };
    assert_ok(entries_read_members(fixture->store, &blob, &table, &err), err);
    assert_string_equal(table.codec, entries.codec);
    assert_int_equal(table.list.n_entries, 0);
    assert_int_equal(table.n_members, 3);
    assert_memory_equal(table.members, read.members, 3 * sizeof(*read.members));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read.members[i].offset, entries.members[i].offset);
        assert_int_equal(read.members[i].size, 1000);
        assert_int_equal(read.members[i].input_size, entries.members[i].input_size);
        assert_int_equal(read.members[i].crc, 0xdeadbeef);
        assert_memory_equal(read.members[i].input, entries.members[i].input, SHA256_SIZE);
    }
    assert_same_list(&read.list, &entries.list);
}

static void damage_is_as_if_it_were_not_there(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest blob = digest_of("other", 5);
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(&blob, name);
    AUTO(entries_release) struct entries entries = { .tar_size = 1 };
    AUTO(entries_release) struct entries read = { .tar_size = 0 };
    AUTO(strbuf_release) struct strbuf good = STRBUF_INIT;
    int dir_fd = store_dir_fd(fixture->store, STORE_ENTRIES);
    fill(&entries.list);
    assert_ok(entries_write(fixture->store, &blob, &entries, &err), err);
    assert_ok(fs_read_file(dir_fd, name, &good, 1 << 20, &err), err);
    for (size_t i = 0; i < good.size; i++) {
        good.data[i] ^= 4;
        assert_ok(fs_write_file(dir_fd, name, good.data, good.size, 0644, &err), err);
        good.data[i] ^= 4;
        assert_fails(entries_read(fixture->store, &blob, &read, &err), err, ERR_NOT_FOUND,
                     "damaged");
    }
    for (size_t size = 0; size < good.size; size++) {
        assert_ok(fs_write_file(dir_fd, name, good.data, size, 0644, &err), err);
        assert_fails(entries_read(fixture->store, &blob, &read, &err), err, ERR_NOT_FOUND,
                     "damaged");
    }
}

/* A checksum doesn't prove that the writer was right: every cut with a good checksum is refused,
 * too. */
static void well_signed_nonsense_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest blob = digest_of("nonsense", 8);
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(&blob, name);
    AUTO(entries_release) struct entries entries = { .tar_size = 1 };
    AUTO(strbuf_release) struct strbuf good = STRBUF_INIT;
    int dir_fd = store_dir_fd(fixture->store, STORE_ENTRIES);
    fill(&entries.list);
    assert_ok(entries_write(fixture->store, &blob, &entries, &err), err);
    assert_ok(fs_read_file(dir_fd, name, &good, 1 << 20, &err), err);
    size_t body = good.size - SHA256_SIZE;
    for (size_t i = 17; i < body; i++) {
        AUTO(entries_release) struct entries read = { .tar_size = 0 };
        AUTO(strbuf_release) struct strbuf bad = STRBUF_INIT;
        uint8_t check[SHA256_SIZE];
        strbuf_add(&bad, good.data, i);
        sha256_of(bad.data, bad.size, check);
        strbuf_add(&bad, check, sizeof(check));
        assert_ok(fs_write_file(dir_fd, name, bad.data, bad.size, 0644, &err), err);
        assert_fails(entries_read(fixture->store, &blob, &read, &err), err, ERR_NOT_FOUND,
                     "damaged");

        strbuf_reset(&bad);
        strbuf_add(&bad, good.data, body);
        bad.data[i] = (char)0xff;
        sha256_of(bad.data, bad.size, check);
        strbuf_add(&bad, check, sizeof(check));
        assert_ok(fs_write_file(dir_fd, name, bad.data, bad.size, 0644, &err), err);
        if (entries_read(fixture->store, &blob, &read, &err) <
            0) /* or other values: no crash is what counts */
            error_clear(&err);
    }
}

static void a_scan_agrees_with_what_was_written(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(entry_list_release) struct entry_list list = ENTRY_LIST_INIT;
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(&tar);
    AUTO(tar_writer_free) struct tar_writer *writer = tar_writer_new(sink);
    fill(&list);
    for (size_t i = 0; i < list.n_entries; i++) {
        assert_ok(tar_writer_entry(writer, &list.entries[i], &err), err);
        if (list.entries[i].size)
            assert_ok(tar_writer_data(writer, "abc", 3, &err), err);
    }
    assert_ok(tar_writer_finish(writer, &err), err);
    char zeros[8192] = { 0 };
    strbuf_add(&tar, zeros, sizeof(zeros)); /* belongs to the diff_id, though no reader needs it */
    AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
    assert_ok(store_put_blob(fixture->store, tar.data, tar.size, &blob, &err), err);

    AUTO(entries_release) struct entries scanned = { .tar_size = 0 };
    AUTO(entries_release) struct entries read = { .tar_size = 0 };
    assert_ok(entries_scan(fixture->store, &blob.digest, &scanned, &err), err);
    assert_true(digest_equal(&scanned.diff_id, &blob.digest)); /* it isn't compressed */
    assert_int_equal(scanned.tar_size, tar.size);
    assert_null(scanned.codec);
    assert_int_equal(scanned.n_members, 0);
    assert_same_list(&scanned.list, &list);
    assert_ok(entries_read(fixture->store, &blob.digest, &read, &err), err);
    assert_same_list(&read.list, &list);
    assert_true(digest_equal(&read.diff_id, &blob.digest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(damage_is_as_if_it_were_not_there),
        cmocka_unit_test(well_signed_nonsense_is_refused),
        cmocka_unit_test(a_scan_agrees_with_what_was_written),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
