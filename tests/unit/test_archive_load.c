/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/encoder.h"
#include "tests/unit/archive_fixture.h"

#include <unistd.h>

static int load(struct store *store, const struct strbuf *archive, struct strbuf *told,
                struct error **err)
{
    return archive_load(store, source_memory_new(archive->data, archive->size), note_loaded, told,
                        err);
}

/* A second store beside the fixture's. */
static struct store *other_store(struct fixture *fixture)
{
    struct error *err = NULL;
    AUTO(free) char *path = xasprintf("%s/other", fixture->dir);
    struct store *store = store_open(path, &err);
    assert_ok_ptr(store, err);
    return store;
}

static void what_is_saved_is_loaded_with_equal_digests(void **state)
{
    static const enum archive_format formats[] = { ARCHIVE_BOTH, ARCHIVE_OCI };
    static const char *const codecs[] = { NULL, "gzip", "zstd" };
    struct fixture *fixture = *state;
    AUTO(descriptor_release) struct descriptor a = { 0 }, b = { 0 };
    import_image(fixture->store, "hello\n", &a);
    import_image(fixture->store, "world\n", &b);
    const struct archive_image images[] = { { a, (char[]){ "docker.io/library/app:1.0" } },
                                            { a, (char[]){ "docker.io/library/app:latest" } },
                                            { b, NULL } };
    char a_text[DIGEST_TEXT_SIZE], b_text[DIGEST_TEXT_SIZE];
    digest_format(&a.digest, a_text);
    digest_format(&b.digest, b_text);
    AUTO(free)
    char *expected =
        xasprintf("docker.io/library/app:1.0 %s\ndocker.io/library/app:latest %s\n- %s\n", a_text,
                  a_text, b_text);
    AUTO(store_close) struct store *other = other_store(fixture);
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        for (size_t c = 0; c < ARRAY_SIZE(codecs); c++) {
            struct error *err = NULL;
            AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
            AUTO(strbuf_release) struct strbuf packed = STRBUF_INIT;
            AUTO(strbuf_release) struct strbuf told = STRBUF_INIT;
            AUTO(sink_free) struct sink *sink = sink_strbuf_new(&archive);
            assert_ok(archive_save(fixture->store, images, 3, formats[i], sink, &err), err);
            if (codecs[c]) {
                struct compression compression;
                assert_ok(compression_parse(codecs[c], &compression, &err), err);
                AUTO(encoder_free) struct encoder *encoder = encoder_new(&compression);
                encoder_member(encoder, archive.data, archive.size, &packed);
            }
            assert_ok(load(other, codecs[c] ? &packed : &archive, &told, &err), err);
            assert_string_equal(told.data, expected);
        }
    fixture_verify(&(struct fixture){ .store = other });
}

static int keep_descriptor(void *data, const struct archive_image *image, struct error **err UNUSED)
{
    assert_string_equal(image->name, "docker.io/user/app:1");
    descriptor_copy(data, &image->descriptor);
    return 0;
}

static void a_docker_archive_keeps_the_image_id(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(image_release) struct image image = { 0 }, loaded = { 0 };
    import_image(fixture->store, "hello\n", &desc);
    assert_ok(image_read(fixture->store, &desc, NULL, &image, &err), err);
    const struct archive_image one = { desc, (char[]){ "docker.io/user/app:1" } };
    AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(&archive);
    assert_ok(archive_save(fixture->store, &one, 1, ARCHIVE_DOCKER, sink, &err), err);

    AUTO(store_close) struct store *other = other_store(fixture);
    AUTO(descriptor_release) struct descriptor made = { 0 };
    assert_ok(archive_load(other, source_memory_new(archive.data, archive.size), keep_descriptor,
                           &made, &err),
              err);
    assert_ok(image_read(other, &made, NULL, &loaded, &err), err);
    assert_true(digest_equal(&loaded.manifest.config.digest, &image.manifest.config.digest));
    assert_string_equal(loaded.manifest.layers[0].media_type, MEDIA_TYPE_OCI_LAYER);
    assert_true(digest_equal(&loaded.manifest.layers[0].digest, &image.config.diff_ids[0]));
}

/* As docker before 25 wrote: folders by layer, a layer that stands twice as a link, documents first
 * or last. */
