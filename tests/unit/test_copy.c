/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/copy_case.h"

static void sources_are_found_as_other_builders_find_them(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "absolute source, file",
          .context = "d d - - -\nf d/f - - - c\n",
          .words = "/d/f /x",
          .layer = "f x 0644 0:0 - c\n" },
        { .name = "absolute source, directory",
          .context = "d d - - -\nf d/f - - - c\n",
          .words = "/d/ /y",
          .layer = "d y 0755 0:0 -\nf y/f 0644 0:0 - c\n" },
        { .name = "dots are clamped",
          .context = "f f - - - c\n",
          .words = "../../f /../../x/../y",
          .layer = "f y 0644 0:0 - c\n" },
        { .name = "contents, nested, empty",
          .context = "d e 0700 - 1500000000\nd e/a 0711 - 5\nd e/a/b - - -\nf e/z - - -\n",
          .words = "e /d",
          .layer = "d d 0755 0:0 1500000000\nd d/a 0711 0:0 5\nd d/a/b 0755 0:0 -\n"
                   "f d/z 0644 0:0 -\n" },
        { .name = "the root's time is the build's",
          .context = "f a - - - 1\n",
          .words = ". /o",
          .layer = "d o 0755 0:0 now\nf o/a 0644 0:0 - 1\n" },
        { .name = "wildcard without a match",
          .context = "f a - - - 1\n",
          .words = "nothing*.txt no/where/*.c /",
          .layer = "" },
        { .name = "wildcards per element",
          .context = "d d1 - - -\nd d2 - - -\nf d1/x1 - - - 1\nf d2/x2 - - - 2\nf d2/y - - - 3\n",
          .words = "d*/x? /n/",
          .layer = "d n 0755 0:0 now\nf n/x1 0644 0:0 - 1\nf n/x2 0644 0:0 - 2\n" },
        { .name = "wildcard flattens directories; the last thing sets the time",
          .context = "f a - - - 1\nd d1 - - -\nf d1/x - - - 2\nf zz - - - 3\n",
          .words = "*/ /o/",
          .layer = "d o 0755 0:0 now\nf o/a 0644 0:0 - 1\nf o/x 0644 0:0 - 2\n"
                   "f o/zz 0644 0:0 - 3\n" },
        { .name = "a directory that comes last sets the time",
          .context = "f a - - - 1\nd d - - 77\nf d/c - - - 2\n",
          .words = "a d /o/",
          .layer = "d o 0755 0:0 77\nf o/a 0644 0:0 - 1\nf o/c 0644 0:0 - 2\n" },
        { .name = "brackets escape",
          .context = "f arr[0].txt - - - 1\n",
          .words = "arr[[]0].txt /m/",
          .layer = "d m 0755 0:0 now\nf m/arr[0].txt 0644 0:0 - 1\n" },
        { .name = "a backslash escapes too",
          .context = "f *star - - - 1\n",
          .words = "\\*star /m",
          .layer = "f m 0644 0:0 - 1\n" },
        { .name = "malformed pattern",
          .context = "f a - - - 1\n",
          .words = "a[ /x",
          .error = "source a[: " },
        { .name = "missing",
          .context = "f f - - - 1\n",
          .words = "nope /x",
          .error = "source nope: not found in the build context" },
        { .name = "missing below a file",
          .context = "f f - - - 1\n",
          .words = "f/x /x",
          .error = "source f/x: not found" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void symlinks_of_sources_are_followed_inside_the_root(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "named",
          .context = "f t - - - c\nl l - - - t\n",
          .words = "l /d/",
          .layer = "d d 0755 0:0 now\nf d/l 0644 0:0 - c\n" },
        { .name = "matched, with a link and its target",
          .context = "f la - - - c\nl lb - - - la\n",
          .words = "l* /d/",
          .layer = "d d 0755 0:0 now\nf d/la 0644 0:0 - c\nf d/lb 0644 0:0 - c\n" },
        { .name = "dangling in a wildcard",
          .context = "f target - - - c\nl l1 - - - target\nl l3 - - - nope\n",
          .words = "l* /out/",
          .error = "the symbolic link l3 leads to nothing" },
        { .name = "leaves the context",
          .context =
              "d etc - - -\nf etc/p - - - in\nl esc - - - ../../../etc/p\nl abs - - - /etc/p\n",
          .words = "esc abs /x/",
          .layer = "d x 0755 0:0 now\nf x/abs 0644 0:0 - in\nf x/esc 0644 0:0 - in\n" },
        { .name = "directory through links, dots after a link",
          .context = "d a - - -\nd a/b - - -\nf a/f - - - 1\nf a/b/g - - - 2\nl l - - - a/b\nl up "
                     "- - - l/..\n",
          .words = "up /x",
          .layer = "d x 0755 0:0 -\nd x/b 0755 0:0 -\nf x/b/g 0644 0:0 - 2\nf x/f 0644 0:0 - 1\n" },
        { .name = "loop",
          .context = "l a - - - b\nl b - - - a\n",
          .words = "a /x",
          .error = "more than 40 symbolic links" },
        { .name = "inside a directory they stay",
          .context = "d d - - -\nf d/real - - - c\nl d/rel - - - real\nl d/abs - - - /abs/path\n"
                     "l d/self - - - .\n",
          .words = "d /d",
          .layer = "d d 0755 0:0 -\nl d/abs 0777 0:0 - /abs/path\nf d/real 0644 0:0 - c\n"
                   "l d/rel 0777 0:0 - real\nl d/self 0777 0:0 - .\n" },
        { .name = "in a source image",
          .from = "f zero - - - 0\nl link - - - zero\n",
          .words = "/zero /link /d/",
          .layer = "d d 0755 0:0 now\nf d/link 0644 0:0 - 0\nf d/zero 0644 0:0 - 0\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void ignore_rules_hide_sources(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "named and excluded",
          .context = "f secret - - - s\n",
          .ignore = "# no\nsecret\n",
          .words = "secret /s",
          .error = "source secret: excluded by line 2 of .dockerignore (secret)" },
        { .name = "matched and excluded",
          .context = "f secret - - - s\nf seen - - - t\n",
          .ignore = "secret\n",
          .words = "se* /d/",
          .layer = "d d 0755 0:0 now\nf d/seen 0644 0:0 - t\n" },
        { .name = "parent excluded, child brought back: the parents' modes and times",
          .context = "d p 0711 - 12\nd p/q 0750 - 13\nf p/no - - - 1\nf p/q/keep - - - 2\nf p/q/no "
                     "- - - 3\n",
          .ignore = "p\n!p/q/keep\n",
          .words = ". /o",
          .layer = "d o 0755 0:0 now\nd o/p 0711 0:0 12\nd o/p/q 0750 0:0 13\n"
                   "f o/p/q/keep 0644 0:0 - 2\n" },
        { .name = "everything but exceptions: no empty directories",
          .context = "d e - - -\nf e/f.txt - - - 1\nf go.mod - - - 2\nd p - - -\nd p/q - - -\nf "
                     "p/q/x.go - - - 3\n",
          .ignore = "**\n!**/*.go\n!go.mod\n",
          .words = ". /o",
          .layer =
              "d o 0755 0:0 now\nf o/go.mod 0644 0:0 - 2\nd o/p 0755 0:0 -\nd o/p/q 0755 0:0 -\n"
              "f o/p/q/x.go 0644 0:0 - 3\n" },
        { .name = "a directory with nothing left in it",
          .context = "d e - - -\nf e/f - - - 1\n",
          .ignore = "e\n!x\n",
          .words = "e /o",
          .error = "source e: excluded by line 1" },
        { .name = "a directory named, brought back in part",
          .context = "d e - - -\nf e/f - - - 1\nf e/g - - - 2\n",
          .ignore = "e\n!e/g\n",
          .words = "e /o",
          .layer = "d o 0755 0:0 -\nf o/g 0644 0:0 - 2\n" },
        { .name = "by the link's own name",
          .context = "d t - - -\nf t/x - - - 1\nl link - - - t\nl link2 - - - t\n",
          .ignore = "link\n",
          .words = ". /o",
          .layer = "d o 0755 0:0 now\nl o/link2 0777 0:0 - t\nd o/t 0755 0:0 -\nf o/t/x 0644 0:0 - "
                   "1\n" },
        { .name = "through a hidden link",
          .context = "d t - - -\nf t/x - - - 1\nl link - - - t\n",
          .ignore = "link\n",
          .words = "link/x /o",
          .error = "source link/x: excluded by line 1" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void copies_between_images_keep_owners(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "owner, mode, links, special files",
          .from = "d o - - 3\nd o/dir 2775 11:22 4\nf o/f 4751 11:22 - a\nh o/hard - - - o/f\n"
                  "l o/sym - - - f\np o/fifo 0644 - -\n",
          .words = "/o /o",
          .layer = "d o 0755 0:0 3\nd o/dir 2775 11:22 4\nf o/f 4751 11:22 - a\n"
                   "p o/fifo 0644 0:0 -\nh o/hard o/f\nl o/sym 0777 0:0 - f\n" },
        { .name = "the new top directory isn't the source's",
          .from = "d o - - 3\nd o/dir 2775 11:22 4\n",
          .words = "/o/dir /renamed",
          .layer = "d renamed 0755 0:0 4\n" },
        { .name = "the root's content",
          .from = "f x - - - 1\n",
          .words = "/ /from/",
          .layer = "d from 0755 0:0 now\nf from/x 0644 0:0 - 1\n" },
        { .name = "with --chown",
          .from = "d o - 5:5 3\nf o/q - 5:5 - 1\n",
          .words = "/o /dest/o",
          .spec = { .chown = "12:13", .link = true },
          .layer = "d dest 0755 12:13 now\nd dest/o 0755 12:13 3\nf dest/o/q 0644 12:13 - 1\n" },
        { .name = "names of one file through a wildcard stay so",
          .from = "d bin - - -\nf bin/a - - - 1\nh bin/b - - - bin/a\n",
          .words = "/bin/* /x/",
          .layer = "d x 0755 0:0 now\nf x/a 0644 0:0 - 1\nh x/b x/a\n" },
        { .name = "missing",
          .from = "d bin - - -\nf bin/a - - - 1\n",
          .words = "/bin/c /x/",
          .error = "source /bin/c: not found in the source image" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void link_parents_and_exclude(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "--link doesn't look at what is below",
          .context = "f f - - - 1\n",
          .below = "l t - - - /usr\nd usr - - -\n",
          .words = "f /t/f",
          .spec = { .link = true },
          .layer = "d t 0755 0:0 now\nf t/f 0644 0:0 - 1\n" },
        { .name = "--parents keeps modes, not times, of the parents",
          .context = "d p 0750 - -\nd p/q 0711 - -\nf p/q/f - - - 1\n",
          .words = "p/q/f /o/",
          .spec = { .parents = true },
          .layer = "d o 0755 0:0 now\nd o/p 0750 0:0 now\nd o/p/q 0711 0:0 now\n"
                   "f o/p/q/f 0644 0:0 - 1\n" },
        { .name = "--parents with a pivot",
          .context = "d a - - -\nd a/b - - -\nf a/b/f - - - 1\nf a/g - - - 2\n",
          .words = "a/./b /o/",
          .spec = { .parents = true },
          .layer = "d o 0755 0:0 now\nd o/b 0755 0:0 -\nf o/b/f 0644 0:0 - 1\n" },
        { .name = "--parents with a wildcard before the pivot",
          .context =
              "d a - - -\nd a/b - - -\nf a/b/f - - - 1\nd c - - -\nd c/b - - -\nf c/b/g - - - 2\n"
              "f d - - - 3\n",
          .words = "*/./b /o/",
          .spec = { .parents = true },
          .layer =
              "d o 0755 0:0 now\nd o/b 0755 0:0 -\nf o/b/f 0644 0:0 - 1\nf o/b/g 0644 0:0 - 2\n" },
        { .name = "--parents with **",
          .context = "d a - - -\nd a/b - - -\nf a/b/f.c - - - 1\nf a/g.h - - - 2\nf x.c - - - 3\nd "
                     "e - - -\n",
          .words = "**/*.c /o/",
          .spec = { .parents = true },
          .layer = "d o 0755 0:0 now\nd o/a 0755 0:0 now\nd o/a/b 0755 0:0 now\n"
                   "f o/a/b/f.c 0644 0:0 - 1\nf o/x.c 0644 0:0 - 3\n" },
        { .name = "--parents, missing",
          .context = "f x.c - - - 3\n",
          .words = "a/b /o/",
          .spec = { .parents = true },
          .error = "source a/b: not found" },
        { .name = "--exclude is anchored at the source",
          .context = "f a.log - - - 1\nf b.txt - - - 2\nd sub - - -\nf sub/c.log - - - 3\n",
          .words = ". /o/",
          .exclude = "*.log",
          .layer = "d o 0755 0:0 now\nf o/b.txt 0644 0:0 - 2\nd o/sub 0755 0:0 -\n"
                   "f o/sub/c.log 0644 0:0 - 3\n" },
        { .name = "--exclude of matched files",
          .context = "f a.log - - - 1\nf a.txt - - - 2\n",
          .words = "a* /o/",
          .exclude = "*.log",
          .layer = "d o 0755 0:0 now\nf o/a.txt 0644 0:0 - 2\n" },
        { .name = "--exclude of everything",
          .context = "d d1 - - -\nf d1/x - - - 1\n",
          .words = "d* /6",
          .exclude = "*",
          .layer = "d 6 0755 0:0 -\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void files_come_after_sources(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    const struct copy_case what = { .context = "f real - - - r\n", .words = "real /d/" };
    AUTO(setting_release) struct setting setting;
    setting_init(&setting, fixture, &what);
    char one[] = "one", two[] = "two";
    const struct copy_file files[] = {
        { .name = one, .data = "1\n", .size = 2, .fd = -1, .mode = 0644, .mtime = FIXTURE_NOW },
        { .name = two, .data = "", .size = 0, .fd = -1, .mode = 0600, .mtime = 7 },
    };
    setting.spec.files = files;
    setting.spec.n_files = 2;
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    assert_ok(run_copy(&setting, &changeset, &err), err);
    AUTO(free) char *dump = changeset_dump(&changeset);
    assert_string_equal(dump, "d d 0755 0:0 now\nf d/one 0644 0:0 now 1\n\n"
                              "f d/real 0644 0:0 - r\nf d/two 0600 0:0 7\n");
}

static void hints_tell_similar_names(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const struct {
        const char *word, *hint;
    } cases[] = {
        { "readme.MD", "README.md is there: names differ in case" },
        { "src/mian.c", "did you mean src/main.c?" },
    };
    AUTO(context_free)
    struct context *context =
        fixture_context(fixture, "f README.md - - - 1\nd src - - -\nf src/main.c - - - 2\n", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(strvec_release) struct strvec sources = STRVEC_INIT;
        strvec_push(&sources, cases[i].word);
        const struct copy_spec spec = {
            .context = context, .sources = &sources, .destination = "/", .working_dir = "/"
        };
        assert_null(copy_new(&spec, &err));
        assert_string_equal(error_hint_text(err), cases[i].hint);
        assert_true(error_is(err, ERR_NOT_FOUND));
        error_clear(&err);
    }
}

static void a_file_that_changes_meanwhile_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    const struct copy_case what = { .context = "f a - - - 123\n", .words = "a /x" };
    AUTO(setting_release) struct setting setting;
    setting_init(&setting, fixture, &what);
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    assert_ok(run_copy(&setting, &changeset, &err), err);
    if (!changeset.ops)
        return;
    AUTO(close) int file = openat(context_fd(setting.context), "a", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(file, "12", 2, 3), 2);
    AUTO(source_free)
    struct source *source = changeset.ops->open(changeset.data, &changeset.list.entries[0], &err);
    assert_ok_ptr(source, err);
    char buffer[8];
    assert_fails(source_read(source, buffer, sizeof(buffer), &err), err, ERR_INVALID,
                 "a: changed during the build");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_are_found_as_other_builders_find_them),
        cmocka_unit_test(symlinks_of_sources_are_followed_inside_the_root),
        cmocka_unit_test(ignore_rules_hide_sources),
        cmocka_unit_test(copies_between_images_keep_owners),
        cmocka_unit_test(link_parents_and_exclude),
        fixture_test(files_come_after_sources),
        fixture_test(hints_tell_similar_names),
        fixture_test(a_file_that_changes_meanwhile_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
