/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/tar_read.h"

#include "tests/unit/layers_fixture.h"

#include <zlib.h>

static struct tar_reader *open_tar(const struct strbuf *tar, unsigned flags)
{
    struct error *err = NULL;
    struct tar_reader *reader =
        tar_reader_new(source_memory_new(tar->data, tar->size), flags, &err);
    assert_ok_ptr(reader, err);
    return reader;
}

static const char *name_of_length(size_t size, char *buffer)
{
    memset(buffer, 'n', size);
    buffer[size] = '\0';
    return buffer;
}

static const struct {
    const char *name;
    char type;
    const char *link;
    const char *path, *error; /* path NULL: skipped */
} names[] = {
    { "a", '0', NULL, "a", NULL },
    { "/etc/passwd", '0', NULL, "etc/passwd", NULL },
    { "////a", '0', NULL, "a", NULL },
    { "./a/./b//c", '0', NULL, "a/b/c", NULL },
    { "a/", '5', NULL, "a", NULL },
    { "./", '5', NULL, "", NULL },
    { "/", '5', NULL, "", NULL },
    { "a/../b", '0', NULL, "b", NULL },
    { "..", '5', NULL, NULL, "leaves the root" },
    { "../a", '0', NULL, NULL, "leaves the root" },
    { "/../a", '0', NULL, NULL, "leaves the root" },
    { "a/../../b", '0', NULL, NULL, "leaves the root" },
    { "./", '0', NULL, "", NULL }, /* an old tar's directory: the name ends in a slash */
    { ".", '0', NULL, NULL, "the root as something else" },
    { "a/..", '2', "x", NULL, "the root as something else" },
    { "\xff\xfe\x01\n", '0', NULL, "\xff\xfe\x01\n", NULL },
    { "n\303\244me", '0', NULL, "n\303\244me", NULL },
    { "...", '0', NULL, "...", NULL },
    { "..a", '0', NULL, "..a", NULL },
    { "l", '2', "/etc/../..", "l", NULL },
    { "l", '2', "", NULL, "without a target" },
    { "h", '1', "a", "h", NULL },
    { "h", '1', "/a", "h", NULL },
    { "h", '1', "../../etc/passwd", NULL, "hard link: path leaves the root" },
    { "h", '1', "a/../..", NULL, "leaves the root" },
    { "h", '1', ".", NULL, "hard link to the root" },
    { "h", '1', "./h", NULL, "hard link to itself" },
    { ".wh.", '0', NULL, NULL, "whiteout of \"\"" },
    { "a/.wh..", '0', NULL, NULL, "whiteout of \".\"" },
    { ".wh...", '0', NULL, NULL, "whiteout of \"..\"" },
    { "../.wh.a", '0', NULL, NULL, "leaves the root" },
    { ".wh.a/b", '0', NULL, NULL, "beneath a whiteout" },
    { ".wh.a", '0', NULL, "a", NULL },
    { ".wh.a", '2', "x", "a", NULL },
    { "d/.wh..wh..opq", '0', NULL, "d", NULL },
    { ".wh..wh.plnk", '5', NULL, NULL, NULL },
    { "evil\n\033[2J/../..", '0', NULL, NULL, "entry \"evil\\x0a\\x1b[2J/../..\": path leaves" },
};

static void hostile_names_are_refused(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
        tar_add_name(&tar, names[i].name, names[i].type, names[i].link);
        tar_end(&tar);
        AUTO(tar_reader_free) struct tar_reader *reader = open_tar(&tar, TAR_READ_LAYER);
        AUTO(entry_release) struct entry entry = { 0 };
        int found = tar_reader_next(reader, &entry, &err);
        if (names[i].error) {
            assert_fails(found, err, ERR_INVALID, names[i].error);
            assert_null(entry.path);
            continue;
        }
        if (found < 0 || err)
            fail_msg("%s: %s", names[i].name, error_message(err));
        assert_int_equal(found, names[i].path != NULL);
        if (names[i].path)
            assert_string_equal(entry.path, names[i].path);
    }
}

static void whiteout_names_are_ordinary_outside_of_layers(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    tar_add_name(&tar, ".wh.a", '0', NULL);
    tar_end(&tar);
    AUTO(tar_reader_free) struct tar_reader *reader = open_tar(&tar, 0);
    AUTO(entry_release) struct entry entry = { 0 };
    assert_int_equal(tar_reader_next(reader, &entry, &err), 1);
    assert_int_equal(entry.type, ENTRY_FILE);
    assert_string_equal(entry.path, ".wh.a");
}

