/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/archive_read.h"
#include "tests/unit/test.h"

#include <sys/stat.h>

/* A ustar header with its checksum; content is padded. */
static void add_member(struct strbuf *tar, const char *name, char type, const char *content)
{
    char header[512] = { 0 };
    size_t size = strlen(content);
    (void)snprintf(header, 100, "%s", name);
    (void)snprintf(header + 100, 8, "%07o", 0644);
    (void)snprintf(header + 108, 8, "%07o", 7);
    (void)snprintf(header + 116, 8, "%07o", 8);
    (void)snprintf(header + 124, 12, "%011o", (unsigned)size & 07777);
    (void)snprintf(header + 136, 12, "%011o", 1000);
    header[156] = type;
    memcpy(header + 257, "ustar", 6);
    memcpy(header + 263, "00", 2);
    memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(header); i++)
        sum += (unsigned char)header[i];
    (void)snprintf(header + 148, 8, "%06o", sum);
    strbuf_add(tar, header, sizeof(header));
    char zeros[512] = { 0 };
    strbuf_add(tar, content, size);
    strbuf_add(tar, zeros, (512 - size % 512) % 512);
}

static void add_end(struct strbuf *tar)
{
    char zeros[1024] = { 0 };
    strbuf_add(tar, zeros, sizeof(zeros));
}

static struct archive_reader *open_buf(const struct strbuf *buf)
{
    struct error *err = NULL;
    struct archive_reader *reader =
        archive_reader_new(source_memory_new(buf->data, buf->size), &err);
    assert_ok_ptr(reader, err);
    return reader;
}

static void members_come_as_they_stand(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    add_member(&tar, "../a", '0', "hello");
    add_member(&tar, "dir/", '5', "");
    add_end(&tar);
    AUTO(archive_reader_free) struct archive_reader *reader = open_buf(&tar);
    struct archive_item item;
    char data[16];
    const char *name;
    const void *value;
    size_t size;
    assert_int_equal(archive_reader_next(reader, &item, &err), 1);
    assert_string_equal(item.path, "../a");
    assert_int_equal(item.type, S_IFREG);
    assert_int_equal(item.mode, 0644);
    assert_int_equal(item.uid, 7);
    assert_int_equal(item.gid, 8);
    assert_int_equal(item.size, 5);
    assert_int_equal(item.mtime, 1000);
    assert_false(archive_reader_xattr(reader, &name, &value, &size));
    assert_int_equal(archive_reader_data(reader, data, sizeof(data), &err), 5);
    assert_memory_equal(data, "hello", 5);
    assert_int_equal(archive_reader_data(reader, data, sizeof(data), &err), 0);
    assert_int_equal(archive_reader_next(reader, &item, &err), 1);
    assert_int_equal(item.type, S_IFDIR);
    assert_int_equal(archive_reader_next(reader, &item, &err), 0);
}

static void pax_names_keep_their_bytes(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    const char *records = "17 path=k\303\244se/\303\251\n29 SCHILY.xattr.user.k=value\n";
    add_member(&tar, "x", 'x', records);
    add_member(&tar, "short", '0', "");
    add_end(&tar);
    AUTO(archive_reader_free) struct archive_reader *reader = open_buf(&tar);
    struct archive_item item;
    const char *name;
    const void *value;
    size_t size;
    assert_ok(archive_reader_next(reader, &item, &err), err);
    assert_string_equal(item.path, "k\303\244se/\303\251");
    assert_true(archive_reader_xattr(reader, &name, &value, &size));
    assert_string_equal(name, "user.k");
    assert_int_equal(size, 5);
    assert_memory_equal(value, "value", 5);
}

static void damage_is_an_error(void **state UNUSED)
{
    struct error *err = NULL;
    struct archive_item item;
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    add_member(&tar, "a", '0', "hello");
    add_member(&tar, "b", '0', "hello");
    add_end(&tar);
    tar.data[1024] ^= 1; /* the checksum of b */
    AUTO(archive_reader_free) struct archive_reader *flipped = open_buf(&tar);
    assert_int_equal(archive_reader_next(flipped, &item, &err), 1);
    assert_fails(archive_reader_next(flipped, &item, &err), err, ERR_INVALID, "tar");

    tar.data[1024] ^= 1;
    strbuf_set_size(&tar, 1024 + 512 + 2);
    AUTO(archive_reader_free) struct archive_reader *cut = open_buf(&tar);
    char data[16];
    assert_int_equal(archive_reader_next(cut, &item, &err), 1);
    assert_int_equal(archive_reader_next(cut, &item, &err), 1);
    ssize_t n;
    while ((n = archive_reader_data(cut, data, sizeof(data), &err)) > 0)
        continue; /* what there is comes first */
    assert_fails((int)n, err, ERR_INVALID, "runcated");
}

static ssize_t broken_read(struct source *source UNUSED, void *data UNUSED, size_t size UNUSED,
                           struct error **err)
{
    return error_set(err, ERR_NETWORK, "connection reset");
}

static void broken_free(struct source *source UNUSED)
{
}

static void errors_of_the_source_keep_their_code(void **state UNUSED)
{
    static const struct source_ops ops = { "broken", broken_read, broken_free };
    struct source broken = { &ops };
    struct error *err = NULL;
    struct archive_item item;
    AUTO(archive_reader_free) struct archive_reader *reader = archive_reader_new(&broken, &err);
    assert_ok_ptr(reader, err);
    assert_fails(archive_reader_next(reader, &item, &err), err, ERR_NETWORK, "connection reset");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_as_they_stand),
        cmocka_unit_test(pax_names_keep_their_bytes),
        cmocka_unit_test(damage_is_an_error),
        cmocka_unit_test(errors_of_the_source_keep_their_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
