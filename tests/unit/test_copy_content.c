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

/* Of an entry alone, without content. */
static struct digest print_of_entry(const struct entry *entry)
{
    struct changeset changeset = CHANGESET_INIT;
    AUTO(entry_list_release) struct entry_list list = { NULL, 0, 0 };
    entry_copy(ARRAY_PUSH(&list, entries), entry);
    changeset.list = list;
    struct digest print;
    assert_true(copy_changeset_print(&changeset, &print));
    return print;
}

static void prints_tell_all_attributes_apart(void **state UNUSED)
{
    enum { N = 9 };
    char path[] = "dev/x", other_path[] = "dev/y", link[] = "z";
    static const struct {
        const char *name, *value;
    } xattrs[] = {
        { NULL, NULL }, { "user.a", "1" }, { "user.a", "2" }, { "user.b", "1" }, { "user.a", "" }
    };
    const struct entry plain = {
        .path = path, .type = ENTRY_CHAR, .mode = 0600, .dev_major = 4, .dev_minor = 5
    };
    struct entry others[N];
    for (size_t i = 0; i < N; i++)
        others[i] = plain;
    others[0].path = other_path;
    others[1].type = ENTRY_BLOCK;
    others[2].mode = 0644;
    others[3].uid = 1;
    others[4].gid = 1;
    others[5].mtime = 1;
    others[6].dev_major = 1;
    others[7].dev_minor = 1;
    others[8].link = link;
    const struct digest print = print_of_entry(&plain);
    struct digest again = print_of_entry(&plain);
    assert_true(digest_equal(&print, &again));
    for (size_t i = 0; i < N; i++) {
        struct digest other = print_of_entry(&others[i]);
        if (digest_equal(&print, &other))
            fail_msg("entry %zu", i);
    }
    struct digest prints[ARRAY_SIZE(xattrs)];
    for (size_t i = 0; i < ARRAY_SIZE(xattrs); i++) {
        AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
        entry_copy(&entry, &plain);
        if (xattrs[i].name)
            entry_add_xattr(&entry, xattrs[i].name, xattrs[i].value, strlen(xattrs[i].value));
        prints[i] = print_of_entry(&entry);
        for (size_t j = 0; j < i; j++)
            if (digest_equal(&prints[i], &prints[j]))
                fail_msg("attributes %zu and %zu", j, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(prints_are_equal_for_the_same_files_alone),
        fixture_test(a_file_that_was_written_in_between_is_another),
        cmocka_unit_test(prints_tell_all_attributes_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