/* Long names come in pax records. */
static int read_pax(const char *key, const void *value, size_t size, char type, struct entry *entry,
                    struct error **err)
{
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    tar_add_pax(&tar, key, value, size);
    tar_add_name(&tar, "short", type, type == '2' || type == '1' ? "t" : NULL);
    tar_end(&tar);
    AUTO(tar_reader_free) struct tar_reader *reader = open_tar(&tar, TAR_READ_LAYER);
    return tar_reader_next(reader, entry, err);
}

static void lengths_are_limited(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(entry_release) struct entry entry = { 0 };
    char buffer[8192];
    (void)name_of_length(255, buffer);
    assert_int_equal(read_pax("path", buffer, 255, '0', &entry, &err), 1);
    assert_int_equal(strlen(entry.path), 255);
    (void)name_of_length(256, buffer);
    assert_fails(read_pax("path", buffer, 256, '0', &entry, &err), err, ERR_INVALID,
                 "name of more than 255 bytes");
    for (size_t i = 0; i < sizeof(buffer); i++)
        buffer[i] = i % 2 ? '/' : 'd';
    assert_int_equal(read_pax("path", buffer, 4095, '0', &entry, &err), 1);
    assert_fails(read_pax("path", buffer, 4097, '0', &entry, &err), err, ERR_INVALID,
                 "path of more than 4095 bytes");
    assert_fails(read_pax("linkpath", buffer, 4097, '1', &entry, &err), err, ERR_INVALID,
                 "hard link: path of more than 4095 bytes");
    assert_fails(read_pax("linkpath", buffer, 4097, '2', &entry, &err), err, ERR_INVALID,
                 "link target of more than 4095 bytes");
}

static void pax_names_are_judged_too(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(entry_release) struct entry entry = { 0 };
    assert_fails(read_pax("path", "../x", 4, '0', &entry, &err), err, ERR_INVALID, "leaves");
    assert_fails(read_pax("linkpath", "../x", 4, '1', &entry, &err), err, ERR_INVALID, "leaves");
    /* the kernel can't see what follows a NUL, and neither does anybody here */
    assert_int_equal(read_pax("path", "a\0/../../b", 10, '0', &entry, &err), 1);
    assert_string_equal(entry.path, "a");
    assert_int_equal(read_pax("path", "\377/\n", 3, '0', &entry, &err), 1);
    assert_string_equal(entry.path, "\377/\n");
}

static const struct {
    const char *name;
    bool taken;
} xattrs[] = {
    { "user.k", true },
    { "security.capability", true },
    { "user.overlay.opaque", false },
    { "user.overlay.redirect", false },
    { "trusted.overlay.opaque", false },
    { "trusted.x", false },
    { "security.selinux", false },
    { "security.ima", false },
    { "system.posix_acl_access", false },
    { "user.", false },
};

static void attributes_are_chosen(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(xattrs); i++) {
        struct error *err = NULL;
        AUTO(entry_release) struct entry entry = { 0 };
        AUTO(free) char *key = xasprintf("SCHILY.xattr.%s", xattrs[i].name);
        assert_ok(read_pax(key, "v\0w", 3, '0', &entry, &err), err);
        const struct xattr *found = entry_find_xattr(&entry, xattrs[i].name);
        if (!found != !xattrs[i].taken)
            fail_msg("%s", xattrs[i].name);
        if (found) {
            assert_int_equal(found->size, 3);
            assert_memory_equal(found->value, "v\0w", 3);
        }
    }
    struct error *err = NULL;
    AUTO(entry_release) struct entry entry = { 0 };
    assert_ok(read_pax("LIBARCHIVE.xattr.user.k", "dmFsdWU=", 8, '0', &entry, &err), err);
    assert_non_null(entry_find_xattr(&entry, "user.k"));
    assert_memory_equal(entry_find_xattr(&entry, "user.k")->value, "value", 5);
}

/* What the kernel takes, and no more. */
static void attributes_have_at_most_64_KiB(void **state UNUSED)
{
    enum { MOST = 64 * 1024 };
    AUTO(free) char *value = xcalloc(1, MOST + 1);
    for (size_t size = MOST; size <= MOST + 1; size++) {
        struct error *err = NULL;
        AUTO(entry_release) struct entry entry = { 0 };
        int found = read_pax("SCHILY.xattr.user.k", value, size, '0', &entry, &err);
        if (size == MOST)
            assert_ok(found, err);
        else
            assert_fails(found, err, ERR_LIMIT, "extended attribute of 65537 bytes");
    }
}

