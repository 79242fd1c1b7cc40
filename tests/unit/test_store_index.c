/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_internal.h"
#include "tests/unit/store_fixture.h"

/* It is what it would be if it were made from the tags. */
static void assert_is_derived(struct fixture *fixture)
{
    struct error *err = NULL;
    AUTO(free) char *patched = fixture_read(fixture, "index.json");
    assert_ok(fs_unlink(store_dir_fd(fixture->store, STORE_ROOT), "index.json", &err), err);
    fixture_reopen(fixture);
    AUTO(free) char *derived = fixture_read(fixture, "index.json");
    assert_string_equal(patched, derived);
}

static void every_change_gives_the_index_that_the_tags_give(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    AUTO(descriptor_release) struct descriptor b = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    fixture_image(fixture->store, "b", NULL, &b);
    static const struct {
        char what; /* tag, untag, forget the image, keep */
        const char *name;
        char image;
    } steps[] = {
        { 't', "m:1", 'a' },  { 't', "b:1", 'a' }, { 't', "z:1", 'b' },   { 't', "m:1", 'b' },
        { 't', "m:10", 'b' }, { 'u', "b:1", 'a' }, { 'k', NULL, 'a' },    { 't', "b:1", 'a' },
        { 't', "b:1", 'b' },  { 'f', NULL, 'a' },  { 't', "h/m:1", 'a' }, { 'u', "z:1", 'b' },
    };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        const struct descriptor *image = steps[i].image == 'a' ? &a : &b;
        int result = steps[i].what == 't' ? fixture_tag(fixture->store, steps[i].name, image, &err)
                     : steps[i].what == 'u'
                         ? fixture_untag(fixture->store, steps[i].name, true, &err)
                     : steps[i].what == 'k'
                         ? store_tag_keep(fixture->store, image, &err)
                         : store_tag_remove_untagged(fixture->store, &image->digest, &err);
        assert_ok(result, err);
        assert_is_derived(fixture);
    }
}

/* A damaged tag shows that nobody reads it. */
static void naming_an_image_reads_no_other_name(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    AUTO(descriptor_release) struct descriptor b = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    fixture_image(fixture->store, "b", NULL, &b);
    assert_ok(fixture_tag(fixture->store, "x:1", &a, &err), err);
    AUTO(strvec_release) struct strvec files = STRVEC_INIT;
    int tags = store_dir_fd(fixture->store, STORE_TAGS);
    assert_ok(fs_list_fd(tags, &files, "tags", &err), err);
    AUTO(close) int fd = openat(tags, files.items[0], O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    assert_ok(fixture_tag(fixture->store, "y:1", &a, &err), err);
    assert_ok(fixture_tag(fixture->store, "y:1", &b, &err), err);
    AUTO(free) char *index = fixture_read(fixture, "index.json");
    assert_non_null(strstr(index, "\"docker.io/library/x:1\""));
    assert_non_null(strstr(index, "\"docker.io/library/y:1\""));
}

/* Whoever wrote it: it is made again. */
static void an_index_of_another_form_is_not_patched(void **state)
{
    static const char *const texts[] = {
        "{ \"manifests\": [] }",
        "{\"manifests\":[{\"digest\":\"sha256:12\"}],\"mediaType\":"
        "\"application/vnd.oci.image.index.v1+json\",\"schemaVersion\":2}",
        "{\"manifests\":[{\"digest\":{\"a\":[}],\"mediaType\":"
        "\"application/vnd.oci.image.index.v1+json\",\"schemaVersion\":2}",
        "{\"manifests\":[{\"annotations\":{\"io.containerd.image.name\":\"a\\\"b\"},\"digest\":1}],"
        "\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"schemaVersion\":2}",
    };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        AUTO(free) char *name = xasprintf("x:%zu", i);
        assert_ok(fs_write_file(store_dir_fd(fixture->store, STORE_ROOT), "index.json", texts[i],
                                strlen(texts[i]), 0644, &err),
                  err);
        assert_ok(fixture_tag(fixture->store, name, &a, &err), err);
        assert_is_derived(fixture);
    }
}

/* Killed between the two: whatever the clock's grain, the file counts as stale. */
static void a_change_that_was_not_finished_is_put_right(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    assert_ok(fixture_tag(fixture->store, "x:1", &a, &err), err);
    AUTO(free) char *before = fixture_read(fixture, "index.json");
    AUTO(store_index_free) struct store_index *index = store_index_new(fixture->store);
    assert_ok(store_index_begin(index, &err), err);
    AUTO(strvec_release) struct strvec files = STRVEC_INIT;
    int tags = store_dir_fd(fixture->store, STORE_TAGS);
    assert_ok(fs_list_fd(tags, &files, "tags", &err), err);
    assert_ok(fs_unlink(tags, files.items[0], &err), err);
    fixture_reopen(fixture);
    AUTO(free) char *after = fixture_read(fixture, "index.json");
    assert_string_not_equal(before, after);
    assert_null(strstr(after, "x:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(every_change_gives_the_index_that_the_tags_give),
        fixture_test(naming_an_image_reads_no_other_name),
        fixture_test(an_index_of_another_form_is_not_patched),
        fixture_test(a_change_that_was_not_finished_is_put_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
