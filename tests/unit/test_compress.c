/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "layers/compress.h"
#include "layers/encoder.h"
#include "tests/unit/test.h"

static void names_and_levels_are_parsed(void **state UNUSED)
{
    static const struct {
        const char *text;
        int kind, level;
        const char *error;
    } cases[] = {
        { "gzip", COMPRESSION_GZIP, 0, NULL },
        { "gzip:6", COMPRESSION_GZIP, 6, NULL },
        { "gzip:12", COMPRESSION_GZIP, 12, NULL },
        { "zstd", COMPRESSION_ZSTD, 0, NULL },
        { "zstd:19", COMPRESSION_ZSTD, 19, NULL },
        { "uncompressed", COMPRESSION_NONE, 0, NULL },
        { "gzip:13", 0, 0, "gzip has 1 to 12" },
        { "gzip:0", 0, 0, "level \"0\"" },
        { "gzip:", 0, 0, "level \"\"" },
        { "gzip:6x", 0, 0, "level \"6x\"" },
        { "zstd:20", 0, 0, "zstd has 1 to 19" },
        { "zstd:-1", 0, 0, "level \"-1\"" },
        { "uncompressed:1", 0, 0, "has no level" },
        { "estargz", 0, 0, "known are gzip, zstd and uncompressed" },
        { "gz", 0, 0, "compression \"gz\"" },
        { "", 0, 0, "compression \"\"" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct compression compression = { 0 };
        if (cases[i].error) {
            assert_fails(compression_parse(cases[i].text, &compression, &err), err, ERR_INVALID,
                         cases[i].error);
            continue;
        }
        assert_ok(compression_parse(cases[i].text, &compression, &err), err);
        assert_int_equal(compression.kind, cases[i].kind);
        assert_int_equal(compression.level, cases[i].level);
    }
}

static void versions_name_level_and_library(void **state UNUSED)
{
    AUTO(free) char *gzip = compression_codec_version(&(struct compression){ COMPRESSION_GZIP, 0 });
    AUTO(free) char *zstd = compression_codec_version(&(struct compression){ COMPRESSION_ZSTD, 7 });
    AUTO(free) char *none = compression_codec_version(&(struct compression){ COMPRESSION_NONE, 0 });
    assert_memory_equal(gzip, "gzip:3 libdeflate-1.", 20);
    assert_memory_equal(zstd, "zstd:7 libzstd-1.", 17);
    assert_string_equal(none, "uncompressed");
}

static void kinds_are_found_by_magic(void **state UNUSED)
{
    static const struct {
        const char *data;
        size_t size;
        enum compression_found found;
    } cases[] = {
        { "\x1f\x8b\x08\0\0\0", 6, FOUND_GZIP },
        { "\x1f\x8b", 2, FOUND_PLAIN },
        { "\x28\xb5\x2f\xfd\0\0", 6, FOUND_ZSTD },
        { "\x50\x2a\x4d\x18\0\0", 6, FOUND_ZSTD },
        { "\x5f\x2a\x4d\x18\0\0", 6, FOUND_ZSTD },
        { "\x60\x2a\x4d\x18\0\0", 6, FOUND_PLAIN },
        { "\xfd"
          "7zXZ\0",
          6, FOUND_XZ },
        { "BZh91AY&SY", 10, FOUND_BZIP2 },
        { "BZh9\x17rE8P\x90", 10, FOUND_BZIP2 },
        { "BZh91AY&SX", 10, FOUND_PLAIN },
        { "BZh9/file\0", 10, FOUND_PLAIN },
        { "BZh01AY&SY", 10, FOUND_PLAIN },
        { "etc/passwd", 10, FOUND_PLAIN },
        { "", 0, FOUND_PLAIN },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(compression_detect(cases[i].data, cases[i].size), cases[i].found);
}

static int decompress(const void *data, size_t size, uint64_t max, struct strbuf *out,
                      struct error **err)
{
    AUTO(source_free)
    struct source *source = decompress_source_new(source_memory_new(data, size), max);
    return source_read_all(source, out, 1 << 20, err);
}

/* printf 'hello hello\n' | bzip2, xz */
static const char bzip2_hello[] =
    "\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x85\x74\x6e\x41\x00\x00\x02\xd1\x00\x00\x10\x40\x00"
    "\x02"
    "\x44\xa0\x00\x30\xc0\x04\xa6\x98\x52\x0d\xc2\x86\x17\x72\x45\x38\x50\x90\x85\x74\x6e\x41";
static const char xz_hello[] =
    "\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5"
    "\xa3"
    "\x01\x00\x0b\x68\x65\x6c\x6c\x6f\x20\x68\x65\x6c\x6c\x6f\x0a\x00\x66\xce\x0a\xcc\x31\x91\x23"
    "\xef"
    "\x00\x01\x24\x0c\xa6\x18\xd8\xd8\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";

static void every_compression_is_taken_off(void **state UNUSED)
{
    static const struct {
        const char *data;
        size_t size;
    } cases[] = {
        { "hello hello\n", 12 },
        { bzip2_hello, sizeof(bzip2_hello) - 1 },
        { xz_hello, sizeof(xz_hello) - 1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
        assert_ok(decompress(cases[i].data, cases[i].size, 0, &out, &err), err);
        assert_string_equal(out.data, "hello hello\n");
        strbuf_reset(&out);
        assert_fails(decompress(cases[i].data, cases[i].size, 11, &out, &err), err, ERR_LIMIT,
                     "more than 11 bytes");
        if (i == 0)
            continue;
        assert_fails(decompress(cases[i].data, cases[i].size - 5, 0, &out, &err), err, ERR_INVALID,
                     "");
        AUTO(free) char *damaged = xmemdup(cases[i].data, cases[i].size);
        damaged[cases[i].size / 2] ^= 1;
        assert_fails(decompress(damaged, cases[i].size, 0, &out, &err), err, ERR_INVALID, "");
    }
}

static void plain_data_passes(void **state UNUSED)
{
    static const size_t sizes[] = { 0, 1, 9, 10, 11 };
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
        assert_ok(decompress("abcdefghijk", sizes[i], 0, &out, &err), err);
        assert_int_equal(out.size, sizes[i]);
        assert_memory_equal(out.data, "abcdefghijk", sizes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_levels_are_parsed),
        cmocka_unit_test(versions_name_level_and_library),
        cmocka_unit_test(kinds_are_found_by_magic),
        cmocka_unit_test(every_compression_is_taken_off),
        cmocka_unit_test(plain_data_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
