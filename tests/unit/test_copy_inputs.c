/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include "tests/unit/copy_case.h"
#include "tests/unit/layers_fixture.h"

static char *key_of(struct setting *setting)
{
    struct error *err = NULL;
    AUTO(copy_free) struct copy *copy = copy_new(&setting->spec, &err);
    assert_ok_ptr(copy, err);
    AUTO(inputs_release) struct inputs inputs = { 0 };
    assert_ok(copy_add_inputs(copy, &inputs, &err), err);
    struct digest digest = inputs_digest(&inputs);
    char text[DIGEST_TEXT_SIZE];
    digest_format(&digest, text);
    return xstrdup(text);
}

static void the_key_knows_content_and_mode_but_no_time(void **state)
{
    struct fixture *fixture = *state;
    const struct copy_case what = { .context = "d d - - -\nf d/a - - - 1\nl d/l - - - a\n",
                                    .words = "d /x" };
    AUTO(setting_release) struct setting setting;
    setting_init(&setting, fixture, &what);
    int fd = context_fd(setting.context);
    AUTO(free) char *first = key_of(&setting);

    struct line times = { .type = 'f', .path = "d/a", .mtime = 12345 };
    disk_set_time(fd, &times);
    AUTO(free) char *other_time = key_of(&setting);
    assert_string_equal(first, other_time);

    assert_int_equal(fchmodat(fd, "d", 0700, 0), 0);
    AUTO(free) char *other_top_mode = key_of(&setting);
    assert_string_equal(first, other_top_mode);

    assert_int_equal(fchmodat(fd, "d/a", 0600, 0), 0);
    AUTO(free) char *other_mode = key_of(&setting);
    assert_string_not_equal(first, other_mode);

    assert_int_equal(fchmodat(fd, "d/a", 0644, 0), 0);
    AUTO(close) int file = openat(fd, "d/a", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(file, "2", 1, 0), 1);
    AUTO(free) char *other_content = key_of(&setting);
    assert_string_not_equal(first, other_content);

    assert_int_equal(pwrite(file, "1", 1, 0), 1);
    AUTO(free) char *again = key_of(&setting);
    assert_string_equal(first, again);

    setting.spec.chown = "1:1";
    AUTO(free) char *other_owner = key_of(&setting);
    assert_string_not_equal(first, other_owner);
}

static void the_key_knows_where_links_lead_and_names_of_one_file(void **state)
{
    struct fixture *fixture = *state;
    const struct copy_case what = { .context =
                                        "d d - - -\nf d/a - - - 1\nf d/b - - - 1\nl d/l - - - a\n",
                                    .words = "d /x" };
    AUTO(setting_release) struct setting setting;
    setting_init(&setting, fixture, &what);
    int fd = context_fd(setting.context);
    AUTO(free) char *first = key_of(&setting);

    assert_int_equal(unlinkat(fd, "d/l", 0), 0);
    assert_int_equal(symlinkat("b", fd, "d/l"), 0);
    AUTO(free) char *other_target = key_of(&setting);
    assert_string_not_equal(first, other_target);

    assert_int_equal(unlinkat(fd, "d/b", 0), 0);
    assert_int_equal(linkat(fd, "d/a", fd, "d/b", 0), 0);
    AUTO(free) char *one_file = key_of(&setting);
    assert_string_not_equal(other_target, one_file);

    assert_int_equal(unlinkat(fd, "d/l", 0), 0);
    assert_int_equal(mkfifoat(fd, "d/l", 0644), 0);
    AUTO(free) char *other_type = key_of(&setting);
    assert_string_not_equal(one_file, other_type);
}

static void many_files_are_hashed_by_several_threads(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf lines = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf expected = STRBUF_INIT;
    strbuf_adds(&expected, "d x 0755 0:0 now\n");
    for (int i = 100; i < 300; i++) {
        strbuf_addf(&lines, "f f%d - - - %d\n", i, i);
        strbuf_addf(&expected, "f x/f%d 0644 0:0 - %d\n", i, i);
    }
    const struct copy_case what = { .context = lines.data, .words = ". /x" };
    AUTO(setting_release) struct setting setting;
    setting_init(&setting, fixture, &what);
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    assert_ok(run_copy(&setting, &changeset, &err), err);
    AUTO(free) char *dump = changeset_dump(&changeset);
    assert_string_equal(dump, expected.data);
}

static void a_stop_ends_the_hashing_of_an_image(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    const struct copy_case what = { .from = "d d - - -\nf d/a - - - 1\nf d/b - - - 2\n",
                                    .words = "d /x" };
    AUTO(setting_release) struct setting setting;
    setting_init(&setting, fixture, &what);
    tree_unref(setting.from); /* as pulled: nobody has read its files */
    setting.spec.from = setting.from = tree_of_words(fixture->store, "d d; f d/a=1; f d/b=2");
    AUTO(copy_free) struct copy *copy = copy_new(&setting.spec, &err);
    assert_ok_ptr(copy, err);
    AUTO(free) int *fds = NULL;
    size_t n = 0;
    assert_ok(tree_lowers(setting.from, NULL, &fds, &n, &err), err); /* its forms are there */
    cancel_trigger(0);                                               /* for good: the last test */
    AUTO(inputs_release) struct inputs inputs = { 0 };
    assert_fails(copy_add_tree_contents(copy, &inputs, &err), err, ERR_CANCELLED, "interrupted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(the_key_knows_content_and_mode_but_no_time),
        fixture_test(the_key_knows_where_links_lead_and_names_of_one_file),
        fixture_test(many_files_are_hashed_by_several_threads),
        fixture_test(a_stop_ends_the_hashing_of_an_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
