/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/copy_fixture.h"

/* What tar(1) makes of a shell script's work becomes the context's a.tar; ADD unpacks it. */
struct unpack_case {
    const char *name;
    const char *script; /* in an empty directory; leaves a.tar or what `words` names */
    const char *below;
    const char *words; /* NULL: "a.tar /o" */
    struct copy_spec spec;
    const char *layer, *error;
};

#define TAR "tar --sort=name --mtime=@1600000000 --owner=0 --group=0 --numeric-owner "

static void run_script(const char *dir, const char *script)
{
    AUTO(free) char *command = xasprintf("cd '%s' && umask 022 && %s", dir, script);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-euc", command, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int add(struct fixture *fixture, const struct unpack_case *what, struct context *context,
               struct changeset *ret, struct error **err)
{
    AUTO(strvec_release) struct strvec sources = STRVEC_INIT;
    AUTO(free) char *words = xstrdup(what->words ? what->words : "a.tar /o");
    char *destination = strrchr(words, ' ') + 1;
    for (char *at = words; at < destination;) {
        size_t n = strcspn(at, " ");
        strvec_pushn(&sources, at, n);
        at += n + 1;
    }
    struct copy_spec spec = what->spec;
    spec.is_add = true;
    spec.context = context;
    spec.sources = &sources;
    spec.destination = destination;
    spec.working_dir = "/";
    spec.now = FIXTURE_NOW;
    AUTO(copy_free) struct copy *copy = copy_new(&spec, err);
    if (!copy)
        return -1;
    AUTO(tree_unref)
    struct tree *below =
        what->below ? fixture_tree(fixture, NULL, what->below) : tree_new(fixture->store);
    return copy_changeset(copy, below, ret, err);
}

static void check_case(const struct unpack_case *what)
{
    void *state = NULL;
    struct error *err = NULL;
    assert_int_equal(fixture_setup(&state), 0);
    if (!state)
        return;
    struct fixture *fixture = state;
    {
        AUTO(free) char *path = fixture_disk(fixture, "context", "");
        run_script(path, what->script);
        AUTO(context_free) struct context *context = fixture_context_at(fixture, path, NULL);
        AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
        int result = add(fixture, what, context, &changeset, &err);
        check_layer(what->name, result, &changeset, what->layer, what->error, &err);
    }
    assert_int_equal(fixture_teardown(&state), 0);
}

static void check_cases(const struct unpack_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_case(&cases[i]);
}

#define TREE                                                                                       \
    "mkdir -p t/sub; printf x >t/x; printf y >t/sub/y; ln -s x t/l; chmod 0700 t/sub; ln t/x "     \
    "t/h; "
#define TREE_LAYER(top)                                                                            \
    "d " top " 0755 0:0 now\nf " top "/h 0644 0:0 - x\nl " top "/l 0777 0:0 - x\n"                 \
    "d " top "/sub 0700 0:0 -\nf " top "/sub/y 0644 0:0 - y\nh " top "/x " top "/h\n"

