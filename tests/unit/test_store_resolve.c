/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_internal.h"
#include "tests/unit/store_fixture.h"

static char *hex_of(const struct digest *digest, size_t size)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    return xstrndup(hex, size);
}

static void assert_resolves(const struct fixture *fixture, const char *text,
                            const struct descriptor *expected, const char *name)
{
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor got = { 0 };
    AUTO(reference_release) struct reference reference = { 0 };
    if (store_resolve(fixture->store, text, &got, &reference, &err) < 0)
        fail_msg("%s: %s", text, error_message(err));
    assert_true(digest_equal(&got.digest, &expected->digest));
    assert_string_equal(got.media_type, expected->media_type);
    if (!name) {
        assert_null(reference.path);
        return;
    }
    AUTO(free) char *normal = reference_format(&reference);
    assert_string_equal(normal, name);
}

static void names_digests_and_prefixes_resolve(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    AUTO(image_release) struct image image = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    assert_ok(fixture_tag(fixture->store, "user/app", &a, &err), err);
    assert_ok(image_read(fixture->store, &a, NULL, &image, &err), err);
    assert_resolves(fixture, "user/app", &a, "docker.io/user/app:latest");
    assert_resolves(fixture, "docker.io/user/app:latest", &a, "docker.io/user/app:latest");

    char text[DIGEST_TEXT_SIZE];
    digest_format(&a.digest, text);
    assert_resolves(fixture, text, &a, NULL);
    assert_resolves(fixture, text + 7, &a, NULL);
    AUTO(free) char *with_digest = xasprintf("user/app@%s", text);
    AUTO(free) char *normal = xasprintf("docker.io/user/app@%s", text);
    assert_resolves(fixture, with_digest, &a, normal);
    AUTO(free) char *manifest_prefix = hex_of(&a.digest, 12);
    assert_resolves(fixture, manifest_prefix, &a, NULL);
    AUTO(free) char *config_prefix = hex_of(&image.manifest.config.digest, 12);
    assert_resolves(fixture, config_prefix, &a, NULL);
    AUTO(free) char *config_id = xasprintf("sha256:%s", config_prefix);
    assert_resolves(fixture, config_id, &a, NULL);
}

static void nearest_name_is_the_hint(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    AUTO(descriptor_release) struct descriptor got = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    assert_ok(fixture_tag(fixture->store, "user/app:1.0", &a, &err), err);
    assert_int_equal(store_resolve(fixture->store, "user/apk:1.0", &got, NULL, &err), -1);
    assert_true(error_is(err, ERR_NOT_FOUND));
    assert_string_equal(error_hint_text(err), "is it user/app:1.0?");
    error_clear(&err);
    static const struct {
        const char *text;
        enum error_code code;
    } cases[] = {
        { "abc", ERR_NOT_FOUND },
        { "abcd", ERR_NOT_FOUND },
        { "Alpine", ERR_INVALID },
        { "", ERR_INVALID },
        { "user/app", ERR_NOT_FOUND },
        { "sha256:abcd", ERR_NOT_FOUND },
        { "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", ERR_NOT_FOUND },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_fails(store_resolve(fixture->store, cases[i].text, &got, NULL, &err), err,
                     cases[i].code, "");
}

static void name_wins_over_id(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    AUTO(descriptor_release) struct descriptor b = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    fixture_image(fixture->store, "b", NULL, &b);
    AUTO(free) char *prefix = hex_of(&a.digest, 8);
    assert_ok(store_tag_keep(fixture->store, &a, &err), err);
    assert_resolves(fixture, prefix, &a, NULL);
    assert_ok(fixture_tag(fixture->store, prefix, &b, &err), err);
    AUTO(free) char *name = xasprintf("docker.io/library/%s:latest", prefix);
    assert_resolves(fixture, prefix, &b, name);
}

/* 300 images: by the birthday bound four digits of two ids are the same. */
static void ambiguous_prefix_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(hashmap_release) struct hashmap seen = HASHMAP_INIT(NULL);
    AUTO(free) char *twice = NULL;
    for (int i = 0; i < 2000 && !twice; i++) {
        AUTO(descriptor_release) struct descriptor desc = { 0 };
        AUTO(free) char *content = xasprintf("layer %d", i);
        fixture_image(fixture->store, content, NULL, &desc);
        assert_ok(store_tag_keep(fixture->store, &desc, &err), err);
        AUTO(free) char *prefix = hex_of(&desc.digest, 4);
        if (hashmap_has(&seen, prefix))
            twice = TAKE(prefix);
        else
            hashmap_put(&seen, prefix, fixture);
    }
    assert_non_null(twice);
    AUTO(descriptor_release) struct descriptor got = { 0 };
    assert_fails(store_resolve(fixture->store, twice, &got, NULL, &err), err, ERR_INVALID,
                 "images have it");
}

static void index_is_found_by_its_hosts_config(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct store *store = fixture->store;
    static const char *const platforms[] = { "local", "linux/s390x" };
    struct descriptor manifests[2] = { 0 };
    struct image images[2] = { 0 };
    AUTO(index_release) struct index index = { .media_type = xstrdup(MEDIA_TYPE_OCI_INDEX) };
    for (size_t i = 0; i < 2; i++) {
        AUTO(platform_release) struct platform platform = { 0 };
        assert_ok(platform_parse(platforms[i], &platform, &err), err);
        fixture_image(store, platforms[i], platforms[i], &manifests[i]);
        assert_ok(image_read(store, &manifests[i], &platform, &images[i], &err), err);
        struct descriptor *entry = ARRAY_PUSH(&index, manifests);
        descriptor_copy(entry, &manifests[i]);
        platform_copy(&entry->platform, &platform);
    }
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(descriptor_release) struct descriptor root = { 0 };
    index_format(&index, &text);
    descriptor_set(&root, MEDIA_TYPE_OCI_INDEX, &manifests[0].digest, 0);
    assert_ok(store_put_blob(store, text.data, text.size, &root, &err), err);
    assert_ok(fixture_tag(store, "multi", &root, &err), err);
    for (size_t i = 0; i < 2; i++) {
        AUTO(free) char *config = hex_of(&images[i].manifest.config.digest, 12);
        AUTO(free) char *manifest = hex_of(&manifests[i].digest, 12);
        assert_resolves(fixture, config, i == 0 ? &root : &manifests[i], NULL);
        assert_resolves(fixture, manifest, &manifests[i], NULL);
        descriptor_release(&manifests[i]);
        image_release(&images[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(names_digests_and_prefixes_resolve),
        fixture_test(nearest_name_is_the_hint),
        fixture_test(name_wins_over_id),
        fixture_test(ambiguous_prefix_is_refused),
        fixture_test(index_is_found_by_its_hosts_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