static void old_docker_archives_are_read(void **state)
{
    static const char repositories[] = "{\"app\":{\"1\":\"aaaa\"}}";
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf layer = STRBUF_INIT;
    const struct member_row content[] = { { ENTRY_FILE, "f", "text" } };
    tar_of(content, 1, &layer);
    char diff_id[DIGEST_TEXT_SIZE];
    struct digest digest = digest_of(layer.data, layer.size);
    digest_format(&digest, diff_id);
    AUTO(free)
    char *config =
        xasprintf("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"/bin/sh\"]},"
                  "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
                  diff_id, diff_id);
    static const char manifest[] =
        "[{\"Config\":\"cccc.json\",\"RepoTags\":[\"app:1\",\"reg.example.com/app:2\"],"
        "\"Layers\":[\"aaaa/layer.tar\",\"bbbb/layer.tar\"]}]";
    for (int documents_first = 0; documents_first < 2; documents_first++) {
        AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf told = STRBUF_INIT;
        AUTO(sink_free) struct sink *sink = sink_strbuf_new(&archive);
        AUTO(tar_writer_free) struct tar_writer *tar = tar_writer_new(sink);
        if (documents_first)
            tar_add(tar, ENTRY_FILE, "manifest.json", manifest, strlen(manifest));
        tar_add(tar, ENTRY_DIRECTORY, "aaaa", NULL, 0);
        tar_add(tar, ENTRY_FILE, "aaaa/VERSION", "1.0", 3);
        tar_add(tar, ENTRY_FILE, "aaaa/json", "{}", 2);
        tar_add(tar, ENTRY_SYMLINK, "bbbb/layer.tar", "../aaaa/layer.tar", 0);
        tar_add(tar, ENTRY_FILE, "aaaa/layer.tar", layer.data, layer.size);
        tar_add(tar, ENTRY_FILE, "cccc.json", config, strlen(config));
        if (!documents_first)
            tar_add(tar, ENTRY_FILE, "manifest.json", manifest, strlen(manifest));
        tar_add(tar, ENTRY_FILE, "repositories", repositories, strlen(repositories));
        assert_ok(tar_writer_finish(tar, &err), err);
        assert_ok(load(fixture->store, &archive, &told, &err), err);
        assert_memory_equal(told.data, "docker.io/library/app:1 sha256:", 31);
        assert_non_null(strstr(told.data, "\nreg.example.com/app:2 sha256:"));
    }
}

static void a_pipe_is_enough(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    import_image(fixture->store, "hello\n", &desc);
    const struct archive_image one = { desc, NULL };
    AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf told = STRBUF_INIT;
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(&archive);
    assert_ok(archive_save(fixture->store, &one, 1, ARCHIVE_BOTH, sink, &err), err);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_true(archive.size < 65536); /* fits the pipe, so that no second thread is needed */
    assert_int_equal(write(fds[1], archive.data, archive.size), (ssize_t)archive.size);
    close(fds[1]);
    AUTO(store_close) struct store *other = other_store(fixture);
    assert_ok(archive_load(other, source_fd_new(fds[0], true, "pipe"), note_loaded, &told, &err),
              err);
    assert_int_equal(told.size, 2 + 71 + 1);
}

#define HEX64 "0000000000000000000000000000000000000000000000000000000000000000"
#define LAYOUT_ROW                                                                                 \
    {                                                                                              \
        ENTRY_FILE, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}"                             \
    }