static void archives_are_known_by_their_content(void **state UNUSED)
{
    static const struct unpack_case cases[] = {
        { .name = "plain", .script = TREE TAR "-C t -cf a.tar .", .layer = TREE_LAYER("o") },
        { .name = "gzip, named otherwise",
          .script = TREE TAR "-C t -czf data.bin .",
          .words = "data.bin /o",
          .layer = TREE_LAYER("o") },
        { .name = "xz", .script = TREE TAR "-C t -cJf a.tar .", .layer = TREE_LAYER("o") },
        { .name = "bzip2", .script = TREE TAR "-C t -cjf a.tar .", .layer = TREE_LAYER("o") },
        { .name = "wildcard over archives and files",
          .script = "printf a >a; " TAR "-cf a.tar a; printf b >b; " TAR "-cf b.tar b; rm a b; "
                    "printf p >plain; touch -d @1600000000 plain",
          .words = "*.tar plain /o/",
          .layer = "d o 0755 0:0 now\nf o/a 0644 0:0 - a\nf o/b 0644 0:0 - b\nf o/plain 0644 0:0 - "
                   "p\n" },
        { .name = "gzip of something else, and an empty file",
          .script = "printf hello | gzip -n >a.gz; : >e.tar; touch -d @1600000000 e.tar",
          .words = "e.tar /o/",
          .layer = "d o 0755 0:0 now\nf o/e.tar 0644 0:0 -\n" },
        { .name = "--unpack=false: the archive itself (its bytes begin with a name and a NUL)",
          .script = "printf a >a; " TAR "-cf a.tar a; touch -d @1600000000 a.tar",
          .spec = { .no_unpack = true },
          .layer = "f o 0644 0:0 - a" },
        { .name = "cut short",
          .script =
              "head -c 100000 /dev/urandom >a; " TAR "-cf b.tar a; head -c 50000 b.tar >a.tar",
          .error = "unpacking a.tar" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void entries_replace_what_is_there(void **state UNUSED)
{
    static const struct unpack_case cases[] = {
        { .name = "over files and directories",
          .script = "mkdir -p t/sub; printf new >t/x; printf y >t/sub/y; printf file >t/dir; " TAR
                    "-C t -cf a.tar x sub dir",
          .below = "d o 0700 - 5\nd o/sub 0700 - 5\nf o/sub/keep - - - k\nd o/dir - - -\n"
                   "f o/dir/z - - - z\nf o/x - - - old\n",
          .layer = "d o 0700 0:0 now\nf o/dir 0644 0:0 - file\nd o/sub 0755 0:0 -\n"
                   "f o/sub/y 0644 0:0 - y\nf o/x 0644 0:0 - new\n" },
        { .name = "a file becomes a directory",
          .script = "mkdir -p t/f; printf y >t/f/y; " TAR "-C t -cf a.tar f",
          .below = "d o - - -\nf o/f - - - 1\n",
          .layer = "d o 0755 0:0 now\nd o/f 0755 0:0 -\nf o/f/y 0644 0:0 - y\n" },
        { .name = "later duplicates win, a directory in between hides what was below",
          .script = "mkdir t; printf 1 >t/d; " TAR
                    "-C t -cf a.tar d; rm t/d; mkdir t/d; printf 2 >t/d/n; " TAR "-C t -rf a.tar d",
          .below = "d o - - -\nd o/d - - -\nf o/d/a - - - 1\nd o/d/b - - -\nf o/d/n - - - 1\n",
          .layer = "d o 0755 0:0 now\nd o/d 0755 0:0 -\nw o/d/a\nw o/d/b\nf o/d/n 0644 0:0 - 2\n" },
        { .name = "unchanged entries are no change",
          .script = "mkdir t; printf 1 >t/x; " TAR "-C t -cf a.tar x",
          .below = "d o - - -\nf o/x - - - 1\n",
          .layer = "" },
        { .name = "a file in place of the destination",
          .script = "printf 1 >x; " TAR "-cf a.tar x",
          .below = "f o - - - 1\n",
          .error = "/o: is a file, not a directory" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void odd_entries(void **state UNUSED)
{
    static const struct unpack_case cases[] = {
        { .name = "missing parents; destination without slash",
          .script = "mkdir -p t/p/q; printf 1 >t/p/q/x; " TAR "-C t --no-recursion -cf a.tar p/q/x",
          .words = "a.tar /some/name",
          .layer = "d some 0755 0:0 now\nd some/name 0755 0:0 now\nd some/name/p 0755 0:0 now\n"
                   "d some/name/p/q 0755 0:0 now\nf some/name/p/q/x 0644 0:0 - 1\n" },
        { .name = "--chown reaches entries, --chmod doesn't",
          .script = "mkdir t; printf 1 >t/x; chmod 0600 t/x; " TAR "-C t -cf a.tar .",
          .spec = { .chown = "65534:8", .chmod = "0777" },
          .layer = "d o 0755 65534:8 now\nf o/x 0600 65534:8 - 1\n" },
        { .name = "special files into the root",
          .script = "mkdir -p t/st; printf 1 >t/s; chmod 6755 t/s; chmod 1777 t/st; mkfifo t/p; "
                    "ln -s ../../etc t/up; " TAR "-C t -cf a.tar .",
          .words = "a.tar /",
          .layer =
              "p p 0644 0:0 -\nf s 6755 0:0 - 1\nd st 1777 0:0 -\nl up 0777 0:0 - ../../etc\n" },
        { .name = "through a link that came with the archive, inside the root",
          .script = "mkdir -p t/real t2/l; ln -s ../../../real t/l; printf 1 >t2/l/x; " TAR
                    "-C t -cf a.tar l real; " TAR "-C t2 -rf a.tar l/x",
          .words = "a.tar /",
          .layer = "l l 0777 0:0 - ../../../real\nd real 0755 0:0 -\nf real/x 0644 0:0 - 1\n" },
        { .name = "hard link to a file below: a copy",
          .script = "mkdir t; printf 1 >t/a; ln t/a t/b; " TAR "-C t -cf a.tar a b; " TAR
                    "--delete -f a.tar a",
          .below = "d o - - 4\nf o/a 0755 3:3 5 below\n",
          .layer = "d o 0755 0:0 now\nf o/b 0755 3:3 5 below\n" },
        { .name = "capabilities are kept, other attributes are not",
          .script = "printf 1 >a; " TAR "--format=posix --pax-option=SCHILY.xattr.user.k:=v,"
                    "SCHILY.xattr.security.capability:=abc -cf a.tar a",
          .layer = "d o 0755 0:0 now\nf o/a 0644 0:0 - 1 security.capability\n" },
        { .name = "hard link to nothing",
          .script = "mkdir t; printf 1 >t/a; ln t/a t/b; " TAR "-C t -cf a.tar a b; " TAR
                    "--delete -f a.tar a",
          .error = "/o/b: hard link to /o/a, which is not there" },
        { .name = "names that mean a removal",
          .script = "printf 1 >.wh.x; " TAR "-cf a.tar .wh.x",
          .error = "/o/.wh.x: names that begin with" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void a_layer_made_of_an_archive_can_be_read_back(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    const struct unpack_case what = { .script = TREE TAR "-C t -czf a.tar ." };
    AUTO(free) char *path = fixture_disk(fixture, "context", "");
    run_script(path, what.script);
    AUTO(context_free) struct context *context = fixture_context_at(fixture, path, NULL);
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    assert_ok(add(fixture, &what, context, &changeset, &err), err);
    AUTO(tree_unref)
    struct tree *tree = fixture_push(fixture, tree_new(fixture->store), &changeset);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    assert_ok(tree_read_file(tree, "o/l", &text, 100, &err), err);
    assert_string_equal(text.data, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archives_are_known_by_their_content),
        cmocka_unit_test(entries_replace_what_is_there),
        cmocka_unit_test(odd_entries),
        fixture_test(a_layer_made_of_an_archive_can_be_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
