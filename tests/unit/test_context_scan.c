/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context_scan.h"

#include "builder/context_internal.h"
#include "tests/unit/copy_fixture.h"
#include "tests/unit/threads.h"

#include <errno.h>
#include <sys/resource.h>

static const unsigned threads[] = { 1, 2, 8 };

/* What a walk told. */
struct told {
    struct strbuf text;
    const char *closed; /* directories of this name aren't entered; NULL: none */
    size_t n_threads;   /* of the process, at the end */
};

static void told_release(struct told *told)
{
    strbuf_release(&told->text);
}
DEFINE_AUTO_STRUCT(struct told, told_release)

static int tell(void *data, const struct entry *entry, struct error **err UNUSED)
{
    struct told *told = data;
    strbuf_addf(&told->text, "%d %s %o %llu %s\n", (int)entry->type, entry->path, entry->mode,
                (unsigned long long)entry->size, entry->link ? entry->link : "-");
    told->n_threads = count_threads();
    const char *name = strrchr(entry->path, '/');
    return told->closed && name && !strcmp(name + 1, told->closed);
}

/* A directory of its own: n directories in each of n, with a file, a link and another name of the
 * file in each. */
static char *make_tree(struct fixture *fixture, const char *name, int n)
{
    AUTO(strbuf_release) struct strbuf lines = STRBUF_INIT;
    for (int i = 0; i < n; i++) {
        strbuf_addf(&lines, "d d%02d 0755 - -\n", i);
        for (int k = 0; k < n; k++)
            strbuf_addf(
                &lines,
                "d d%02d/e%02d 0700 - -\nf d%02d/e%02d/file 0644 - - %d\n"
                "l d%02d/e%02d/link - - - to%d\nh d%02d/e%02d/name - - - d%02d/e%02d/file\n",
                i, k, i, k, i * k, i, k, i, i, k, i, k);
        strbuf_addf(&lines, "d d%02d/z 0755 - -\nf d%02d/z/last 0644 - - %d\n", i, i, i);
    }
    return fixture_disk(fixture, name, lines.data);
}

static struct context *open_tree(struct fixture *fixture, const char *path, const char *rules,
                                 unsigned n_threads)
{
    struct error *err = NULL;
    struct dockerignore *ignore = NULL;
    if (rules)
        assert_ok(dockerignore_parse(".dockerignore", rules, strlen(rules), &ignore, &err), err);
    struct context *context = context_open(fixture->store, path, ignore, &err);
    assert_ok_ptr(context, err);
    context_set_threads(context, n_threads);
    return context;
}

static void any_number_of_threads_tells_the_same(void **state)
{
    static const struct {
        const char *path, *rules, *closed;
        size_t n_lines;
    } cases[] = {
        { "", NULL, NULL, 20UL * (1 + 20 * 4 + 2) },
        { "d07", NULL, NULL, 20UL * 4 + 2 },
        { "", NULL, "e05", 20UL * (1 + 19 * 4 + 1 + 2) },
        { "", NULL, "e19", 20UL * (1 + 19 * 4 + 1 + 2) },
        { "", "*/e*/link\n", NULL, 20UL * (1 + 20 * 3 + 2) },
        { "", "d*\n!d11/z\n!d03/e04/name\n", NULL, 6 },
        { "", "*/e*\n!*/e12\n*/e12/link\n", NULL, 20UL * (1 + 3 + 2) },
    };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(free) char *path = make_tree(fixture, "many", 20);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(told_release) struct told first = { .closed = cases[i].closed };
        for (size_t k = 0; k < ARRAY_SIZE(threads); k++) {
            AUTO(told_release) struct told told = { .closed = cases[i].closed };
            AUTO(context_free)
            struct context *context = open_tree(fixture, path, cases[i].rules, threads[k]);
            assert_ok(context_walk(context, cases[i].path, tell, &told, &err), err);
            size_t n_lines = 0;
            for (const char *p = told.text.data; *p; p++)
                n_lines += *p == '\n';
            assert_int_equal(n_lines, cases[i].n_lines);
            if (k)
                assert_string_equal(told.text.data, first.text.data);
            else
                strbuf_adds(&first.text, told.text.data);
        }
    }
}

static void threads_are_started_where_there_is_much(void **state)
{
    static const struct {
        int n;
        unsigned n_threads;
        bool starts;
    } cases[] = { { 3, 8, false }, { 20, 1, false }, { 20, 2, true }, { 20, 8, true } };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(free) char *name = xasprintf("tree%zu", i);
        AUTO(free) char *path = make_tree(fixture, name, cases[i].n);
        AUTO(context_free)
        struct context *context = open_tree(fixture, path, NULL, cases[i].n_threads);
        AUTO(told_release) struct told told = { .closed = NULL };
        size_t before = count_threads_at_rest();
        assert_ok(context_walk(context, "", tell, &told, &err), err);
        assert_int_equal(told.n_threads, before + (cases[i].starts ? cases[i].n_threads - 1 : 0));
    }
}

