/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/manifest.h"

#include "base/array.h"
#include "tests/unit/conformance.h"

#define HEX "5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270"
#define CONFIG                                                                                     \
    "{\"digest\":\"sha256:" HEX "\",\"mediaType\":\"" MEDIA_TYPE_OCI_CONFIG "\",\"size\":2}"
#define LAYER                                                                                      \
    "{\"digest\":\"sha256:" HEX "\",\"mediaType\":\"" MEDIA_TYPE_OCI_LAYER_GZIP "\",\"size\":3}"
#define PARTS "\"config\":" CONFIG ",\"layers\":[" LAYER "]"

static int parse(const char *data, size_t size, struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    return manifest_parse(data, size, NULL, &manifest, err);
}

static int parse_or_name_algorithm(const char *data, size_t size, struct error **err)
{
    int parsed = parse(data, size, err);
    if (parsed < 0 && error_is(*err, ERR_UNSUPPORTED) &&
        strstr(error_message(*err), "digest algorithm")) {
        error_clear(err);
        return 0;
    }
    return parsed;
}

static void spec_cases(void **state UNUSED)
{
    static const char *const excepted[] = {
        /* no layers: the schema forbids it, the text of v1.1 allows it, builds from scratch give it
         */
        "manifest-06.invalid.json",
        /* its bad digest stands behind one of an algorithm that we don't have */
        "manifest-10.invalid.json",
        NULL,
    };
    static const char *const none[] = { NULL };
    conformance_run("image-spec/cases", "manifest-", excepted, parse_or_name_algorithm);
    conformance_run("image-spec/examples", "manifest-0", none, parse);
}

static void kind_is_told_by_type_then_shape(void **state UNUSED)
{
    static const struct {
        const char *text, *content_type;
        enum media_kind kind;
        const char *error;
    } cases[] = {
        { "{" PARTS "}", NULL, MEDIA_KIND_MANIFEST, NULL },
        { "{\"manifests\":[]}", NULL, MEDIA_KIND_INDEX, NULL },
        { "{\"mediaType\":\"" MEDIA_TYPE_OCI_INDEX "\"}", NULL, MEDIA_KIND_INDEX, NULL },
        { "{" PARTS "}", MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_KIND_MANIFEST, NULL },
        { "{" PARTS "}", "application/json", MEDIA_KIND_MANIFEST, NULL },
        { "{\"mediaType\":\"" MEDIA_TYPE_OCI_MANIFEST "\"," PARTS "}",
          MEDIA_TYPE_OCI_MANIFEST "; charset=utf-8", MEDIA_KIND_MANIFEST, NULL },
        { "{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, MEDIA_KIND_SCHEMA1, NULL },
        { "{}", MEDIA_TYPE_DOCKER_SCHEMA1_SIGNED, MEDIA_KIND_SCHEMA1, NULL },
        { "{" PARTS ",\"manifests\":[]}", NULL, 0, "both an index and a manifest" },
        { "{" PARTS "}", MEDIA_TYPE_OCI_INDEX, 0,
          "called an index but has the members of a manifest" },
        { "{\"mediaType\":\"" MEDIA_TYPE_OCI_INDEX "\"," PARTS "}", NULL, 0, "called an index" },
        { "{\"mediaType\":\"" MEDIA_TYPE_OCI_MANIFEST "\"," PARTS "}", MEDIA_TYPE_DOCKER_MANIFEST,
          0, "but it came as" },
        { "{}", NULL, 0, "neither a manifest nor an index" },
        { "{\"mediaType\":7}", NULL, 0, "/mediaType" },
        { "[]", NULL, 0, "expected an object" },
        { "nonsense", NULL, 0, "JSON" },
        { "{\"config\":{},\"config\":{}}", NULL, 0, "JSON" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        enum media_kind kind = MEDIA_KIND_UNKNOWN;
        int sniffed = manifest_sniff(cases[i].text, strlen(cases[i].text), cases[i].content_type,
                                     &kind, &err);
        if (cases[i].error) {
            assert_fails(sniffed, err, ERR_INVALID, cases[i].error);
        } else {
            assert_ok(sniffed, err);
            assert_int_equal(kind, cases[i].kind);
        }
    }
}

static void faults_name_their_place(void **state UNUSED)
{
    static const struct {
        const char *text;
        enum error_code code;
        const char *error;
    } cases[] = {
        { "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER ",{}]}", ERR_INVALID,
          "manifest: /layers/1/mediaType" },
        { "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":{}}", ERR_INVALID, "/layers" },
        { "{\"schemaVersion\":2,\"layers\":[" LAYER "]}", ERR_INVALID, "/config" },
        { "{\"schemaVersion\":3," PARTS "}", ERR_INVALID, "/schemaVersion" },
        { "{" PARTS "}", ERR_INVALID, "/schemaVersion" },
        { "{\"schemaVersion\":2," PARTS ",\"annotations\":[]}", ERR_INVALID, "/annotations" },
        { "{\"schemaVersion\":2," PARTS ",\"subject\":1}", ERR_INVALID, "/subject" },
        { "{\"schemaVersion\":2," PARTS ",\"artifactType\":\"x\"}", ERR_INVALID, "/artifactType" },
        { "{\"schemaVersion\":1,\"fsLayers\":[]}", ERR_UNSUPPORTED, "schema 1" },
        { "{\"schemaVersion\":2,\"manifests\":[]}", ERR_INVALID, "an index where" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        assert_fails(parse(cases[i].text, strlen(cases[i].text), &err), err, cases[i].code,
                     cases[i].error);
    }
}

static void layers_are_limited(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER);
    for (int i = 1; i < MANIFEST_MAX_LAYERS; i++)
        strbuf_adds(&text, "," LAYER);
    size_t size = text.size;
    strbuf_adds(&text, "]}");
    assert_ok(parse(text.data, text.size, &err), err);
    strbuf_set_size(&text, size);
    strbuf_adds(&text, "," LAYER "]}");
    assert_fails(parse(text.data, text.size, &err), err, ERR_LIMIT, "501 layers, at most 500");
}

