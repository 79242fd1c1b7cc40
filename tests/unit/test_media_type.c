/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/media_type.h"
#include "tests/unit/test.h"

static void kinds_are_known(void **state UNUSED)
{
    static const struct {
        const char *text;
        enum media_kind kind;
    } cases[] = {
        { MEDIA_TYPE_OCI_INDEX, MEDIA_KIND_INDEX },
        { MEDIA_TYPE_OCI_MANIFEST "; charset=utf-8", MEDIA_KIND_MANIFEST },
        { "Application/VND.oci.image.manifest.v1+json", MEDIA_KIND_MANIFEST },
        { MEDIA_TYPE_DOCKER_LIST, MEDIA_KIND_INDEX },
        { MEDIA_TYPE_DOCKER_CONFIG, MEDIA_KIND_CONFIG },
        { MEDIA_TYPE_OCI_LAYER_ZSTD, MEDIA_KIND_LAYER },
        { MEDIA_TYPE_DOCKER_LAYER, MEDIA_KIND_LAYER },
        { MEDIA_TYPE_DOCKER_FOREIGN_GZIP, MEDIA_KIND_FOREIGN_LAYER },
        { "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
          MEDIA_KIND_FOREIGN_LAYER },
        { MEDIA_TYPE_DOCKER_SCHEMA1_SIGNED, MEDIA_KIND_SCHEMA1 },
        { "application/vnd.in-toto+json", MEDIA_KIND_UNKNOWN },
        { "application/json", MEDIA_KIND_UNKNOWN },
        { "", MEDIA_KIND_UNKNOWN },
        { NULL, MEDIA_KIND_UNKNOWN },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(media_type_kind(cases[i].text), cases[i].kind);
    assert_true(media_type_is_docker(MEDIA_TYPE_DOCKER_MANIFEST));
    assert_false(media_type_is_docker(MEDIA_TYPE_OCI_MANIFEST));
    assert_false(media_type_is_docker(NULL));
}

static void form_is_rfc_6838(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        { "text/plain", true },   { "a/b+c.d-e_f", true }, { "", false },
        { "text", false },        { "text/", false },      { "/plain", false },
        { ".a/b", false },        { "a/.b", false },       { "a/b/c", false },
        { "text/plain ", false }, { "a b/c", false },      { "text/plain;q=1", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (media_type_is_valid(cases[i].text) != cases[i].valid)
            fail_msg("\"%s\": expected %d", cases[i].text, cases[i].valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_known),
        cmocka_unit_test(form_is_rfc_6838),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
