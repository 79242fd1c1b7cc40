/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/convert.h"

#include "tests/unit/test.h"

#include "oci/manifest.h"

#include <string.h>

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define DESC(type, digest) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":7}"
#define MANIFEST(type, config, layer, more)                                                        \
    "{\"schemaVersion\":2,\"mediaType\":\"" type                                                   \
    "\",\"config\":" DESC(config, A) ",\"layers\":[" DESC(layer, B) "]" more "}"
#define INDEX(type, child)                                                                         \
    "{\"schemaVersion\":2,\"mediaType\":\"" type "\",\"manifests\":[" DESC(child, A) "]}"

static void read_document(const char *text, struct document *document)
{
    AUTO(error_free) struct error *err = NULL;
    enum media_kind kind;
    struct digest digest = digest_of(text, strlen(text));
    strbuf_adds(&document->body, text);
    assert_ok(document_describe(document, NULL, &digest, &kind, &err), err);
}

/* The child of an index, when it was converted */
static const struct descriptor *child_of(void *data, const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    assert_string_equal(text, A);
    return data;
}

static void manifests_get_the_other_words(void **state UNUSED)
{
    static const struct {
        const char *text;
        enum image_format format;
        const char *has[3]; /* none: unchanged */
    } cases[] = {
        { MANIFEST(MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_OCI_CONFIG, MEDIA_TYPE_OCI_LAYER_GZIP,
                   ",\"annotations\":{\"a\":\"b\"}"),
          IMAGE_FORMAT_DOCKER,
          { MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_TYPE_DOCKER_CONFIG, MEDIA_TYPE_DOCKER_LAYER_GZIP } },
        { MANIFEST(MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_TYPE_DOCKER_CONFIG, MEDIA_TYPE_DOCKER_LAYER,
                   ""),
          IMAGE_FORMAT_OCI,
          { MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_OCI_CONFIG, MEDIA_TYPE_OCI_LAYER "\"" } },
        { MANIFEST(MEDIA_TYPE_DOCKER_MANIFEST, "application/vnd.docker.plugin.v1+json",
                   "application/vnd.docker.image.rootfs.diff.tar.zstd", ""),
          IMAGE_FORMAT_OCI,
          { MEDIA_TYPE_OCI_MANIFEST, "vnd.docker.plugin.v1+json", MEDIA_TYPE_OCI_LAYER_ZSTD } },
        { MANIFEST(MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_OCI_CONFIG,
                   "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", ""),
          IMAGE_FORMAT_DOCKER,
          { MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_TYPE_DOCKER_CONFIG,
            MEDIA_TYPE_DOCKER_FOREIGN_GZIP } },
        { " " MANIFEST(MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_OCI_CONFIG, "any/thing", ""),
          IMAGE_FORMAT_OCI,
          { NULL } },
        { " " MANIFEST(MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_TYPE_DOCKER_CONFIG, "any/thing", ""),
          IMAGE_FORMAT_DOCKER,
          { NULL } },
        { " " MANIFEST(MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_OCI_CONFIG, "any/thing", ""),
          IMAGE_FORMAT_KEEP,
          { NULL } },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(document_release) struct document document = DOCUMENT_INIT;
        AUTO(error_free) struct error *err = NULL;
        read_document(cases[i].text, &document);
        assert_ok(document_convert(&document, cases[i].format, NULL, NULL, &err), err);
        const char *has = cases[i].has[0];
        if (!has) {
            assert_string_equal(document.body.data, cases[i].text);
            continue;
        }
        for (size_t k = 0; k < 3; k++)
            assert_non_null(strstr(document.body.data, cases[i].has[k]));
        assert_string_equal(document.descriptor.media_type, has);
        struct digest digest = digest_of(document.body.data, document.body.size);
        assert_true(digest_equal(&digest, &document.descriptor.digest));
        assert_int_equal(document.descriptor.size, document.body.size);
        assert_null(strstr(document.body.data, "annotations"));
    }
}

static void what_docker_has_no_word_for_is_refused(void **state UNUSED)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { MANIFEST(MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_OCI_CONFIG, MEDIA_TYPE_OCI_LAYER_ZSTD, ""),
          "layer 1: Docker's format has no word for \"" MEDIA_TYPE_OCI_LAYER_ZSTD },
        { MANIFEST(MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_OCI_EMPTY, MEDIA_TYPE_OCI_LAYER, ""),
          MEDIA_TYPE_OCI_EMPTY },
        { MANIFEST(MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_OCI_CONFIG, MEDIA_TYPE_OCI_LAYER,
                   ",\"artifactType\":\"a/b\""),
          "an artifact can't" },
        { MANIFEST(MEDIA_TYPE_OCI_MANIFEST, MEDIA_TYPE_OCI_CONFIG, MEDIA_TYPE_OCI_LAYER,
                   ",\"subject\":" DESC(MEDIA_TYPE_OCI_MANIFEST, A)),
          "an artifact can't" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(document_release) struct document document = DOCUMENT_INIT;
        AUTO(error_free) struct error *err = NULL;
        read_document(cases[i].text, &document);
        assert_int_equal(document_convert(&document, IMAGE_FORMAT_DOCKER, NULL, NULL, &err), -1);
        assert_true(error_is(err, ERR_UNSUPPORTED));
        assert_non_null(strstr(error_message(err), cases[i].error));
        assert_string_equal(document.body.data, cases[i].text);
    }
}

static void an_index_names_its_converted_children(void **state UNUSED)
{
    AUTO(document_release) struct document document = DOCUMENT_INIT;
    AUTO(descriptor_release) struct descriptor child = { 0 };
    AUTO(error_free) struct error *err = NULL;
    struct digest digest = digest_of("x", 1);
    descriptor_set(&child, MEDIA_TYPE_DOCKER_MANIFEST, &digest, 4711);
    read_document(INDEX(MEDIA_TYPE_OCI_INDEX, MEDIA_TYPE_OCI_MANIFEST), &document);
    assert_ok(document_convert(&document, IMAGE_FORMAT_DOCKER, child_of, &child, &err), err);
    assert_string_equal(document.descriptor.media_type, MEDIA_TYPE_DOCKER_LIST);
    assert_non_null(strstr(document.body.data, "4711"));
    assert_non_null(strstr(document.body.data, MEDIA_TYPE_DOCKER_MANIFEST));
    assert_null(strstr(document.body.data, A));
}

static void an_index_of_the_format_without_changed_children_keeps_its_bytes(void **state UNUSED)
{
    static const char text[] = "  " INDEX(MEDIA_TYPE_OCI_INDEX, MEDIA_TYPE_OCI_MANIFEST);
    AUTO(document_release) struct document document = DOCUMENT_INIT;
    AUTO(error_free) struct error *err = NULL;
    read_document(text, &document);
    assert_ok(document_convert(&document, IMAGE_FORMAT_OCI, child_of, NULL, &err), err);
    assert_string_equal(document.body.data, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifests_get_the_other_words),
        cmocka_unit_test(what_docker_has_no_word_for_is_refused),
        cmocka_unit_test(an_index_names_its_converted_children),
        cmocka_unit_test(an_index_of_the_format_without_changed_children_keeps_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
