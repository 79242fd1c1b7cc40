/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/archive_read.h"
#include "tests/unit/archive_fixture.h"

static int save(struct store *store, const struct archive_image *images, size_t n,
                enum archive_format format, struct strbuf *out, struct error **err)
{
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(out);
    return archive_save(store, images, n, format, sink, err);
}

/* Names in the archive, one a line; the content of `wanted` in *content. */
static void list(const struct strbuf *archive, struct strbuf *names, const char *wanted,
                 struct strbuf *content)
{
    struct error *err = NULL;
    AUTO(archive_reader_free)
    struct archive_reader *reader =
        archive_reader_new(source_memory_new(archive->data, archive->size), &err);
    assert_ok_ptr(reader, err);
    struct archive_item item;
    while (archive_reader_next(reader, &item, &err) == 1) {
        strbuf_addf(names, "%s\n", item.path);
        assert_int_equal(item.mtime, 0);
        char data[4096];
        ssize_t n;
        if (strcmp(item.path, wanted) == 0)
            while ((n = archive_reader_data(reader, data, sizeof(data), &err)) > 0)
                strbuf_add(content, data, (size_t)n);
    }
    assert_null(err);
}

static void the_default_is_a_layout_and_a_docker_archive(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(image_release) struct image image = { 0 };
    import_image(fixture->store, "hello\n", &desc);
    assert_ok(image_read(fixture->store, &desc, NULL, &image, &err), err);
    char manifest[DIGEST_HEX_SIZE], config[DIGEST_HEX_SIZE], layer[DIGEST_HEX_SIZE];
    digest_format_hex(&desc.digest, manifest);
    digest_format_hex(&image.manifest.config.digest, config);
    digest_format_hex(&image.manifest.layers[0].digest, layer);

    const struct archive_image images[] = {
        { desc, (char[]){ "docker.io/library/app:1.0" } },
        { desc, (char[]){ "localhost:5000/user/app:latest" } },
    };
    AUTO(strbuf_release) struct strbuf first = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf again = STRBUF_INIT;
    assert_ok(save(fixture->store, images, 2, ARCHIVE_BOTH, &first, &err), err);
    assert_ok(save(fixture->store, images, 2, ARCHIVE_BOTH, &again, &err), err);
    assert_int_equal(first.size, again.size);
    assert_memory_equal(first.data, again.data, first.size);

    AUTO(strbuf_release) struct strbuf names = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf index = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf ignored = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf docker = STRBUF_INIT;
    list(&first, &names, "index.json", &index);
    list(&first, &ignored, "manifest.json", &docker);
    AUTO(strvec_release) struct strvec blobs = STRVEC_INIT;
    strvec_push(&blobs, manifest);
    strvec_push(&blobs, config);
    strvec_push(&blobs, layer);
    strvec_sort(&blobs);
    AUTO(free)
    char *expected = xasprintf("blobs/\nblobs/sha256/\nblobs/sha256/%s\nblobs/sha256/%s\nblobs/"
                               "sha256/%s\nindex.json\nmanifest.json\noci-layout\n",
                               blobs.items[0], blobs.items[1], blobs.items[2]);
    assert_string_equal(names.data, expected);

    AUTO(free)
    char *expected_docker = xasprintf(
        "[{\"Config\":\"blobs/sha256/%s\",\"Layers\":[\"blobs/sha256/"
        "%s\"],\"RepoTags\":[\"docker.io/library/app:1.0\",\"localhost:5000/user/app:latest\"]}]",
        config, layer);
    assert_string_equal(docker.data, expected_docker);
    assert_non_null(strstr(index.data, "\"io.containerd.image.name\":\"docker.io/library/app:1.0\","
                                       "\"org.opencontainers.image.ref.name\":\"1.0\""));
    assert_non_null(strstr(index.data, "\"org.opencontainers.image.ref.name\":\"latest\""));
}

static void oci_has_no_docker_part(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf names = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf none = STRBUF_INIT;
    import_image(fixture->store, "hello\n", &desc);
    const struct archive_image image = { desc, NULL };
    assert_ok(save(fixture->store, &image, 1, ARCHIVE_OCI, &archive, &err), err);
    list(&archive, &names, "manifest.json", &none);
    assert_int_equal(none.size, 0);
    assert_non_null(strstr(names.data, "index.json\noci-layout\n"));
}

