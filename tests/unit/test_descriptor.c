/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/descriptor.h"

#include "base/json.h"
#include "oci/media_type.h"
#include "tests/unit/conformance.h"

#define HEX "5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270"

static int parse(const char *data, size_t size, struct error **err)
{
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(json_decref) json_t *object = json_parse_object(data, size, err);
    return object ? descriptor_from_json(object, "", &desc, err) : -1;
}

static int parse_or_name_algorithm(const char *data, size_t size, struct error **err)
{
    int parsed = parse(data, size, err);
    if (parsed < 0 && error_is(*err, ERR_UNSUPPORTED)) {
        error_clear(err); /* a valid digest of an algorithm that we don't have */
        return 0;
    }
    return parsed;
}

static void spec_cases(void **state UNUSED)
{
    static const char *const none[] = { NULL };
    conformance_run("image-spec/cases", "descriptor-", none, parse_or_name_algorithm);
    conformance_run("image-spec/examples", "descriptor-", none, parse_or_name_algorithm);
}

static void faults_name_their_place(void **state UNUSED)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\",\"size\":1.5}", "/size" },
        { "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\",\"size\":-1}", "/size" },
        { "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\"}", "/size" },
        { "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\",\"size\":99999999999999999999}",
          "JSON" },
        { "{\"mediaType\":\"ab\",\"digest\":\"sha256:" HEX "\",\"size\":1}", "/mediaType" },
        { "{\"mediaType\":\"a/b\",\"digest\":\"md5\",\"size\":1}", "/digest" },
        { "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
          "\",\"size\":1,\"annotations\":{\"a\":1}}",
          "/annotations/a" },
        { "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\",\"size\":1,\"urls\":[\"x\"]}",
          "/urls/0" },
        { "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
          "\",\"size\":1,\"platform\":{\"os\":\"x\"}}",
          "/platform/architecture" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        assert_fails(parse(cases[i].text, strlen(cases[i].text), &err), err, ERR_INVALID,
                     cases[i].error);
    }
}

static void what_was_read_is_written_again(void **state UNUSED)
{
    static const char text[] =
        "{\"annotations\":{\"a\":\"b\"},\"artifactType\":\"x/"
        "y\",\"data\":\"aGk=\",\"digest\":\"sha256:" HEX "\",\"future\":[1,2],\"mediaType\":\"a/"
        "b\",\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\","
        "\"os.features\":[\"f\"],\"variant\":\"v6\"},\"size\":7,\"urls\":[\"https://x/\"]}";
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(descriptor_release) struct descriptor copy = { 0 };
    AUTO(json_decref) json_t *object = json_parse_object(text, strlen(text), &err);
    assert_ok(descriptor_from_json(object, "", &desc, &err), err);
    descriptor_copy(&copy, &desc);
    assert_string_equal(descriptor_annotation(&copy, "a"), "b");
    assert_null(descriptor_annotation(&copy, "c"));
    AUTO(json_decref) json_t *again = descriptor_to_json(&copy);
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    json_format_canonical(again, &out);
    assert_string_equal(out.data, text);
}

static void set_takes_its_own_digest(void **state UNUSED)
{
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    struct digest digest = digest_of("x", 1);
    descriptor_set(&desc, "a/b", &digest, 1);
    descriptor_annotate(&desc, "k", "v");
    descriptor_set(&desc, "a/c", &desc.digest, 2);
    assert_true(digest_equal(&desc.digest, &digest));
    assert_null(desc.annotations);
    assert_string_equal(desc.media_type, "a/c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spec_cases),
        cmocka_unit_test(faults_name_their_place),
        cmocka_unit_test(what_was_read_is_written_again),
        cmocka_unit_test(set_takes_its_own_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
