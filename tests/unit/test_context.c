/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context.h"

#include "base/clock.h"
#include "builder/context_internal.h"
#include "tests/unit/copy_fixture.h"
#include "tests/unit/memory_growth.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>

/* Stands in front of libc's. */
static struct {
    bool has_none; /* the file system doesn't know extended attributes */
    unsigned n;
} asked;

ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
    asked.n++;
    errno = ENOTSUP;
    return asked.has_none ? -1 : (ssize_t)syscall(SYS_lgetxattr, path, name, value, size);
}

static enum context_found look(struct context *context, const char *path, struct entry *entry,
                               char **why)
{
    struct error *err = NULL;
    enum context_found found = CONTEXT_ABSENT;
    assert_ok(context_stat(context, path, &found, entry, why, &err), err);
    return found;
}

static void opening_needs_a_directory(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(free) char *path = fixture_disk(fixture, "c", "f f - - - 1\n");
    AUTO(free) char *file = xasprintf("%s/f", path);
    AUTO(free) char *missing = xasprintf("%s/g", path);
    assert_null(context_open(fixture->store, file, NULL, &err));
    assert_true(error_is(err, ERR_INVALID));
    assert_non_null(strstr(error_message(err), "c/f: not a directory"));
    error_clear(&err);
    assert_null(context_open(fixture->store, missing, NULL, &err));
    assert_true(error_is(err, ERR_NOT_FOUND));
    error_clear(&err);
}

