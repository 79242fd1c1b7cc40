/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_internal.h"
#include "tests/unit/store_fixture.h"

static void read_index(const struct fixture *fixture, struct index *index)
{
    struct error *err = NULL;
    AUTO(free) char *text = fixture_read(fixture, "index.json");
    assert_ok(index_parse(text, strlen(text), NULL, index, &err), err);
}

static void names_are_annotations(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    AUTO(descriptor_release) struct descriptor b = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    fixture_image(fixture->store, "b", NULL, &b);
    /* as it comes out of another layout's index */
    descriptor_annotate(&b, STORE_ANNOTATION_REF_NAME, "latest");
    assert_ok(fixture_tag(fixture->store, "user/app:1.0", &a, &err), err);
    assert_ok(fixture_tag(fixture->store, "alpine", &a, &err), err);
    assert_ok(store_tag_keep(fixture->store, &b, &err), err);
    AUTO(index_release) struct index index = { 0 };
    read_index(fixture, &index);
    static const char *const expected[][2] = {
        { "alpine:latest", "docker.io/library/alpine:latest" },
        { "user/app:1.0", "docker.io/user/app:1.0" },
        { NULL, NULL },
    };
    assert_int_equal(index.n_manifests, 3);
    for (size_t i = 0; i < 3; i++) {
        const char *ref =
            descriptor_annotation(&index.manifests[i], "org.opencontainers.image.ref.name");
        const char *name = descriptor_annotation(&index.manifests[i], "io.containerd.image.name");
        if (!expected[i][0]) {
            assert_null(ref);
            assert_null(name);
            continue;
        }
        assert_string_equal(ref, expected[i][0]);
        assert_string_equal(name, expected[i][1]);
    }
}

static void stale_index_is_written_at_open(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    assert_ok(fixture_tag(fixture->store, "x:1", &a, &err), err);
    AUTO(free) char *good = fixture_read(fixture, "index.json");
    int root = store_dir_fd(fixture->store, STORE_ROOT);
    /* as after a crash: empty; as after a kill: older than the tags */
    static const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
    for (int i = 0; i < 2; i++) {
        root = store_dir_fd(fixture->store, STORE_ROOT);
        assert_ok(fs_write_file(root, "index.json", "{}", i ? 2 : 0, 0644, &err), err);
        assert_int_equal(i ? utimensat(root, "index.json", old, 0) : 0, 0);
        fixture_reopen(fixture);
        AUTO(free) char *again = fixture_read(fixture, "index.json");
        assert_string_equal(again, good);
    }
}

/* The counterpart judges: each name on its own, among several images with one tag. */
static void skopeo_finds_each_name(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    if (access("/usr/bin/skopeo", X_OK) < 0) {
        print_message("skopeo is not installed\n");
        skip();
    }
    static const char *const names[] = { "user/app:1.0", "other/app:1.0", "alpine:latest",
                                         "localhost:5000/a/b:1.0" };
    struct descriptor images[ARRAY_SIZE(names)] = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        fixture_image(fixture->store, names[i], NULL, &images[i]);
        assert_ok(fixture_tag(fixture->store, names[i], &images[i], &err), err);
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO(free)
        char *command =
            xasprintf("skopeo inspect --format '{{.Digest}}' 'oci:%s:%s'", fixture->path, names[i]);
        FILE *pipe = popen(command, "r");
        assert_non_null(pipe);
        char out[128] = "", expected[DIGEST_TEXT_SIZE];
        assert_non_null(fgets(out, sizeof(out), pipe));
        assert_int_equal(pclose(pipe), 0);
        digest_format(&images[i].digest, expected);
        out[strcspn(out, "\n")] = '\0';
        assert_string_equal(out, expected);
        descriptor_release(&images[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(names_are_annotations),
        fixture_test(stale_index_is_written_at_open),
        fixture_test(skopeo_finds_each_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