static void times_are_rounded_down(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } times[] = { { "1234.999999999", 1234 }, { "-3", -3 }, { "4294967296", 4294967296 } };
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        struct error *err = NULL;
        AUTO(entry_release) struct entry entry = { 0 };
        assert_ok(read_pax("mtime", times[i].text, strlen(times[i].text), '0', &entry, &err), err);
        assert_int_equal(entry.mtime, times[i].seconds);
    }
}

/* One header whose field at `offset` is overwritten. */
static int read_patched(char type, size_t offset, const void *field, size_t size, unsigned flags,
                        struct entry *entry, struct error **err)
{
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    tar_add_name(&tar, "f", type, NULL);
    memcpy(tar.data + offset, field, size);
    tar_checksum(tar.data);
    tar_end(&tar);
    AUTO(tar_reader_free) struct tar_reader *reader = open_tar(&tar, flags);
    int found = tar_reader_next(reader, entry, err);
    if (found <= 0 || entry->type != ENTRY_FILE)
        return found;
    char data[100];
    ssize_t n;
    while ((n = tar_reader_data(reader, data, sizeof(data), err)) > 0)
        continue;
    return n < 0 ? -1 : found;
}

static void numbers_are_in_range(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(entry_release) struct entry entry = { 0 };
    enum { UID = 108, SIZE = 124, MAJOR = 329, MINOR = 337 };
    static const uint8_t max_id[8] = { 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t large_id[8] = { 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe };
    static const uint8_t over_id[8] = { 0x80, 0, 0, 1, 0, 0, 0, 0 };
    static const uint8_t negative[12] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                          0xff, 0xff, 0xff, 0xff, 0xff, 0xf0 };
    static const uint8_t huge[12] = {
        0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
    };
    static const uint8_t overflow[12] = { 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0 };
    assert_int_equal(read_patched('0', UID, large_id, 8, 0, &entry, &err), 1);
    assert_int_equal(entry.uid, 4294967294U);
    assert_fails(read_patched('0', UID, max_id, 8, 0, &entry, &err), err, ERR_INVALID, "owner");
    assert_fails(read_patched('0', UID, over_id, 8, 0, &entry, &err), err, ERR_INVALID, "owner");
    assert_fails(read_patched('0', UID, negative + 4, 8, 0, &entry, &err), err, ERR_INVALID,
                 "owner");
    assert_fails(read_patched('0', SIZE, huge, 12, 0, &entry, &err), err, ERR_INVALID, "");
    assert_fails(read_patched('0', SIZE, negative, 12, 0, &entry, &err), err, ERR_INVALID, "");
    assert_fails(read_patched('0', SIZE, overflow, 12, 0, &entry, &err), err, ERR_INVALID, "");
    assert_fails(read_patched('3', MAJOR, "0010000", 8, 0, &entry, &err), err, ERR_INVALID,
                 "device number 4096:3");
    assert_int_equal(read_patched('4', MINOR, "3777777", 8, 0, &entry, &err), 1);
    assert_int_equal(entry.dev_minor, 0xfffff);
}

static void the_null_device_is_a_whiteout_in_layers(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(entry_release) struct entry entry = { 0 };
    enum { MAJOR = 329 };
    static const char zeros[] = "0000000\0000000000";
    assert_int_equal(read_patched('3', MAJOR, zeros, 16, TAR_READ_LAYER, &entry, &err), 1);
    assert_int_equal(entry.type, ENTRY_WHITEOUT);
    assert_string_equal(entry.path, "f");
    assert_fails(read_patched('3', MAJOR, zeros, 16, 0, &entry, &err), err, ERR_INVALID,
                 "character device 0:0");
    assert_int_equal(read_patched('4', MAJOR, zeros, 16, TAR_READ_LAYER, &entry, &err), 1);
    assert_int_equal(entry.type, ENTRY_BLOCK);
}

/* A special header that claims a gigabyte, of which nothing follows. */
static void claimed_sizes_are_not_allocated(void **state UNUSED)
{
    static const char types[] = { 'x', 'g', 'L', 'K' };
    for (size_t i = 0; i < sizeof(types); i++) {
        struct error *err = NULL;
        AUTO(entry_release) struct entry entry = { 0 };
        AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
        tar_add_name(&tar, "f", types[i], NULL);
        (void)snprintf(tar.data + 124, 12, "%011o", 1U << 30);
        tar_checksum(tar.data);
        tar_end(&tar);
        AUTO(tar_reader_free) struct tar_reader *reader = open_tar(&tar, 0);
        assert_fails(tar_reader_next(reader, &entry, &err), err, ERR_INVALID, "");
    }
}

