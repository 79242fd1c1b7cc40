/* SPDX-License-Identifier: Apache-2.0 */
/* What the source words of a COPY mean. */
#include "builder/copy_sources.h"

#include "tests/unit/copy_case.h"

static void sources_stay_inside_the_root(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "a leading slash, dots that lead out, a trailing slash on a file",
          .context = "d d - - -\nf d/f - - - c\nf g - - - h\n",
          .words = "/../../d/f/ ../x/../g/ /o/",
          .layer = "d o 0755 0:0 now\nf o/f 0644 0:0 - c\nf o/g 0644 0:0 - h\n" },
        { .name = "in a stage",
          .from = "d d - - -\nf d/f - - - c\n",
          .words = "../d/f/ /x",
          .layer = "f x 0644 0:0 - c\n" },
        { .name = "a link that leads out ends at the root",
          .context = "f real - - - c\nl out - - - ../../../real\n",
          .words = "out /x",
          .layer = "f x 0644 0:0 - c\n" },
        { .name = "a link to what is outside only",
          .context = "l out - - - ../../../etc/passwd\n",
          .words = "out /x",
          .error = "the symbolic link out leads to ../../../etc/passwd, which is not in" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void wildcards_do_not_cross_a_slash(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "* and ? match within one element",
          .context = "d a - - -\nd a/b - - -\nf a/x.c - - - 1\nf a/b/y.c - - - 2\nf z.c - - - 3\n",
          .words = "*.c a?b/y.c /o/",
          .layer = "d o 0755 0:0 now\nf o/z.c 0644 0:0 - 3\n" },
        { .name = "** is * without --parents",
          .context = "d a - - -\nd a/b - - -\nf a/x.c - - - 1\nf a/b/y.c - - - 2\nf z.c - - - 3\n",
          .words = "**/*.c /o/",
          .layer = "d o 0755 0:0 now\nf o/x.c 0644 0:0 - 1\n" },
        { .name = "** takes any depth with --parents",
          .context = "d a - - -\nd a/b - - -\nf a/x.c - - - 1\nf a/b/y.c - - - 2\nf z.c - - - 3\n",
          .words = "**/*.c /o/",
          .spec = { .parents = true },
          .layer = "d o 0755 0:0 now\nd o/a 0755 0:0 now\nd o/a/b 0755 0:0 now\n"
                   "f o/a/b/y.c 0644 0:0 - 2\nf o/a/x.c 0644 0:0 - 1\nf o/z.c 0644 0:0 - 3\n" },
        { .name = "** takes any depth in --exclude",
          .context = "d a - - -\nd a/b - - -\nf a/x.c - - - 1\nf a/b/y.c - - - 2\nf z.h - - - 3\n",
          .words = ". /o/",
          .exclude = "**/*.c",
          .layer =
              "d o 0755 0:0 now\nd o/a 0755 0:0 -\nd o/a/b 0755 0:0 -\nf o/z.h 0644 0:0 - 3\n" },
        { .name = "a range",
          .context = "f a1 - - - 1\nf a2 - - - 2\nf a9 - - - 9\n",
          .words = "a[1-3] /o/",
          .layer = "d o 0755 0:0 now\nf o/a1 0644 0:0 - 1\nf o/a2 0644 0:0 - 2\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void a_missing_name_fails_and_a_wildcard_may_match_nothing(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "a name",
          .context = "f a - - - 1\n",
          .words = "b /o/",
          .error = "source b: not found in the build context" },
        { .name = "a name beside one that is there",
          .context = "f a - - - 1\n",
          .words = "a b /o/",
          .error = "source b: not found in the build context" },
        { .name = "a wildcard", .context = "f a - - - 1\n", .words = "b* /o/", .layer = "" },
        { .name = "the trick for files that may be missing",
          .context = "f a - - - 1\n",
          .words = "a b* /o/",
          .layer = "d o 0755 0:0 now\nf o/a 0644 0:0 - 1\n" },
        { .name = "a wildcard in a directory that isn't there",
          .context = "f a - - - 1\n",
          .words = "no/b* /o/",
          .layer = "" },
        { .name = "with --parents: the destination is made",
          .context = "f a - - - 1\n",
          .words = "no/b* /o/",
          .spec = { .parents = true },
          .layer = "d o 0755 0:0 now\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void directories_bring_their_contents_never_themselves(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "one",
          .context = "d d - - -\nf d/f - - - 1\n",
          .words = "d /o/",
          .layer = "d o 0755 0:0 -\nf o/f 0644 0:0 - 1\n" },
        { .name = "several are merged",
          .context = "d d - - -\nf d/f - - - 1\nf d/same - - - 1\nd e - - -\nf e/g - - - 2\n"
                     "f e/same - - - 2\n",
          .words = "d e /o/",
          .layer =
              "d o 0755 0:0 -\nf o/f 0644 0:0 - 1\nf o/g 0644 0:0 - 2\nf o/same 0644 0:0 - 2\n" },
        { .name = "those that a wildcard matches are flattened",
          .context = "d d - - -\nd d/one - - -\nf d/one/x - - - 1\nd d/two - - -\n"
                     "f d/two/y - - - 2\nf d/z - - - 3\n",
          .words = "d/* /o/",
          .layer =
              "d o 0755 0:0 now\nf o/x 0644 0:0 - 1\nf o/y 0644 0:0 - 2\nf o/z 0644 0:0 - 3\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void links_named_or_matched_are_followed_inner_ones_stay(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "named, from a context",
          .context = "d lib - - -\nf lib/a.so.1 - - - 1\nl lib/a.so - - - a.so.1\n",
          .words = "lib/a.so /x/",
          .layer = "d x 0755 0:0 now\nf x/a.so 0644 0:0 - 1\n" },
        { .name = "matched, from a stage",
          .from = "d lib - - -\nf lib/a.so.1 - - - 1\nl lib/a.so - - - a.so.1\n",
          .words = "/lib/*.so /x/",
          .layer = "d x 0755 0:0 now\nf x/a.so 0644 0:0 - 1\n" },
        { .name = "to a directory: its contents",
          .from = "d lib - - -\nf lib/f - - - 1\nl l - - - /lib\n",
          .words = "/l /x/",
          .layer = "d x 0755 0:0 -\nf x/f 0644 0:0 - 1\n" },
        { .name = "a dangling one, from a stage",
          .from = "l l - - - /nowhere\n",
          .words = "/l* /x/",
          .error = "the symbolic link l leads to nothing" },
        { .name = "inside a directory",
          .from = "d lib - - -\nf lib/a.so.1 - - - 1\nl lib/a.so - - - a.so.1\n",
          .words = "/lib /x/",
          .layer = "d x 0755 0:0 -\nl x/a.so 0777 0:0 - a.so.1\nf x/a.so.1 0644 0:0 - 1\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void excludes_speak_the_ignore_files_language(void **state UNUSED)
{
    static const char context[] = "d s - - -\nf s/a.c - - - 1\nf s/keep.c - - - 2\nd s/d - - -\n"
                                  "f s/d/b.c - - - 3\nf s/d/h - - - 4\n";
    static const struct copy_case cases[] = {
        { .name = "relative to the source, not to the context",
          .context = context,
          .words = "s /o/",
          .exclude = "s/a.c",
          .layer =
              "d o 0755 0:0 -\nf o/a.c 0644 0:0 - 1\nd o/d 0755 0:0 -\nf o/d/b.c 0644 0:0 - 3\n"
              "f o/d/h 0644 0:0 - 4\nf o/keep.c 0644 0:0 - 2\n" },
        { .name = "a directory and all in it",
          .context = context,
          .words = "s /o/",
          .exclude = "d",
          .layer = "d o 0755 0:0 -\nf o/a.c 0644 0:0 - 1\nf o/keep.c 0644 0:0 - 2\n" },
        { .name = "repeated, the last one brings back",
          .context = context,
          .words = "s /o/",
          .exclude = "**/*.c !keep.c",
          .layer =
              "d o 0755 0:0 -\nd o/d 0755 0:0 -\nf o/d/h 0644 0:0 - 4\nf o/keep.c 0644 0:0 - 2\n" },
        { .name = "all but what is brought back from below",
          .context = context,
          .words = "s /o/",
          .exclude = "* !d/h",
          .layer = "d o 0755 0:0 -\nd o/d 0755 0:0 now\nf o/d/h 0644 0:0 - 4\n" },
        { .name = "from a stage",
          .from = context,
          .words = "/s /o/",
          .exclude = "**/*.c",
          .layer = "d o 0755 0:0 -\nd o/d 0755 0:0 -\nf o/d/h 0644 0:0 - 4\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void parents_keep_the_sources_directories(void **state UNUSED)
{
    static const char context[] = "d a 0750 - -\nd a/b 0711 - -\nf a/b/f.c - - - 1\nd a/c - - -\n"
                                  "f a/c/g.c - - - 2\nf a/c/h - - - 3\n";
    static const struct copy_case cases[] = {
        { .name = "with their modes",
          .context = context,
          .words = "a/b/f.c /o/",
          .spec = { .parents = true },
          .layer = "d o 0755 0:0 now\nd o/a 0750 0:0 now\nd o/a/b 0711 0:0 now\n"
                   "f o/a/b/f.c 0644 0:0 - 1\n" },
        { .name = "and owners, from a stage",
          .from = "d a 0750 3:4 -\nf a/f - 5:6 - 1\n",
          .words = "/a/f /o/",
          .spec = { .parents = true },
          .layer = "d o 0755 0:0 now\nd o/a 0750 3:4 now\nf o/a/f 0644 5:6 - 1\n" },
        { .name = "below the pivot",
          .context = context,
          .words = "a/./b/f.c /o/",
          .spec = { .parents = true },
          .layer = "d o 0755 0:0 now\nd o/b 0711 0:0 now\nf o/b/f.c 0644 0:0 - 1\n" },
        { .name = "** below the pivot",
          .context = context,
          .words = "a/./**/*.c /o/",
          .spec = { .parents = true },
          .layer = "d o 0755 0:0 now\nd o/b 0711 0:0 now\nf o/b/f.c 0644 0:0 - 1\n"
                   "d o/c 0755 0:0 now\nf o/c/g.c 0644 0:0 - 2\n" },
        { .name = "a path without wildcards must be there",
          .context = context,
          .words = "a/./b/no.c /o/",
          .spec = { .parents = true },
          .error = "source a/./b/no.c: not found" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_stay_inside_the_root),
        cmocka_unit_test(wildcards_do_not_cross_a_slash),
        cmocka_unit_test(a_missing_name_fails_and_a_wildcard_may_match_nothing),
        cmocka_unit_test(directories_bring_their_contents_never_themselves),
        cmocka_unit_test(links_named_or_matched_are_followed_inner_ones_stay),
        cmocka_unit_test(excludes_speak_the_ignore_files_language),
        cmocka_unit_test(parents_keep_the_sources_directories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
