/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/copy_fixture.h"

struct source_kind {
    struct context *context;
    struct tree *from;
};

/* Of COPY f /DESTINATION onto nothing, with a heredoc of that text beside it. */
static struct digest print_of(struct fixture *fixture, const struct source_kind *source,
                              const char *destination, const char *chmod, const char *heredoc)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec sources = STRVEC_INIT;
    strvec_push(&sources, "f");
    char name[] = "h";
    const struct copy_file file = {
        .name = name, .data = heredoc, .size = strlen(heredoc), .fd = -1, .mode = 0644
    };
    const struct copy_spec spec = { .context = source->context,
                                    .from = source->from,
                                    .sources = &sources,
                                    .files = &file,
                                    .n_files = 1,
                                    .destination = destination,
                                    .working_dir = "/",
                                    .chmod = chmod,
                                    .now = FIXTURE_NOW };
    AUTO(copy_free) struct copy *copy = copy_new(&spec, &err);
    assert_ok_ptr(copy, err);
    AUTO(tree_unref) struct tree *below = tree_new(fixture->store);
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    assert_ok(copy_changeset(copy, below, &changeset, &err), err);
    struct digest print;
    assert_true(copy_changeset_print(&changeset, &print));
    return print;
}

static void prints_are_equal_for_the_same_files_alone(void **state)
{
    struct fixture *fixture = *state;
    AUTO(free) char *one = fixture_disk(fixture, "one", "f f - - - text\n");
    AUTO(free) char *two = fixture_disk(fixture, "two", "f f - - - test\n");
    AUTO(context_free) struct context *context = fixture_context_at(fixture, one, NULL);
    AUTO(context_free) struct context *other = fixture_context_at(fixture, two, NULL);
    AUTO(tree_unref) struct tree *tree = fixture_tree(fixture, NULL, "f f - - - text\n");
    AUTO(tree_unref) struct tree *equal = fixture_tree(fixture, NULL, "f f - - - text\n");
    const struct source_kind first = { .context = context }, of_tree = { .from = tree };
    const struct digest print = print_of(fixture, &first, "/d/", NULL, "x");
    const struct digest tree_print = print_of(fixture, &of_tree, "/d/", NULL, "x");
    const struct {
        struct source_kind source;
        const char *destination, *chmod, *heredoc;
        const struct digest *like;
        bool is_equal;
    } cases[] = {
        { { .context = context }, "/d/", NULL, "x", &print, true },
        { { .context = context }, "/e/", NULL, "x", &print, false },
        { { .context = context }, "/d/", "0600", "x", &print, false },
        { { .context = context }, "/d/", NULL, "y", &print, false },
        { { .context = other }, "/d/", NULL, "x", &print, false },
        { { .from = tree }, "/d/", NULL, "x", &print, false },
        { { .from = tree }, "/d/", NULL, "x", &tree_print, true },
        { { .from = equal }, "/d/", NULL, "x", &tree_print, false }, /* that isn't known */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct digest got = print_of(fixture, &cases[i].source, cases[i].destination,
                                     cases[i].chmod, cases[i].heredoc);
        if (digest_equal(&got, cases[i].like) != cases[i].is_equal)
            fail_msg("case %zu", i);
    }
}

static void a_file_that_was_written_in_between_is_another(void **state)
{
    struct fixture *fixture = *state;
    AUTO(free) char *path = fixture_disk(fixture, "one", "f f - - - text\n");
    AUTO(context_free) struct context *context = fixture_context_at(fixture, path, NULL);
    const struct source_kind source = { .context = context };
    const struct digest before = print_of(fixture, &source, "/", NULL, "x");
    AUTO(free) char *file = xasprintf("%s/f", path);
    const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                                       { .tv_sec = FIXTURE_OLD, .tv_nsec = 1 } };
    assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
    const struct digest after = print_of(fixture, &source, "/", NULL, "x");
    assert_false(digest_equal(&before, &after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(prints_are_equal_for_the_same_files_alone),
        fixture_test(a_file_that_was_written_in_between_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