static void broken_archives_are_refused(void **state)
{
    static const struct {
        struct member_row rows[3];
        enum error_code code;
        const char *error;
    } cases[] = {
        { { { ENTRY_FILE, "etc/passwd", "root" } },
          ERR_INVALID,
          "neither index.json nor manifest.json" },
        { { { ENTRY_FILE, "blobs/sha256/" HEX64, "x" } }, ERR_DIGEST, "blobs/sha256/" HEX64 },
        { { { ENTRY_FILE, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}" } },
          ERR_UNSUPPORTED,
          "version 2.0.0" },
        { { LAYOUT_ROW, { ENTRY_FILE, "index.json", "[" } }, ERR_INVALID, "index.json" },
        { { LAYOUT_ROW,
            { ENTRY_FILE, "index.json",
              "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
              "vnd.oci.image.manifest.v1+json\","
              "\"digest\":\"sha256:" HEX64 "\",\"size\":10}]}" } },
          ERR_NOT_FOUND,
          "blob sha256:" HEX64 " is missing" },
        { { { ENTRY_FILE, "manifest.json", "{}" } },
          ERR_INVALID,
          "manifest.json: expected an array" },
        { { { ENTRY_FILE, "manifest.json", "[1]" } },
          ERR_INVALID,
          "manifest.json: /0: expected an object" },
        { { { ENTRY_FILE, "manifest.json", "[{\"Config\":\"c.json\"}]" } },
          ERR_INVALID,
          "\"c.json\" isn't in the archive" },
        { { { ENTRY_FILE, "manifest.json", "[{\"Config\":\"a\"}]" },
            { ENTRY_SYMLINK, "a", "b" },
            { ENTRY_SYMLINK, "b", "a" } },
          ERR_INVALID,
          "\"a\" isn't in the archive" },
        { { { ENTRY_FILE, "c",
              "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]},\"os\":\"linux\",\"architecture\":"
              "\"amd64\"}" },
            { ENTRY_FILE, "l.tar", "not a tar" },
            { ENTRY_FILE, "manifest.json", "[{\"Config\":\"c\",\"Layers\":[\"l.tar\"]}]" } },
          ERR_INVALID,
          "1 layers in the manifest, 0 diff_ids" },
        { { { ENTRY_FILE, "c",
              "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX64
              "\"]},\"os\":\"linux\",\"architecture\":\"amd64\"}" },
            { ENTRY_FILE, "l.tar", "" },
            { ENTRY_FILE, "manifest.json", "[{\"Config\":\"c\",\"Layers\":[\"l.tar\"]}]" } },
          ERR_INVALID,
          "l.tar: layer "
          "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855: " },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf told = STRBUF_INIT;
        size_t n = 0;
        while (n < 3 && cases[i].rows[n].path)
            n++;
        tar_of(cases[i].rows, n, &archive);
        assert_fails(load(fixture->store, &archive, &told, &err), err, cases[i].code,
                     cases[i].error);
        assert_int_equal(told.size, 0);
        fixture_verify(fixture);
    }
}

/* The manifest of the second image stands in the first as a layer: it must be looked at all the
 * same. */
static void a_manifest_that_was_seen_as_a_layer_is_verified(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor good = { 0 };
    AUTO(image_release) struct image image = { 0 };
    import_image(fixture->store, "hello\n", &good);
    assert_ok(image_read(fixture->store, &good, NULL, &image, &err), err);

    AUTO(strbuf_release) struct strbuf bad = STRBUF_INIT;
    image.manifest.layers[0].digest = digest_of("nowhere", 7);
    manifest_format(&image.manifest, &bad);
    struct digest bad_digest = digest_of(bad.data, bad.size);
    AUTO(manifest_release)
    struct manifest artifact = { .media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST),
                                 .artifact_type = xstrdup("application/vnd.test") };
    AUTO(strbuf_release) struct strbuf first = STRBUF_INIT;
    struct digest empty = digest_of("{}", 2);
    descriptor_set(&artifact.config, MEDIA_TYPE_OCI_EMPTY, &empty, 2);
    descriptor_set(ARRAY_PUSH(&artifact, layers), "application/vnd.test", &bad_digest, bad.size);
    manifest_format(&artifact, &first);
    struct digest first_digest = digest_of(first.data, first.size);

    AUTO(index_release) struct index index = { .media_type = xstrdup(MEDIA_TYPE_OCI_INDEX) };
    descriptor_set(ARRAY_PUSH(&index, manifests), MEDIA_TYPE_OCI_MANIFEST, &first_digest,
                   first.size);
    descriptor_set(ARRAY_PUSH(&index, manifests), MEDIA_TYPE_OCI_MANIFEST, &bad_digest, bad.size);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    index_format(&index, &text);

    AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf told = STRBUF_INIT;
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(&archive);
    AUTO(tar_writer_free) struct tar_writer *tar = tar_writer_new(sink);
    const struct {
        struct digest digest;
        const char *data;
        size_t size;
    } blobs[] = { { empty, "{}", 2 },
                  { first_digest, first.data, first.size },
                  { bad_digest, bad.data, bad.size } };
    for (size_t i = 0; i < ARRAY_SIZE(blobs); i++) {
        char hex[DIGEST_HEX_SIZE];
        digest_format_hex(&blobs[i].digest, hex);
        AUTO(free) char *path = xasprintf("blobs/sha256/%s", hex);
        tar_add(tar, ENTRY_FILE, path, blobs[i].data, blobs[i].size);
    }
    tar_add(tar, ENTRY_FILE, "index.json", text.data, text.size);
    assert_ok(tar_writer_finish(tar, &err), err);
    assert_fails(load(fixture->store, &archive, &told, &err), err, ERR_NOT_FOUND, "is missing");
}

static void a_layer_that_is_not_what_the_config_says_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 }, b = { 0 };
    AUTO(image_release) struct image image = { 0 }, other = { 0 };
    import_image(fixture->store, "hello\n", &a);
    import_image(fixture->store, "world\n", &b);
    assert_ok(image_read(fixture->store, &a, NULL, &image, &err), err);
    assert_ok(image_read(fixture->store, &b, NULL, &other, &err), err);
    descriptor_copy(&image.manifest.layers[0], &other.manifest.layers[0]);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    manifest_format(&image.manifest, &text);
    assert_ok(store_put_blob(fixture->store, text.data, text.size, &a, &err), err);
    const struct archive_image one = { a, NULL };
    AUTO(strbuf_release) struct strbuf archive = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf told = STRBUF_INIT;
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(&archive);
    assert_ok(archive_save(fixture->store, &one, 1, ARCHIVE_OCI, sink, &err), err);
    char layer[DIGEST_TEXT_SIZE];
    digest_format(&other.manifest.layers[0].digest, layer);
    assert_fails(load(fixture->store, &archive, &told, &err), err, ERR_DIGEST, layer);
    assert_int_equal(told.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(what_is_saved_is_loaded_with_equal_digests),
        fixture_test(a_docker_archive_keeps_the_image_id),
        fixture_test(old_docker_archives_are_read),
        fixture_test(a_pipe_is_enough),
        fixture_test(broken_archives_are_refused),
        fixture_test(a_manifest_that_was_seen_as_a_layer_is_verified),
        fixture_test(a_layer_that_is_not_what_the_config_says_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