static void entries_are_as_copies_have_them(void **state)
{
    struct fixture *fixture = *state;
    AUTO(context_free)
    struct context *context = fixture_context(
        fixture, "d d 0711 - 5\nf d/f 4755 - -7 abc\nl l - - 9 d/f\np d/p 0600 - 3\n", NULL);
    static const struct {
        const char *path;
        enum entry_type type;
        unsigned mode;
        uint64_t size;
        int64_t mtime;
    } cases[] = {
        { "d", ENTRY_DIRECTORY, 0711, 0, 5 },
        { "d/f", ENTRY_FILE, 04755, 3, -7 },
        { "l", ENTRY_SYMLINK, 0777, 0, 9 },
        { "d/p", ENTRY_FIFO, 0600, 0, 3 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
        assert_int_equal(look(context, cases[i].path, &entry, NULL), CONTEXT_FOUND);
        assert_string_equal(entry.path, cases[i].path);
        assert_int_equal(entry.type, cases[i].type);
        assert_int_equal(entry.mode, cases[i].mode);
        assert_int_equal(entry.size, cases[i].size);
        assert_int_equal(entry.mtime, cases[i].mtime);
        assert_int_equal(entry.uid, 0);
        assert_int_equal(entry.gid, 0);
    }
    AUTO(entry_release) struct entry root = { .type = ENTRY_FILE };
    assert_int_equal(look(context, "", &root, NULL), CONTEXT_FOUND);
    assert_int_equal(root.type, ENTRY_DIRECTORY);
    assert_int_equal(look(context, "x", &root, NULL), CONTEXT_ABSENT);
    assert_int_equal(look(context, "d/f/x", &root, NULL), CONTEXT_ABSENT);
    assert_int_equal(look(context, "l/x", &root, NULL), CONTEXT_ABSENT);
}

static void sockets_are_no_part_of_a_context(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(free) char *path = fixture_disk(fixture, "c", "f f - - - 1\n");
    AUTO(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    AUTO(context_free) struct context *context = fixture_context_at(fixture, path, NULL);
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    AUTO(free) char *why = NULL;
    assert_int_equal(look(context, "s", &entry, &why), CONTEXT_ABSENT);
    assert_string_equal(why, "is a socket");
    error_clear(&err);
}

struct seen {
    struct strbuf paths;
    const char *prune;
};

static int see(void *data, const struct entry *entry, struct error **err UNUSED)
{
    struct seen *seen = data;
    strbuf_addf(&seen->paths, "%s%s ", entry->path, entry->type == ENTRY_DIRECTORY ? "/" : "");
    return seen->prune && strcmp(entry->path, seen->prune) == 0;
}

static void walks_are_sorted_and_follow_the_rules(void **state UNUSED)
{
    static const char tree[] =
        "d b - - -\nf b/y - - - 1\nd b/x - - -\nf b/x/k - - - 1\nf b/x/o - - - 1\n"
        "f a - - - 1\nf b.c - - - 1\nd e - - -\n";
    static const struct {
        const char *ignore, *from, *prune, *expected;
    } cases[] = {
        { NULL, "", NULL, "a b/ b/x/ b/x/k b/x/o b/y b.c e/ " },
        { NULL, "b", NULL, "b/x/ b/x/k b/x/o b/y " },
        { NULL, "", "b", "a b/ b.c e/ " },
        { "b\n", "", NULL, "a b.c e/ " },
        { "b\n!b/x/k\n", "", NULL, "a b/ b/x/ b/x/k b.c e/ " },
        { "b\n!b/x/k\n", "b", NULL, "b/x/ b/x/k " },
        { "b\n!b/z\n", "", NULL, "a b.c e/ " },
        { "**\n!**/k\n", "", NULL, "b/ b/x/ b/x/k " },
        { "b/x/k\nb/x/o\n", "", NULL, "a b/ b/x/ b/y b.c e/ " },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        void *inner = NULL;
        assert_int_equal(fixture_setup(&inner), 0);
        if (!inner)
            return;
        {
            struct error *err = NULL;
            AUTO(context_free)
            struct context *context = fixture_context(inner, tree, cases[i].ignore);
            struct seen seen = { STRBUF_INIT, cases[i].prune };
            assert_ok(context_walk(context, cases[i].from, see, &seen, &err), err);
            /* "b.c" after "b/": a walk goes through directories in the order of their names */
            AUTO(free) char *got = strbuf_detach(&seen.paths);
            assert_string_equal(got, cases[i].expected);
        }
        assert_int_equal(fixture_teardown(&inner), 0);
    }
}

static void lists_leave_out_what_is_excluded(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(context_free)
    struct context *context = fixture_context(
        fixture, "d b - - -\nf b/y - - - 1\nf b/k - - - 1\nd c - - -\nf c/k - - - 1\nf a - - - 1\n",
        "b\n!b/k\nc\n");
    AUTO(strvec_release) struct strvec top = STRVEC_INIT;
    AUTO(strvec_release) struct strvec below = STRVEC_INIT;
    assert_ok(context_list(context, "", &top, &err), err);
    assert_int_equal(top.n, 2);
    assert_string_equal(top.items[0], "a");
    assert_string_equal(top.items[1], "b");
    assert_ok(context_list(context, "b", &below, &err), err);
    assert_int_equal(below.n, 1);
    assert_string_equal(below.items[0], "k");
}

static void make_old(const char *path)
{
    /* a record is kept only of files that are older than the clock's tick */
    struct stat st;
    do {
        assert_int_equal(stat(path, &st), 0);
    } while (clock_now_ns() < st.st_ctim.tv_sec * 1000000000LL + st.st_ctim.tv_nsec + 30000000);
}

static char digest_of_file(struct context *context, const char *path, bool *known)
{
    struct error *err = NULL;
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    assert_int_equal(look(context, path, &entry, NULL), CONTEXT_FOUND);
    uint8_t digest[SHA256_SIZE];
    *known = context_known_digest(context, &entry) != NULL;
    assert_ok(context_digest(context, &entry, digest, &err), err);
    return (char)digest[0];
}

static void unchanged_files_are_not_read_again(void **state)
{
    struct fixture *fixture = *state;
    AUTO(free) char *path = fixture_disk(fixture, "c", "f f - - - one\nf g - - - two\n");
    AUTO(free) char *f = xasprintf("%s/f", path);
    AUTO(free) char *g = xasprintf("%s/g", path);
    make_old(f);
    make_old(g);
    bool known;
    struct context *context = fixture_context_at(fixture, path, NULL);
    char first = digest_of_file(context, "f", &known);
    assert_false(known);
    assert_int_equal(digest_of_file(context, "f", &known), first);
    assert_true(known);
    char other = digest_of_file(context, "g", &known);
    context_free(context);

    context = fixture_context_at(fixture, path, NULL);
    assert_int_equal(digest_of_file(context, "f", &known), first);
    assert_true(known);
    context_free(context);

    /* content, size and mtime as an adversary would have them; the ctime moves */
    struct stat before;
    assert_int_equal(stat(g, &before), 0);
    AUTO(close) int fd = open(g, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "TWO", 3, 0), 3);
    struct timespec times[2] = { before.st_atim, before.st_mtim };
    assert_int_equal(futimens(fd, times), 0);
    context = fixture_context_at(fixture, path, NULL);
    assert_int_not_equal(digest_of_file(context, "g", &known), other);
    assert_false(known);
    context_free(context);
}

static void files_that_change_are_named(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(free)
    char *path = fixture_disk(fixture, "c", "f f - - - one\nf g - - - two\nf h - - - x\n");
    AUTO(context_free) struct context *context = fixture_context_at(fixture, path, NULL);
    static const char *const names[] = { "f", "g", "h" };
    struct entry entries[3] = { { .type = ENTRY_FILE },
                                { .type = ENTRY_FILE },
                                { .type = ENTRY_FILE } };
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(look(context, names[i], &entries[i], NULL), CONTEXT_FOUND);
    int dir = context_fd(context);
    assert_int_equal(unlinkat(dir, "f", 0), 0);
    assert_int_equal(mkfifoat(dir, "f", 0600), 0); /* opening it must not block */
    assert_int_equal(unlinkat(dir, "g", 0), 0);
    assert_int_equal(symlinkat("h", dir, "g"), 0);
    uint8_t digest[SHA256_SIZE];
    assert_fails(context_digest(context, &entries[0], digest, &err), err, ERR_INVALID,
                 "f: changed during the build");
    assert_fails(context_digest(context, &entries[1], digest, &err), err, ERR_INVALID,
                 "g: changed during the build");

    AUTO(source_free) struct source *source = context_open_file(context, &entries[2], &err);
    assert_ok_ptr(source, err);
    AUTO(close) int fd = openat(dir, "h", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "y", 1, 0), 1);
    struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
    assert_int_equal(futimens(fd, times), 0);
    char buffer[8];
    assert_fails(source_read(source, buffer, sizeof(buffer), &err), err, ERR_INVALID,
                 "h: changed during the build");
    for (size_t i = 0; i < 3; i++)
        entry_release(&entries[i]);
}

