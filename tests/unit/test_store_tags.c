/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_tags.h"

#include "tests/unit/store_fixture.h"

/* "name name -": names in order, "-" for an image without one */
static void assert_names(const struct fixture *fixture, const char *expected)
{
    struct error *err = NULL;
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    AUTO(strbuf_release) struct strbuf names = STRBUF_INIT;
    assert_ok(store_tags_list(fixture->store, &tags, &err), err);
    for (size_t i = 0; i < tags.n_tags; i++)
        strbuf_addf(&names, "%s%s", i ? " " : "", tags.tags[i].name ? tags.tags[i].name : "-");
    assert_string_equal(names.data, expected);
}

static void tags_are_listed_by_name(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    AUTO(descriptor_release) struct descriptor b = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    fixture_image(fixture->store, "b", NULL, &b);
    assert_ok(fixture_tag(fixture->store, "user/app:1.0", &a, &err), err);
    assert_ok(fixture_tag(fixture->store, "localhost:5000/x", &a, &err), err);
    assert_ok(fixture_tag(fixture->store, "alpine", &b, &err), err);
    assert_names(fixture,
                 "docker.io/library/alpine:latest docker.io/user/app:1.0 localhost:5000/x:latest");
    fixture_reopen(fixture);
    assert_names(fixture,
                 "docker.io/library/alpine:latest docker.io/user/app:1.0 localhost:5000/x:latest");
    fixture_verify(fixture);
}

static void get_finds_what_set_wrote(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    AUTO(descriptor_release) struct descriptor got = { 0 };
    AUTO(reference_release) struct reference reference = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    assert_ok(fixture_tag(fixture->store, "user/app:1.0", &a, &err), err);
    assert_ok(reference_parse("user/app:1.0", &reference, &err), err);
    assert_ok(store_tag_get(fixture->store, &reference, &got, &err), err);
    assert_true(digest_equal(&got.digest, &a.digest));
    assert_int_equal(got.size, a.size);
    assert_string_equal(got.media_type, MEDIA_TYPE_OCI_MANIFEST);
    reference.tag[0] = '2';
    assert_fails(store_tag_get(fixture->store, &reference, &got, &err), err, ERR_NOT_FOUND,
                 "image docker.io/user/app:2.0: not in store");
    free(TAKE(reference.tag));
    assert_fails(store_tag_get(fixture->store, &reference, &got, &err), err, ERR_INVALID,
                 "reference \"user/app\": a tag is needed");
}

static void image_that_loses_its_name_stays(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    AUTO(descriptor_release) struct descriptor b = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    fixture_image(fixture->store, "b", NULL, &b);
    assert_ok(fixture_tag(fixture->store, "x:1", &a, &err), err);
    assert_ok(fixture_tag(fixture->store, "x:1", &b, &err), err);
    assert_names(fixture, "docker.io/library/x:1 -");
    /* a name again: no longer dangling */
    assert_ok(fixture_tag(fixture->store, "y:1", &a, &err), err);
    assert_names(fixture, "docker.io/library/x:1 docker.io/library/y:1");
    /* not the last name */
    assert_ok(fixture_tag(fixture->store, "z:1", &a, &err), err);
    assert_ok(fixture_tag(fixture->store, "z:1", &b, &err), err);
    assert_names(fixture, "docker.io/library/x:1 docker.io/library/y:1 docker.io/library/z:1");
    assert_ok(fixture_untag(fixture->store, "y:1", true, &err), err);
    assert_names(fixture, "docker.io/library/x:1 docker.io/library/z:1 -");
    assert_ok(store_tag_remove_untagged(fixture->store, &a.digest, &err), err);
    assert_ok(fixture_untag(fixture->store, "x:1", false, &err), err);
    assert_ok(fixture_untag(fixture->store, "z:1", false, &err), err);
    assert_names(fixture, "");
    assert_fails(fixture_untag(fixture->store, "z:1", false, &err), err, ERR_NOT_FOUND, "z:1");
}

