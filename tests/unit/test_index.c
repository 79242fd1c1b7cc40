/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/index.h"

#include "base/array.h"
#include "oci/media_type.h"
#include "tests/unit/conformance.h"

static int parse(const char *data, size_t size, struct error **err)
{
    AUTO(index_release) struct index index = { 0 };
    return index_parse(data, size, NULL, &index, err);
}

static void spec_cases(void **state UNUSED)
{
    static const char *const none[] = { NULL };
    conformance_run("image-spec/cases", "imageindex-", none, parse);
    conformance_run("image-spec/examples", "image-index-", none, parse);
    conformance_run("image-spec/examples", "image-layout-1", none, parse);
}

static void add(struct index *index, const char *type, const char *platform, const char *content)
{
    struct error *err = NULL;
    struct digest digest = digest_of(content, strlen(content));
    struct descriptor *entry = ARRAY_PUSH(index, manifests);
    descriptor_set(entry, type, &digest, 1);
    if (platform)
        assert_ok(platform_parse(platform, &entry->platform, &err), err);
}

static size_t selected(const struct index *index, const char *want)
{
    struct error *err = NULL;
    AUTO(platform_release) struct platform platform = { 0 };
    assert_ok(platform_parse(want, &platform, &err), err);
    const struct descriptor *found = index_select(index, &platform, &err);
    assert_ok_ptr(found, err);
    return (size_t)(found - index->manifests);
}

static void best_platform_is_selected(void **state UNUSED)
{
    AUTO(index_release) struct index index = { 0 };
    struct error *err = NULL;
    add(&index, MEDIA_TYPE_OCI_MANIFEST, "linux/arm/v5", "0");
    add(&index, MEDIA_TYPE_OCI_MANIFEST, "linux/amd64", "1");
    add(&index, MEDIA_TYPE_OCI_MANIFEST, "linux/arm/v6", "2");
    add(&index, MEDIA_TYPE_OCI_MANIFEST, "unknown/unknown", "3");
    add(&index, MEDIA_TYPE_OCI_MANIFEST, "linux/amd64", "4");
    add(&index, MEDIA_TYPE_OCI_MANIFEST, "linux/s390x", "5");
    descriptor_annotate(&index.manifests[5], "vnd.docker.reference.type", "attestation-manifest");
    assert_int_equal(selected(&index, "linux/amd64"), 1);
    assert_int_equal(selected(&index, "linux/arm/v7"), 2);
    assert_int_equal(selected(&index, "linux/arm/v5"), 0);
    AUTO(platform_release) struct platform want = { 0 };
    assert_ok(platform_parse("linux/s390x", &want, &err), err);
    assert_null(index_select(&index, &want, &err));
    assert_string_equal(error_message(err),
                        "no image for platform linux/s390x: there is one for linux/arm/v5, "
                        "linux/amd64, linux/arm/v6, linux/amd64");
    assert_true(error_is(err, ERR_NOT_FOUND));
    error_clear(&err);
}

static void only_image_needs_no_platform(void **state UNUSED)
{
    AUTO(index_release) struct index index = { 0 };
    struct error *err = NULL;
    add(&index, "application/vnd.in-toto+json", NULL, "0");
    add(&index, MEDIA_TYPE_OCI_MANIFEST, NULL, "1");
    assert_int_equal(selected(&index, "linux/amd64"), 1);
    add(&index, MEDIA_TYPE_OCI_MANIFEST, NULL, "2");
    AUTO(platform_release) struct platform want = { 0 };
    assert_ok(platform_parse("linux/amd64", &want, &err), err);
    assert_null(index_select(&index, &want, &err));
    error_clear(&err);
}

static void what_was_read_is_written_again(void **state UNUSED)
{
    AUTO(index_release) struct index index = { 0 };
    AUTO(index_release) struct index again = { 0 };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf text_again = STRBUF_INIT;
    struct error *err = NULL;
    index.media_type = xstrdup(MEDIA_TYPE_OCI_INDEX);
    add(&index, MEDIA_TYPE_OCI_MANIFEST, "linux/arm/v6", "0");
    index_format(&index, &text);
    assert_ok(index_parse(text.data, text.size, MEDIA_TYPE_OCI_INDEX, &again, &err), err);
    index_format(&again, &text_again);
    assert_string_equal(text.data, text_again.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spec_cases),
        cmocka_unit_test(best_platform_is_selected),
        cmocka_unit_test(only_image_needs_no_platform),
        cmocka_unit_test(what_was_read_is_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