static void null_layers_are_none(void **state UNUSED)
{
    static const char text[] = "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":null}";
    struct error *err = NULL;
    AUTO(manifest_release) struct manifest manifest = { 0 };
    assert_ok(manifest_parse(text, strlen(text), MEDIA_TYPE_DOCKER_MANIFEST, &manifest, &err), err);
    assert_int_equal(manifest.n_layers, 0);
    assert_string_equal(manifest.media_type, MEDIA_TYPE_DOCKER_MANIFEST);
}

static void written_bytes_are_canonical(void **state UNUSED)
{
    static const char expected[] =
        "{\"annotations\":{\"a\":\"1\",\"b\":\"2\"},\"config\":" CONFIG ",\"layers\":[" LAYER
        "],\"mediaType\":\"" MEDIA_TYPE_OCI_MANIFEST "\",\"schemaVersion\":2}";
    struct error *err = NULL;
    struct digest digest;
    assert_ok(digest_parse("sha256:" HEX, &digest, &err), err);
    AUTO(manifest_release) struct manifest manifest = { 0 };
    manifest.media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST);
    descriptor_set(&manifest.config, MEDIA_TYPE_OCI_CONFIG, &digest, 2);
    descriptor_set(ARRAY_PUSH(&manifest, layers), MEDIA_TYPE_OCI_LAYER_GZIP, &digest, 3);
    manifest_annotate(&manifest, "b", "2");
    manifest_annotate(&manifest, "a", "1");
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    manifest_format(&manifest, &text);
    assert_string_equal(text.data, expected);
    AUTO(manifest_release) struct manifest again = { 0 };
    assert_ok(manifest_parse(text.data, text.size, NULL, &again, &err), err);
    AUTO(strbuf_release) struct strbuf text_again = STRBUF_INIT;
    manifest_format(&again, &text_again);
    assert_string_equal(text_again.data, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spec_cases),
        cmocka_unit_test(kind_is_told_by_type_then_shape),
        cmocka_unit_test(faults_name_their_place),
        cmocka_unit_test(layers_are_limited),
        cmocka_unit_test(null_layers_are_none),
        cmocka_unit_test(written_bytes_are_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