static void what_is_read_to_its_end_needs_no_second_reading(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        size_t n_read; /* bytes */
        bool changes, known;
    } cases[] = { { 3, false, true }, { 2, false, false }, { 3, true, false } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(free) char *name = xasprintf("c%zu", i);
        AUTO(free) char *path = fixture_disk(fixture, name, "f f - - - one\n");
        AUTO(context_free) struct context *context = fixture_context_at(fixture, path, NULL);
        AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
        assert_int_equal(look(context, "f", &entry, NULL), CONTEXT_FOUND);
        AUTO(source_free) struct source *source = context_open_learning(context, &entry, &err);
        assert_ok_ptr(source, err);
        if (cases[i].changes) {
            const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
            assert_int_equal(utimensat(context_fd(context), "f", times, 0), 0);
        }
        char buffer[8];
        ssize_t n = source_read(source, buffer, cases[i].n_read, &err);
        assert_int_equal(n, cases[i].changes ? -1 : (ssize_t)cases[i].n_read);
        error_clear(&err);
        uint8_t expected[SHA256_SIZE];
        sha256_of("one", 3, expected);
        const uint8_t *digest = context_known_digest(context, &entry);
        assert_int_equal(digest != NULL, cases[i].known);
        if (digest)
            assert_memory_equal(digest, expected, sizeof(expected));
    }
}

static void capabilities_are_the_only_attributes(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t v2[20] = { 1, 0, 0, 2, 0, 4 };
    AUTO(context_free)
    struct context *context = fixture_context(fixture, "f f 0755 - - x\nf g 0644 - - x\n", NULL);
    AUTO(free) char *f = xasprintf("%s/context/f", fixture->dir);
    if (setxattr(f, "security.capability", v2, sizeof(v2), 0) < 0)
        skip();
    assert_int_equal(setxattr(f, "user.x", "y", 1, 0), 0);
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    assert_int_equal(look(context, "f", &entry, NULL), CONTEXT_FOUND);
    assert_int_equal(entry.n_xattrs, 1);
    assert_string_equal(entry.xattrs[0].name, "security.capability");
    assert_int_equal(entry.xattrs[0].size, sizeof(v2));
    assert_memory_equal(entry.xattrs[0].value, v2, sizeof(v2));
}

static int pass(void *data UNUSED, const struct entry *entry UNUSED, struct error **err UNUSED)
{
    return 0;
}

