/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/entries.h"
#include "tests/unit/archive_fixture.h"

static const struct member_row rootfs[] = {
    { ENTRY_FILE, "usr/bin/tool", "#!/bin/sh\n" },
    { ENTRY_DIRECTORY, "usr", NULL },
    { ENTRY_DIRECTORY, "usr/bin", NULL },
    { ENTRY_HARDLINK, "bin-copy", "usr/bin/tool" },
    { ENTRY_SYMLINK, "bin", "usr/bin" },
    { ENTRY_DIRECTORY, "etc", NULL },
    { ENTRY_FILE, "etc/os-release", "ID=test\n" },
    { ENTRY_FILE, "etc/empty", NULL },
    { ENTRY_FIFO, "pipe", NULL },
};

static int import(struct store *store, const struct member_row *rows, size_t n,
                  struct descriptor *ret, struct error **err)
{
    const struct import_options options = { .created = 1700000000, .message = "a message" };
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    tar_of(rows, n, &tar);
    return archive_import(store, source_memory_new(tar.data, tar.size), &options, ret, err);
}

static void a_tar_becomes_an_image_of_one_layer(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(image_release) struct image image = { 0 };
    assert_ok(import(fixture->store, rootfs, ARRAY_SIZE(rootfs), &desc, &err), err);
    assert_ok(image_read(fixture->store, &desc, NULL, &image, &err), err);
    assert_int_equal(image.manifest.n_layers, 1);
    assert_string_equal(image.manifest.layers[0].media_type, MEDIA_TYPE_OCI_LAYER_GZIP);
    assert_string_equal(image.config.created, "2023-11-14T22:13:20Z");
    assert_int_equal(image.config.n_history, 1);
    assert_string_equal(image.config.history[0].comment, "a message");
    assert_false(image.config.has_cmd);

    AUTO(entries_release) struct entries entries = { 0 };
    assert_ok(entries_scan(fixture->store, &image.manifest.layers[0].digest, &entries, &err), err);
    assert_true(digest_equal(&entries.diff_id, &image.config.diff_ids[0]));
    static const char *const sorted[] = { "bin",       "bin-copy",       "etc",
                                          "etc/empty", "etc/os-release", "pipe",
                                          "usr",       "usr/bin",        "usr/bin/tool" };
    assert_int_equal(entries.list.n_entries, ARRAY_SIZE(sorted));
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
        assert_string_equal(entries.list.entries[i].path, sorted[i]);
    assert_int_equal(entries.list.entries[1].type, ENTRY_FILE); /* the first name is the file */
    assert_int_equal(entries.list.entries[8].type, ENTRY_HARDLINK);
    assert_string_equal(entries.list.entries[8].link, "bin-copy");
    fixture_verify(fixture);
}

static void the_order_of_the_tar_does_not_matter(void **state)
{
    struct fixture *fixture = *state;
    struct member_row rows[ARRAY_SIZE(rootfs)];
    AUTO(descriptor_release) struct descriptor first = { 0 };
    for (size_t shift = 0; shift < ARRAY_SIZE(rootfs); shift++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor desc = { 0 };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
            rows[i] = rootfs[(i * 2 + shift) % ARRAY_SIZE(rows)];
        assert_ok(import(fixture->store, rows, ARRAY_SIZE(rows), &desc, &err), err);
        if (shift == 0)
            descriptor_copy(&first, &desc);
        assert_true(digest_equal(&first.digest, &desc.digest));
    }
}

