/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image.h"

#include "tests/unit/store_fixture.h"

static void put_index(struct store *store, const struct descriptor *manifests,
                      const char *const *platforms, size_t n, struct descriptor *ret)
{
    struct error *err = NULL;
    AUTO(index_release) struct index index = { .media_type = xstrdup(MEDIA_TYPE_OCI_INDEX) };
    for (size_t i = 0; i < n; i++) {
        struct descriptor *entry = ARRAY_PUSH(&index, manifests);
        descriptor_copy(entry, &manifests[i]);
        assert_ok(platform_parse(platforms[i], &entry->platform, &err), err);
    }
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    index_format(&index, &text);
    struct digest none = digest_of("", 0);
    descriptor_set(ret, MEDIA_TYPE_OCI_INDEX, &none, 0);
    assert_ok(store_put_blob(store, text.data, text.size, ret, &err), err);
}

static void manifest_is_chosen_by_platform(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const char *const platforms[] = { "linux/amd64", "linux/arm/v6" };
    struct descriptor manifests[2] = { 0 };
    AUTO(descriptor_release) struct descriptor index = { 0 };
    AUTO(descriptor_release) struct descriptor outer = { 0 };
    fixture_image(fixture->store, "a", platforms[0], &manifests[0]);
    fixture_image(fixture->store, "b", platforms[1], &manifests[1]);
    put_index(fixture->store, manifests, platforms, 2, &index);

    AUTO(platform_release) struct platform want = { 0 };
    AUTO(image_release) struct image image = { 0 };
    assert_ok(platform_parse("linux/arm/v7", &want, &err), err);
    assert_ok(image_read(fixture->store, &index, &want, &image, &err), err);
    assert_true(digest_equal(&image.descriptor.digest, &manifests[1].digest));
    assert_true(digest_equal(&image.target.digest, &index.digest));
    assert_string_equal(image.config.platform.variant, "v6");
    assert_string_equal(image.config.history[0].created_by, "b");

    put_index(fixture->store, &index, platforms, 1, &outer);
    AUTO(image_release) struct image nested = { 0 };
    assert_ok(platform_parse("linux/amd64", &want, &err), err);
    assert_ok(image_read(fixture->store, &outer, &want, &nested, &err), err);
    assert_true(digest_equal(&nested.descriptor.digest, &manifests[0].digest));

    AUTO(image_release) struct image none = { 0 };
    assert_ok(platform_parse("linux/s390x", &want, &err), err);
    assert_fails(image_read(fixture->store, &index, &want, &none, &err), err, ERR_NOT_FOUND,
                 "no image for platform linux/s390x: there is one for linux/amd64, linux/arm/v6");
    descriptor_release(&manifests[0]);
    descriptor_release(&manifests[1]);
}

static void indexes_are_nested_four_deep(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const char *const platforms[] = { "linux/amd64" };
    struct descriptor levels[6] = { 0 };
    AUTO(platform_release) struct platform want = { 0 };
    AUTO(image_release) struct image image = { 0 }, too_deep = { 0 };
    assert_ok(platform_parse(platforms[0], &want, &err), err);
    fixture_image(fixture->store, "a", platforms[0], &levels[0]);
    for (size_t i = 1; i < ARRAY_SIZE(levels); i++)
        put_index(fixture->store, &levels[i - 1], platforms, 1, &levels[i]);
    assert_ok(image_read(fixture->store, &levels[4], &want, &image, &err), err);
    assert_ok(fixture_tag(fixture->store, "four", &levels[4], &err), err);
    assert_fails(image_read(fixture->store, &levels[5], &want, &too_deep, &err), err, ERR_LIMIT,
                 "indexes nested more than 4 deep");
    assert_fails(fixture_tag(fixture->store, "five", &levels[5], &err), err, ERR_LIMIT,
                 "indexes nested more than 4 deep");
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        descriptor_release(&levels[i]);
}

static void put_manifest(struct store *store, const char *config_type, const char *config,
                         size_t n_layers, struct descriptor *ret)
{
    struct error *err = NULL;
    AUTO(manifest_release) struct manifest manifest = { 0 };
    manifest.media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST);
    struct digest digest = fixture_blob(store, "layer");
    descriptor_set(&manifest.config, config_type, &digest, 0);
    assert_ok(store_put_blob(store, config, strlen(config), &manifest.config, &err), err);
    for (size_t i = 0; i < n_layers; i++)
        descriptor_set(ARRAY_PUSH(&manifest, layers), MEDIA_TYPE_OCI_LAYER, &digest, 5);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    manifest_format(&manifest, &text);
    descriptor_set(ret, MEDIA_TYPE_OCI_MANIFEST, &digest, 0);
    assert_ok(store_put_blob(store, text.data, text.size, ret, &err), err);
}

#define NO_LAYERS                                                                                  \
    "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]" \
    "}}"

static void bad_images_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *type, *config;
        size_t n_layers;
        enum error_code code;
        const char *error;
    } cases[] = {
        { MEDIA_TYPE_OCI_CONFIG, NO_LAYERS, 2, ERR_INVALID,
          "2 layers in the manifest, 0 diff_ids in the config" },
        { MEDIA_TYPE_OCI_EMPTY, "{}", 0, ERR_UNSUPPORTED, "not an image" },
        { "application/vnd.cncf.helm.config.v1+json", "{}", 0, ERR_UNSUPPORTED,
          "an artifact of type application/vnd.cncf.helm.config.v1+json" },
        { MEDIA_TYPE_OCI_CONFIG, "{}", 0, ERR_INVALID, "config: image config: /rootfs" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor desc = { 0 };
        AUTO(image_release) struct image image = { 0 };
        put_manifest(fixture->store, cases[i].type, cases[i].config, cases[i].n_layers, &desc);
        assert_fails(image_read(fixture->store, &desc, NULL, &image, &err), err, cases[i].code,
                     cases[i].error);
    }
}

static void descriptor_must_tell_the_size(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(image_release) struct image image = { 0 };
    fixture_image(fixture->store, "a", NULL, &desc);
    assert_ok(image_read(fixture->store, &desc, NULL, &image, &err), err);
    desc.size++;
    AUTO(image_release) struct image other = { 0 };
    assert_fails(image_read(fixture->store, &desc, NULL, &other, &err), err, ERR_DIGEST,
                 "its descriptor says");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(manifest_is_chosen_by_platform),
        fixture_test(indexes_are_nested_four_deep),
        fixture_test(bad_images_are_refused),
        fixture_test(descriptor_must_tell_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
