/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/digest.h"
#include "tests/unit/test.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void parses_and_formats(void **state UNUSED)
{
    struct error *err = NULL;
    struct digest digest;
    char text[DIGEST_TEXT_SIZE], hex[DIGEST_HEX_SIZE];
    assert_ok(digest_parse("sha256:" EMPTY, &digest, &err), err);
    digest_format(&digest, text);
    digest_format_hex(&digest, hex);
    assert_string_equal(text, "sha256:" EMPTY);
    assert_string_equal(hex, EMPTY);
    struct digest same = digest_of("", 0);
    assert_true(digest_equal(&digest, &same));
}

static void refuses_what_is_no_sha256(void **state UNUSED)
{
    static const struct {
        const char *text;
        enum error_code code;
        const char *error;
    } cases[] = {
        { "", ERR_INVALID, "expected sha256:HEX" },
        { "sha256", ERR_INVALID, "expected sha256:HEX" },
        { ":" EMPTY, ERR_INVALID, "expected sha256:HEX" },
        { "SHA256:" EMPTY, ERR_INVALID, "expected sha256:HEX" },
        { "sha256:", ERR_INVALID, "expected sha256:HEX" },
        { "sha256:../../etc/passwd", ERR_INVALID, "expected sha256:HEX" },
        { "sha256+-b:" EMPTY, ERR_INVALID, "expected sha256:HEX" },
        { "sha256:e3b0", ERR_INVALID, "64 lower-case hex digits" },
        { "sha256:" EMPTY "0", ERR_INVALID, "64 lower-case hex digits" },
        { "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", ERR_INVALID,
          "64 lower-case hex digits" },
        { "sha512:" EMPTY EMPTY, ERR_UNSUPPORTED, "digest algorithm sha512" },
        { "multihash+base58:QmRZxt2b1FVZPNqd8", ERR_UNSUPPORTED, "multihash+base58" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct digest digest = { 0 };
        assert_fails(digest_parse(cases[i].text, &digest, &err), err, cases[i].code,
                     cases[i].error);
        assert_false(digest.is_set);
    }
}

static void unset_sorts_before_set(void **state UNUSED)
{
    struct digest unset = { 0 }, zeros, other = digest_of("a", 1);
    struct error *err = NULL;
    assert_ok(digest_parse("sha256:" ZEROS, &zeros, &err), err);
    assert_false(digest_equal(&unset, &zeros));
    assert_true(digest_compare(&unset, &zeros) < 0);
    assert_true(digest_compare(&zeros, &other) < 0);
    assert_int_equal(digest_compare(&unset, &unset), 0);
}

/* chain = sha256("sha256:A sha256:B"), computed with sha256sum */
static void chain_id_is_of_the_texts(void **state UNUSED)
{
    struct digest a = digest_of("", 0), none = { 0 };
    struct digest first = digest_chain_id(&none, &a);
    assert_true(digest_equal(&first, &a));
    struct digest second = digest_chain_id(&first, &a);
    struct digest expected = digest_of("sha256:" EMPTY " sha256:" EMPTY, 71 * 2 + 1);
    assert_true(digest_equal(&second, &expected));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_formats),
        cmocka_unit_test(refuses_what_is_no_sha256),
        cmocka_unit_test(unset_sorts_before_set),
        cmocka_unit_test(chain_id_is_of_the_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