static void parents_are_made_and_later_entries_count(void **state)
{
    static const struct member_row rows[] = {
        { ENTRY_FILE, "a/b/c", "old" },   { ENTRY_FILE, "x", "file" },
        { ENTRY_FILE, "a/b/c", "newer" }, { ENTRY_DIRECTORY, "x", NULL },
        { ENTRY_FILE, "x/y", "1" },
    };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(image_release) struct image image = { 0 };
    AUTO(entries_release) struct entries entries = { 0 };
    assert_ok(import(fixture->store, rows, ARRAY_SIZE(rows), &desc, &err), err);
    assert_ok(image_read(fixture->store, &desc, NULL, &image, &err), err);
    assert_ok(entries_scan(fixture->store, &image.manifest.layers[0].digest, &entries, &err), err);
    static const char *const sorted[] = { "a", "a/b", "a/b/c", "x", "x/y" };
    assert_int_equal(entries.list.n_entries, ARRAY_SIZE(sorted));
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
        assert_string_equal(entries.list.entries[i].path, sorted[i]);
    assert_int_equal(entries.list.entries[2].size, 5);
    assert_int_equal(entries.list.entries[3].type, ENTRY_DIRECTORY);
}

static void what_no_layer_can_hold_is_refused(void **state)
{
    static const struct {
        struct member_row rows[2];
        const char *error;
    } cases[] = {
        { { { ENTRY_FILE, "etc/.wh.x", "" }, { ENTRY_FILE, "y", "" } },
          "etc/.wh.x: a layer can't hold" },
        { { { ENTRY_FILE, "etc/.wh.x/y", "" }, { ENTRY_FILE, "z", "" } },
          "etc/.wh.x: a layer can't hold" },
        { { { ENTRY_FILE, "x", "" }, { ENTRY_FILE, "x/y", "" } }, "x/y: stands beneath" },
        { { { ENTRY_HARDLINK, "x", "none" }, { ENTRY_FILE, "y", "" } }, "x: hard link to none" },
        { { { ENTRY_HARDLINK, "x", "y" }, { ENTRY_HARDLINK, "y", "x" } },
          "hard links in a circle" },
        { { { ENTRY_HARDLINK, "x", "y" }, { ENTRY_DIRECTORY, "y", NULL } }, "x: hard link to y" },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor desc = { 0 };
        assert_int_equal(import(fixture->store, cases[i].rows, 2, &desc, &err), -1);
        assert_null(error_hint_text(err)); /* no ADD takes it either */
        assert_fails(-1, err, ERR_INVALID, cases[i].error);
    }
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 0);
}

static void a_tar_that_needs_links_followed_is_refused_with_the_way_out(void **state)
{
    static const struct member_row rows[] = {
        { ENTRY_SYMLINK, "bin", "usr/bin" },
        { ENTRY_DIRECTORY, "usr/bin", NULL },
        { ENTRY_FILE, "bin/sh", "x" },
    };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    assert_int_equal(import(fixture->store, rows, ARRAY_SIZE(rows), &desc, &err), -1);
    assert_non_null(strstr(error_hint_text(err), "FROM scratch and ADD the tar"));
    assert_fails(-1, err, ERR_INVALID, "bin/sh: stands beneath what is no directory");
}

static void what_is_no_tar_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    const struct import_options options = { 0 };
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    static const char text[] =
        "This is not a tar. It is a text, and longer than what is looked at first.";
    assert_fails(archive_import(fixture->store, source_memory_new(text, sizeof(text)), &options,
                                &desc, &err),
                 err, ERR_INVALID, "");
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 0);
}

static void a_cut_tar_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    const struct import_options options = { 0 };
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    tar_of(rootfs, ARRAY_SIZE(rootfs), &tar);
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    assert_fails(
        archive_import(fixture->store, source_memory_new(tar.data, 512 + 3), &options, &desc, &err),
        err, ERR_INVALID, "runcated");
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(a_tar_becomes_an_image_of_one_layer),
        fixture_test(the_order_of_the_tar_does_not_matter),
        fixture_test(parents_are_made_and_later_entries_count),
        fixture_test(what_no_layer_can_hold_is_refused),
        fixture_test(a_tar_that_needs_links_followed_is_refused_with_the_way_out),
        fixture_test(what_is_no_tar_is_refused),
        fixture_test(a_cut_tar_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