static void absurd_sparse_maps_are_refused(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(entry_release) struct entry entry = { 0 };
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    static const char records[] = "39 GNU.sparse.size=9223372036854775807\n22 GNU.sparse.map=0,0\n";
    struct tar_member pax = { "pax", 'x', NULL, records, 0644, 0, 0, 0 };
    tar_add(&tar, &pax);
    tar_add_name(&tar, "f", '0', NULL);
    tar_end(&tar);
    AUTO(tar_reader_free) struct tar_reader *reader = open_tar(&tar, 0);
    int found = tar_reader_next(reader, &entry, &err);
    if (found >= 0)
        fail_msg("a file of %llu bytes", (unsigned long long)entry.size);
    assert_true(error_is(err, ERR_LIMIT) || error_is(err, ERR_INVALID));
    error_clear(&err);
}

/* Bytes of the file "f" of a map without regions, as both ways of reading give them; -1: fails. */
static int64_t read_unmapped(const char *records, struct error **err)
{
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    AUTO(entry_release) struct entry entry = { 0 };
    struct tar_member pax = { "pax", 'x', NULL, records, 0644, 0, 0, 0 };
    struct tar_member member = { "f", '0', NULL, "content", 0644, 0, 0, 0 };
    tar_add(&tar, &pax);
    tar_add(&tar, &member);
    tar_end(&tar);
    AUTO(tar_reader_free) struct tar_reader *copying = open_tar(&tar, 0);
    AUTO(tar_reader_free) struct tar_reader *borrowing = open_tar(&tar, 0);
    assert_int_equal(tar_reader_next(copying, &entry, err), 1);
    assert_int_equal(tar_reader_next(borrowing, &entry, err), 1);
    int64_t size = 0;
    for (;;) {
        AUTO(error_free) struct error *same = NULL;
        char copy[100];
        const void *bytes = NULL;
        ssize_t n = tar_reader_borrow(borrowing, sizeof(copy), &bytes, err);
        assert_int_equal(tar_reader_data(copying, copy, sizeof(copy), &same), n);
        if (n <= 0)
            return n < 0 ? -1 : size;
        assert_memory_equal(copy, bytes, (size_t)n);
        size += n;
    }
}

static void what_no_region_stands_for_is_zeros_and_limited(void **state UNUSED)
{
    struct error *err = NULL;
    assert_int_equal(read_unmapped("24 GNU.sparse.size=1000\n19 GNU.sparse.map=\n", &err), 1000);
    assert_fails((int)read_unmapped("24 GNU.sparse.size=0003\n19 GNU.sparse.map=\n", &err), err,
                 ERR_INVALID, "out of order");
    assert_fails(
        (int)read_unmapped("39 GNU.sparse.size=1152921504606846976\n19 GNU.sparse.map=\n", &err),
        err, ERR_LIMIT, "bytes of holes");
}

/* A name can stand for 2000 directories, which whoever unpacks it makes. */
static void directories_without_an_entry_count(void **state UNUSED)
{
    enum { DEPTH = 2000, N = 80 }; /* 4 MB of names each */
    struct error *err = NULL;
    AUTO(entry_release) struct entry entry = { 0 };
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    for (unsigned i = 0; i < N; i++) {
        AUTO(strbuf_release) struct strbuf record = STRBUF_INIT;
        strbuf_addf(&record, "%d path=%03u", 4 + 1 + 5 + 3 + 2 * (DEPTH - 2) + 1, i);
        for (unsigned depth = 0; depth < DEPTH - 2; depth++)
            strbuf_adds(&record, "/d");
        strbuf_addc(&record, '\n');
        struct tar_member pax = { "pax", 'x', NULL, record.data, 0644, 0, 0, 0 };
        tar_add(&tar, &pax);
        tar_add_name(&tar, "f", '0', NULL);
    }
    tar_end(&tar);
    AUTO(tar_reader_free) struct tar_reader *reader = open_tar(&tar, 0);
    int found;
    unsigned n = 0;
    while ((found = tar_reader_next(reader, &entry, &err)) > 0)
        n++;
    assert_fails(found, err, ERR_LIMIT, "bytes of names");
    assert_in_range(n, 20, N - 1);
}