/* `depth` directories, one in the other, each with a second one beside it. */
static void make_chain(const char *path, const char *name, size_t name_size, int depth)
{
    AUTO(close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(free) char *element = xmalloc(name_size + 1);
    memset(element, name[0], name_size);
    element[name_size] = '\0';
    for (int i = 0; i < depth; i++) {
        assert_int_equal(mkdirat(fd, element, 0755), 0);
        assert_int_equal(mkdirat(fd, "~beside", 0755), 0);
        int next = openat(fd, element, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close_auto(&fd);
        fd = next;
    }
}

/* Paths that are too long are met in c and in e; what is told goes as far as c. */
static void the_first_error_of_the_order_counts(void **state)
{
    struct fixture *fixture = *state;
    AUTO(free)
    char *path = fixture_disk(fixture, "long",
                              "d a 0755 - -\nd c 0755 - -\nd e 0755 - -\nd b1 0755 - -\n"
                              "d b2 0755 - -\nd b3 0755 - -\nd b4 0755 - -\nd b5 0755 - -\n"
                              "d b6 0755 - -\nd b7 0755 - -\nd b8 0755 - -\nd b9 0755 - -\n");
    AUTO(free) char *c = xasprintf("%s/c", path);
    AUTO(free) char *e = xasprintf("%s/e", path);
    make_chain(c, "x", 250, 18);
    make_chain(e, "y", 250, 18);
    AUTO(told_release) struct told first = { .closed = NULL };
    AUTO(free) char *message = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        struct error *err = NULL;
        AUTO(context_free) struct context *context = open_tree(fixture, path, NULL, threads[i]);
        AUTO(told_release) struct told told = { .closed = NULL };
        assert_int_equal(context_walk(context, "", tell, &told, &err), -1);
        assert_non_null(strstr(error_message(err), "build context: opening c/xxx"));
        assert_int_equal(error_errno_value(err), ENAMETOOLONG);
        if (i) {
            assert_string_equal(error_message(err), message);
            assert_string_equal(told.text.data, first.text.data);
        } else {
            message = xstrdup(error_message(err));
            strbuf_adds(&first.text, told.text.data);
        }
        error_clear(&err);
    }
}

static void few_descriptors_are_open_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(free) char *path = make_tree(fixture, "deep", 10);
    make_chain(path, "x", 3, 200);
    AUTO(context_free) struct context *context = open_tree(fixture, path, NULL, 8);
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int lowest = dup(0);
    assert_true(lowest >= 0);
    assert_int_equal(close(lowest), 0);
    few = before;
    few.rlim_cur = (rlim_t)lowest + 16 + 8 + 2; /* held, one for each thread, and the test's own */
    AUTO(told_release) struct told told = { .closed = NULL };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int result = context_walk(context, "", tell, &told, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_ok(result, err);
}

/* At the first entry it waits until nobody looks at anything any more. */
struct slow_walk {
    struct context *context;
    uint64_t n_seen;
};

static int tell_slowly(void *data, const struct entry *entry UNUSED, struct error **err UNUSED)
{
    const struct timespec moment = { .tv_nsec = 50L * 1000 * 1000 };
    struct slow_walk *walk = data;
    uint64_t before = 0;
    while (walk->n_seen != before || !before) {
        before = walk->n_seen;
        (void)nanosleep(&moment, NULL);
        walk->n_seen = atomic_load(&walk->context->n_numbers);
    }
    return -1;
}

static void helpers_go_ahead_of_who_tells_by_a_bounded_number(void **state)
{
    enum { DIRECTORIES = 60, FILES = 350, MOST = 16384 };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(free) char *path = fixture_disk(fixture, "wide", "f file 0644 - - x\n");
    AUTO(close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < DIRECTORIES; i++) {
        AUTO(free) char *name = xasprintf("d%02d", i);
        assert_int_equal(mkdirat(fd, name, 0755), 0);
        for (int k = 0; k < FILES; k++) {
            AUTO(free) char *file = xasprintf("%s/%d", name, k);
            assert_int_equal(linkat(fd, "file", fd, file, 0), 0);
        }
    }
    AUTO(context_free) struct context *context = open_tree(fixture, path, NULL, 4);
    struct slow_walk walk = { context, 0 };
    assert_int_equal(context_walk(context, "", tell_slowly, &walk, &err), -1);
    /* each of four threads may end a directory, and has taken numbers for a while */
    assert_in_range(walk.n_seen, 1, MOST + 4 * (FILES + FILES_AT_ONCE) + FILES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(any_number_of_threads_tells_the_same),
        fixture_test(threads_are_started_where_there_is_much),
        fixture_test(the_first_error_of_the_order_counts),
        fixture_test(few_descriptors_are_open_at_once),
        fixture_test(helpers_go_ahead_of_who_tells_by_a_bounded_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