static void build_without_name_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    assert_ok(store_tag_keep(fixture->store, &a, &err), err);
    assert_ok(store_tag_keep(fixture->store, &a, &err), err);
    assert_names(fixture, "-");
    assert_ok(fixture_tag(fixture->store, "x:1", &a, &err), err);
    assert_ok(store_tag_keep(fixture->store, &a, &err), err);
    assert_names(fixture, "docker.io/library/x:1");
}

static void incomplete_image_is_not_tagged(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    struct digest layer = digest_of("a", 1);
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&layer, hex);
    assert_ok(fs_unlink(store_dir_fd(fixture->store, STORE_BLOBS), hex, &err), err);
    assert_fails(fixture_tag(fixture->store, "x:1", &a, &err), err, ERR_NOT_FOUND, hex);
    assert_names(fixture, "");
}

static void longest_name_is_a_tag(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    AUTO(strbuf_release) struct strbuf name = STRBUF_INIT;
    fixture_image(fixture->store, "a", NULL, &a);
    strbuf_adds(&name, "registry.example.org:5000/");
    for (int i = 0; i < 255; i++)
        strbuf_addc(&name, i % 40 == 39 ? '/' : 'a');
    strbuf_addc(&name, ':');
    for (int i = 0; i < 128; i++)
        strbuf_addc(&name, 'T');
    assert_ok(fixture_tag(fixture->store, name.data, &a, &err), err);
    assert_names(fixture, name.data);
}

static void same_tag_again_writes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct stat before, after;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    assert_ok(fixture_tag(fixture->store, "x:1", &a, &err), err);
    int root = store_dir_fd(fixture->store, STORE_ROOT);
    assert_int_equal(fstatat(root, "index.json", &before, 0), 0);
    assert_ok(fixture_tag(fixture->store, "x:1", &a, &err), err);
    assert_int_equal(fstatat(root, "index.json", &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void damaged_tag_is_told_and_removed_by_fsck(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    struct store_fsck_result result;
    int fd = store_dir_fd(fixture->store, STORE_TAGS);
    static const char *const files[][2] = { { "x", "{}" },
                                            { "untagged-0", "" },
                                            { "y", "{\"name\":\"z\"" } };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        assert_ok(fs_write_file(fd, files[i][0], files[i][1], strlen(files[i][1]), 0600, &err),
                  err);
    assert_fails(store_tags_list(fixture->store, &tags, &err), err, ERR_STORE, "tags/");
    assert_ok(store_fsck(fixture->store, false, NULL, NULL, &result, &err), err);
    assert_int_equal(result.n_bad, 3);
    assert_ok(store_fsck(fixture->store, true, NULL, NULL, &result, &err), err);
    assert_int_equal(result.n_repaired, 3);
    fixture_verify(fixture);
    assert_names(fixture, "");
}

static void killed_retagging_lists_each_image_once(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    fixture_image(fixture->store, "a", NULL, &a);
    assert_ok(store_tag_keep(fixture->store, &a, &err), err);
    /* what a kill between the two files leaves: both */
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    int fd = store_dir_fd(fixture->store, STORE_TAGS);
    assert_ok(fs_list_fd(fd, &names, "tags", &err), err);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    assert_ok(fs_read_file(fd, names.items[0], &text, 4096, &err), err);
    assert_ok(fixture_tag(fixture->store, "x:1", &a, &err), err);
    assert_ok(fs_write_file(fd, names.items[0], text.data, text.size, 0600, &err), err);
    assert_names(fixture, "docker.io/library/x:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(tags_are_listed_by_name),
        fixture_test(get_finds_what_set_wrote),
        fixture_test(image_that_loses_its_name_stays),
        fixture_test(build_without_name_is_kept),
        fixture_test(incomplete_image_is_not_tagged),
        fixture_test(longest_name_is_a_tag),
        fixture_test(same_tag_again_writes_nothing),
        fixture_test(damaged_tag_is_told_and_removed_by_fsck),
        fixture_test(killed_retagging_lists_each_image_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