/* It costs as much as the stat: only of what may be executed, and once where there are none. */
static void attributes_are_asked_for_where_they_may_be(void **state)
{
    static const struct {
        bool has_none;
        unsigned n;
    } cases[] = { { false, 3 }, { true, 1 } };
    struct fixture *fixture = *state;
    AUTO(free)
    char *path = fixture_disk(fixture, "c",
                              "f a 0755 - - x\nf b 0711 - - x\nf c 0755 - - x\nf d 0644 - - x\n"
                              "d e 0755 - -\nf e/f 0600 - - x\nl g - - - a\n");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(context_free) struct context *context = context_open(fixture->store, path, NULL, &err);
        assert_ok_ptr(context, err);
        asked.has_none = cases[i].has_none;
        asked.n = 0;
        int result = context_walk(context, "", pass, NULL, &err);
        asked.has_none = false;
        assert_ok(result, err);
        assert_int_equal(asked.n, cases[i].n);
    }
}

static void the_empty_context_has_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(context_free) struct context *context = context_empty(fixture->store);
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_int_equal(look(context, "", &entry, NULL), CONTEXT_ABSENT);
    assert_int_equal(look(context, "x", &entry, NULL), CONTEXT_ABSENT);
    assert_ok(context_list(context, "", &names, &err), err);
    assert_int_equal(names.n, 0);
}

static void deep_directories_need_no_fds(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(free) char *path = fixture_disk(fixture, "c", "f f - - - x\n");
    AUTO(context_free) struct context *context = fixture_context_at(fixture, path, NULL);
    AUTO(strbuf_release) struct strbuf deep = STRBUF_INIT;
    for (int i = 0; i < 1500; i++) {
        strbuf_adds(&deep, i ? "/d" : "d");
    }
    assert_ok(fs_mkdirs(context_fd(context), deep.data, 0755, &err), err);
    struct seen seen = { STRBUF_INIT, NULL };
    assert_ok(context_walk(context, "", see, &seen, &err), err);
    assert_non_null(strstr(seen.paths.data, deep.data));
    strbuf_release(&seen.paths);
}

/* One file under many names: what is remembered of each is about 110 bytes, most of them in files.
 */
static void many_files_take_little_memory(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    enum { N = 60000 };
    AUTO(context_free)
    struct context *context = fixture_context(fixture, "f f 0644 - 5 abc\n", NULL);
    struct spill *spill = store_spill(fixture->store);
    spill->most = (size_t)1 << 20;
    struct stat st;
    uint64_t number, first = 0;
    assert_ok(fstatat(context_fd(context), "f", &st, 0), err);
    size_t before = memory_in_use();
    struct context_viewer *viewer = context_viewer_take(context);
    for (int i = 0; i < N; i++) {
        char name[80];
        (void)snprintf(name, sizeof(name), "a-name-that-is-as-long-as-those-of-others-%05d", i);
        assert_ok(context_see(viewer, context_fd(context), "d", name, &st, &number, &err), err);
        first = i ? first : number;
    }
    context_viewer_return(viewer);
    if (memory_has_files(store_dir_fd(fixture->store, STORE_TMP), (size_t)64 << 20)) {
        assert_true(memory_in_use() - before <= spill->most + (size_t)N * PER_ENTRY / 4);
        assert_true(spill->in_files > (size_t)N * 80);
    }
    for (int i = 0; i < N; i++) {
        struct entry entry;
        context_entry(context, first + (uint64_t)i, &entry);
        assert_int_equal(entry.size, 3);
        assert_int_equal(strtol(strrchr(entry.path, '-') + 1, NULL, 10), i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(opening_needs_a_directory),
        fixture_test(entries_are_as_copies_have_them),
        fixture_test(sockets_are_no_part_of_a_context),
        cmocka_unit_test(walks_are_sorted_and_follow_the_rules),
        fixture_test(lists_leave_out_what_is_excluded),
        fixture_test(unchanged_files_are_not_read_again),
        fixture_test(files_that_change_are_named),
        fixture_test(what_is_read_to_its_end_needs_no_second_reading),
        fixture_test(capabilities_are_the_only_attributes),
        fixture_test(attributes_are_asked_for_where_they_may_be),
        fixture_test(the_empty_context_has_nothing),
        fixture_test(deep_directories_need_no_fds),
        fixture_test(many_files_take_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
