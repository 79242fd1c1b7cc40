/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/sha256.h"
#include "base/source.h"
#include "layers/encoder.h"
#include "tests/unit/test.h"

#include <libdeflate.h>

#define MIB ((size_t)1 << 20)

/* xorshift: the same bytes on every machine */
static void fill_random(char *data, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        data[i] = (char)(seed >> 32);
    }
}

static void fill_text(char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = "the quick brown fox "[(i + i / 997) % 20];
}

static void decode(const struct strbuf *packed, struct strbuf *out)
{
    struct error *err = NULL;
    AUTO(source_free)
    struct source *source = decompress_source_new(source_memory_new(packed->data, packed->size), 0);
    assert_ok(source_read_all(source, out, SIZE_MAX / 2, &err), err);
}

static void encode(const char *how, const char *data, size_t size, struct strbuf *out)
{
    struct error *err = NULL;
    struct compression compression;
    assert_ok(compression_parse(how, &compression, &err), err);
    AUTO(encoder_free) struct encoder *encoder = encoder_new(&compression);
    encoder_member(encoder, data, size, out);
}

static void every_kind_gives_back_its_input(void **state UNUSED)
{
    static const char *const kinds[] = { "gzip", "gzip:1",  "gzip:12",
                                         "zstd", "zstd:19", "uncompressed" };
    static const size_t sizes[] = { 0, 1, 100000, MIB + 1 };
    AUTO(free) char *data = xmalloc(MIB + 1);
    fill_text(data, MIB / 2);
    fill_random(data + MIB / 2, MIB / 2 + 1, 1);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        for (size_t j = 0; j < ARRAY_SIZE(sizes); j++) {
            AUTO(strbuf_release) struct strbuf packed = STRBUF_INIT;
            AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
            encode(kinds[i], data, sizes[j], &packed);
            decode(&packed, &out);
            assert_int_equal(out.size, sizes[j]);
            assert_memory_equal(out.data, data, sizes[j]);
        }
}

static size_t count_gzip_members(const struct strbuf *packed)
{
    static const char head[] = "\x1f\x8b\x08\0\0\0\0\0";
    const char *at = packed->data, *end = packed->data + packed->size;
    size_t n = 0;
    while ((at = memmem(at, (size_t)(end - at), head, sizeof(head) - 1))) {
        at++;
        n++;
    }
    return n;
}

static void gzip_stores_what_does_not_shrink(void **state UNUSED)
{
    AUTO(free) char *data = xmalloc(4 * MIB);
    fill_text(data, 4 * MIB);
    AUTO(strbuf_release) struct strbuf packed = STRBUF_INIT;
    encode("gzip", data, 4 * MIB, &packed);
    assert_true(packed.size < MIB);
    assert_int_equal(count_gzip_members(&packed), 1);
    /* two pieces of noise in the middle: three gzip members, of which the second is as large as
     * they */
    fill_random(data + MIB, 2 * MIB, 7);
    AUTO(strbuf_release) struct strbuf mixed = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    encode("gzip", data, 4 * MIB, &mixed);
    assert_int_equal(count_gzip_members(&mixed), 3);
    assert_true(mixed.size > 2 * MIB + 2 * MIB / 65535 * 5 && mixed.size < 3 * MIB);
    assert_non_null(memmem(mixed.data, mixed.size, data + MIB + 100000, 10000)); /* as it is */
    decode(&mixed, &out);
    assert_int_equal(out.size, 4 * MIB);
    assert_memory_equal(out.data, data, 4 * MIB);
}

static void gzip_headers_carry_no_time_nor_name(void **state UNUSED)
{
    AUTO(strbuf_release) struct strbuf packed = STRBUF_INIT;
    encode("gzip", "hello", 5, &packed);
    assert_memory_equal(packed.data, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
}

static void gzip_bytes_are_golden(void **state UNUSED)
{
    if (strcmp(LIBDEFLATE_VERSION_STRING, "1.14") != 0) {
        print_message("no golden bytes for libdeflate %s\n", LIBDEFLATE_VERSION_STRING);
        skip();
    }
    AUTO(free) char *data = xmalloc(2 * MIB);
    fill_text(data, MIB);
    fill_random(data + MIB, MIB, 3);
    AUTO(strbuf_release) struct strbuf packed = STRBUF_INIT;
    encode("gzip", data, 2 * MIB, &packed);
    uint8_t hash[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    sha256_of(packed.data, packed.size, hash);
    sha256_hex(hash, hex);
    assert_string_equal(hex, "40dc6b6dbce9065bfb6a5159db75ff75dfd48481a7ab950769a869a3deaeb5d4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_gives_back_its_input),
        cmocka_unit_test(gzip_stores_what_does_not_shrink),
        cmocka_unit_test(gzip_headers_carry_no_time_nor_name),
        cmocka_unit_test(gzip_bytes_are_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