static void cut_archives_are_errors(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    struct tar_member member = { "f", '0', NULL, "some content", 0644, 0, 0, 0 };
    tar_add(&tar, &member);
    static const size_t cuts[] = { 300, 512, 515 };
    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
        struct error *err = NULL;
        AUTO(entry_release) struct entry entry = { 0 };
        AUTO(tar_reader_free)
        struct tar_reader *reader = tar_reader_new(source_memory_new(tar.data, cuts[i]), 0, &err);
        char data[100];
        int result = tar_reader_next(reader, &entry, &err);
        if (result > 0 && tar_reader_data(reader, data, sizeof(data), &err) >= 0)
            result = tar_reader_next(reader, &entry, &err);
        else if (result > 0)
            result = -1;
        assert_fails(result, err, ERR_INVALID, "");
    }
}

static void gzip(const struct strbuf *in, struct strbuf *out)
{
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)in->data;
    z.avail_in = (uInt)in->size;
    z.avail_out = (uInt)deflateBound(&z, in->size);
    z.next_out = (Bytef *)strbuf_grow(out, z.avail_out);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    strbuf_set_size(out, z.total_out);
    (void)deflateEnd(&z);
}

static void compression_is_taken_off(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT, packed = STRBUF_INIT;
    struct tar_member member = { "f", '0', NULL, "content", 0644, 1, 2, 3 };
    tar_add(&tar, &member);
    tar_end(&tar);
    gzip(&tar, &packed);
    AUTO(entry_release) struct entry entry = { 0 };
    AUTO(tar_reader_free) struct tar_reader *reader = open_tar(&packed, 0);
    assert_int_equal(tar_reader_next(reader, &entry, &err), 1);
    char data[10] = { 0 };
    assert_int_equal(tar_reader_data(reader, data, sizeof(data), &err), 7);
    assert_string_equal(data, "content");
    assert_int_equal(tar_reader_next(reader, &entry, &err), 0);
    AUTO(tar_reader_free) struct tar_reader *plain = open_tar(&packed, TAR_READ_TAR_ONLY);
    assert_fails(tar_reader_next(plain, &entry, &err), err, ERR_INVALID, "");
}

static bool detect(const void *data, size_t size)
{
    struct error *err = NULL;
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    (void)fflush(file);
    bool is_tar = false;
    int result = tar_detect(fileno(file), &is_tar, &err);
    (void)fclose(file);
    assert_ok(result, err);
    return is_tar;
}

static void archives_are_detected_by_content(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT, packed = STRBUF_INIT, text = STRBUF_INIT;
    tar_add_name(&tar, "f", '0', NULL);
    tar_end(&tar);
    gzip(&tar, &packed);
    assert_true(detect(tar.data, tar.size));
    assert_true(detect(packed.data, packed.size));
    assert_false(detect(packed.data, 20));
    assert_false(detect(tar.data, 511));
    tar.data[0] = 'g'; /* breaks the sum */
    assert_false(detect(tar.data, tar.size));
    assert_false(detect("", 0));
    memset(tar.data, 0, 512);
    assert_false(detect(tar.data, 1024));
    for (int i = 0; i < 100; i++)
        strbuf_adds(&text, "just text ");
    assert_false(detect(text.data, text.size));
    strbuf_reset(&packed);
    gzip(&text, &packed);
    assert_false(detect(packed.data, packed.size));
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool is_tar = true;
    struct error *err = NULL;
    assert_ok(tar_detect(null, &is_tar, &err), err);
    assert_false(is_tar);
    close_auto(&null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_names_are_refused),
        cmocka_unit_test(whiteout_names_are_ordinary_outside_of_layers),
        cmocka_unit_test(lengths_are_limited),
        cmocka_unit_test(pax_names_are_judged_too),
        cmocka_unit_test(attributes_are_chosen),
        cmocka_unit_test(attributes_have_at_most_64_KiB),
        cmocka_unit_test(times_are_rounded_down),
        cmocka_unit_test(numbers_are_in_range),
        cmocka_unit_test(the_null_device_is_a_whiteout_in_layers),
        cmocka_unit_test(claimed_sizes_are_not_allocated),
        cmocka_unit_test(absurd_sparse_maps_are_refused),
        cmocka_unit_test(what_no_region_stands_for_is_zeros_and_limited),
        cmocka_unit_test(directories_without_an_entry_count),
        cmocka_unit_test(cut_archives_are_errors),
        cmocka_unit_test(compression_is_taken_off),
        cmocka_unit_test(archives_are_detected_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
