/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"
#include "tests/unit/test.h"

static const struct {
    const char *text, *hex;
} vectors[] = {
    /* FIPS 180-4 examples */
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static void known_vectors(void **state UNUSED)
{
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        uint8_t out[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        sha256_of(vectors[i].text, strlen(vectors[i].text), out);
        sha256_hex(out, hex);
        assert_string_equal(hex, vectors[i].hex);
        for (const char *p = vectors[i].text; *p; p++)
            sha256_update(hash, p, 1);
        sha256_finish(hash, out); /* and starts anew */
        sha256_hex(out, hex);
        assert_string_equal(hex, vectors[i].hex);
    }
}

static void fields_do_not_run_together(void **state UNUSED)
{
    uint8_t a[SHA256_SIZE], b[SHA256_SIZE];
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    sha256_update_field(hash, "ab");
    sha256_update_field(hash, "c");
    sha256_finish(hash, a);
    sha256_update_field(hash, "a");
    sha256_update_field(hash, "bc");
    sha256_finish(hash, b);
    assert_memory_not_equal(a, b, SHA256_SIZE);
}

static void hex_is_read_strictly(void **state UNUSED)
{
    uint8_t out[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE], again[SHA256_HEX_SIZE];
    memcpy(hex, vectors[1].hex, sizeof(hex));
    assert_true(sha256_from_hex(hex, 64, out));
    sha256_hex(out, again);
    assert_string_equal(hex, again);
    assert_false(sha256_from_hex(hex, 63, out));
    assert_false(sha256_from_hex(hex, 65, out));
    hex[63] = 'D';
    assert_false(sha256_from_hex(hex, 64, out));
    hex[63] = 'g';
    assert_false(sha256_from_hex(hex, 64, out));
    sha256_hex(out, hex);
    assert_string_equal(hex, again); /* untouched by the refusals */
}

static void sink_hashes_counts_and_passes_on(void **state UNUSED)
{
    struct error *err = NULL;
    uint8_t out[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    uint64_t size = 0;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(sink_free) struct sink *sink = sink_sha256_new(sink_strbuf_new(&buf), out, &size);
    assert_ok(sink_write(sink, "ab", 2, &err), err);
    assert_ok(sink_write(sink, "c", 1, &err), err);
    assert_ok(sink_finish(sink, &err), err);
    sha256_hex(out, hex);
    assert_string_equal(hex, vectors[1].hex);
    assert_int_equal(size, 3);
    assert_string_equal(buf.data, "abc");
    AUTO(sink_free) struct sink *alone = sink_sha256_new(NULL, NULL, NULL);
    assert_ok(sink_write(alone, "c", 1, &err), err);
    assert_ok(sink_finish(alone, &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(fields_do_not_run_together),
        cmocka_unit_test(hex_is_read_strictly),
        cmocka_unit_test(sink_hashes_counts_and_passes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