static void docker_has_plain_layers_named_by_diff_id(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(image_release) struct image image = { 0 };
    AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf names = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf layer = STRBUF_INIT;
    import_image(fixture->store, "hello\n", &desc);
    assert_ok(image_read(fixture->store, &desc, NULL, &image, &err), err);
    const struct archive_image one = { desc, (char[]){ "docker.io/user/app:1" } };
    assert_ok(save(fixture->store, &one, 1, ARCHIVE_DOCKER, &archive, &err), err);
    char diff_id[DIGEST_HEX_SIZE], config[DIGEST_HEX_SIZE];
    digest_format_hex(&image.config.diff_ids[0], diff_id);
    digest_format_hex(&image.manifest.config.digest, config);
    AUTO(free) char *layer_name = xasprintf("%s.tar", diff_id);
    list(&archive, &names, layer_name, &layer);
    struct digest got = digest_of(layer.data, layer.size);
    assert_true(digest_equal(&got, &image.config.diff_ids[0]));
    AUTO(free) char *config_name = xasprintf("%s.json\n", config);
    assert_non_null(strstr(names.data, config_name));
    assert_non_null(strstr(names.data, "manifest.json\n"));
}

static void a_missing_or_damaged_blob_makes_no_archive(void **state)
{
    static const enum archive_format formats[] = { ARCHIVE_BOTH, ARCHIVE_OCI, ARCHIVE_DOCKER };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(image_release) struct image image = { 0 };
    import_image(fixture->store, "hello\n", &desc);
    assert_ok(image_read(fixture->store, &desc, NULL, &image, &err), err);
    const struct archive_image one = { desc, NULL };
    const struct digest *layer = &image.manifest.layers[0].digest;
    fixture_damage(fixture, layer);
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
        assert_int_equal(save(fixture->store, &one, 1, formats[i], &archive, &err), -1);
        error_clear(&err);
    }
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(layer, hex);
    assert_ok(fs_unlink(store_dir_fd(fixture->store, STORE_BLOBS), hex, &err), err);
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
        assert_fails(save(fixture->store, &one, 1, formats[i], &archive, &err), err, ERR_NOT_FOUND,
                     hex);
    }
}

/* Of an index of two platforms, of which one was pulled. */
static void an_index_is_kept_with_the_platforms_that_are_there(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 }, index_desc = { 0 };
    import_image(fixture->store, "hello\n", &desc);
    AUTO(index_release) struct index index = { .media_type = xstrdup(MEDIA_TYPE_OCI_INDEX) };
    struct descriptor *entry = ARRAY_PUSH(&index, manifests);
    descriptor_copy(entry, &desc);
    platform_host(&entry->platform);
    entry = ARRAY_PUSH(&index, manifests);
    struct digest absent = digest_of("absent", 6);
    descriptor_set(entry, MEDIA_TYPE_OCI_MANIFEST, &absent, 6);
    platform_set(&entry->platform, "linux", "riscv64", NULL, NULL);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    index_format(&index, &text);
    descriptor_set(&index_desc, MEDIA_TYPE_OCI_INDEX, &absent, 0);
    assert_ok(store_put_blob(fixture->store, text.data, text.size, &index_desc, &err), err);

    AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf names = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf docker = STRBUF_INIT;
    const struct archive_image one = { index_desc, (char[]){ "docker.io/user/app:1" } };
    assert_ok(save(fixture->store, &one, 1, ARCHIVE_BOTH, &archive, &err), err);
    list(&archive, &names, "manifest.json", &docker);
    size_t n = 0;
    for (const char *p = names.data; (p = strstr(p, "blobs/sha256/")); p++)
        n++;
    assert_int_equal(n, 5); /* the folder, index, manifest, config, layer */
    assert_non_null(strstr(docker.data, "user/app:1"));

    struct archive_image foreign = { index_desc, NULL };
    index.manifests[0].digest = digest_of("other", 5);
    strbuf_reset(&text);
    index_format(&index, &text);
    assert_ok(store_put_blob(fixture->store, text.data, text.size, &foreign.descriptor, &err), err);
    strbuf_reset(&archive);
    assert_fails(save(fixture->store, &foreign, 1, ARCHIVE_BOTH, &archive, &err), err,
                 ERR_NOT_FOUND, "is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(the_default_is_a_layout_and_a_docker_archive),
        fixture_test(oci_has_no_docker_part),
        fixture_test(docker_has_plain_layers_named_by_diff_id),
        fixture_test(a_missing_or_damaged_blob_makes_no_archive),
        fixture_test(an_index_is_kept_with_the_platforms_that_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
