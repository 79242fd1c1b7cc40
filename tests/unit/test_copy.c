/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/copy_case.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

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

static void destinations_follow_the_rules(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "relative to the working directory",
          .context = "f a - - - 1\n",
          .words = "a ./e/",
          .spec = { .working_dir = "/w" },
          .layer = "d w 0755 0:0 now\nd w/e 0755 0:0 now\nf w/e/a 0644 0:0 - 1\n" },
        { .name = "dot is a directory",
          .context = "f a - - - 1\n",
          .words = "a .",
          .spec = { .working_dir = "/w" },
          .layer = "d w 0755 0:0 now\nf w/a 0644 0:0 - 1\n" },
        { .name = "unchanged: an empty layer",
          .context = "f a - - - 1\n",
          .below = "f a - - - 1\n",
          .words = "a /",
          .layer = "" },
        { .name = "same attributes, other content",
          .context = "f a - - - 1\n",
          .below = "f a - - - 2\n",
          .words = "a /",
          .layer = "f a 0644 0:0 - 1\n" },
        { .name = "into an existing directory; its parents keep their times",
          .context = "f f - - - 1\n",
          .below = "d usr 0755 - 5\nd usr/sbin 0711 3:4 6\n",
          .words = "f /usr/sbin",
          .layer = "d usr 0755 0:0 5\nd usr/sbin 0711 3:4 now\nf usr/sbin/f 0644 0:0 - 1\n" },
        { .name = "directory onto directories",
          .context = "d d 0775 - 9\nd d/sub 0755 - -\nf d/sub/f - - - 1\n",
          .below = "d t 0700 5:6 1\nd t/sub 0711 5:6 2\n",
          .words = "d /t",
          .layer = "d t 0700 5:6 9\nd t/sub 0755 0:0 -\nf t/sub/f 0644 0:0 - 1\n" },
        { .name = "a directory's time alone is no change",
          .context = "d d - - 9\n",
          .below = "d t 0700 5:6 1\n",
          .words = "d /t",
          .layer = "" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void files_replace_files_and_links(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "several files onto one name",
          .context = "f a - - - 1\nf b - - - 2\n",
          .words = "a b /dest",
          .layer = "f dest 0644 0:0 - 2\n" },
        { .name = "onto a link to a file",
          .context = "f f - - - new\n",
          .below = "f real - - - old\nl link - - - /real\n",
          .words = "f /link",
          .layer = "f real 0644 0:0 - new\n" },
        { .name = "onto a dangling link",
          .context = "f f - - - new\n",
          .below = "l dang - - - /no/where\n",
          .words = "f /dang",
          .layer = "d no 0755 0:0 now\nf no/where 0644 0:0 - new\n" },
        { .name = "through links, which stay inside",
          .context = "f f - - - 1\n",
          .below = "d tmp 1777 - 3\nl esc - - - ../../../tmp\n",
          .words = "f /esc/f",
          .layer = "d tmp 1777 0:0 now\nf tmp/f 0644 0:0 - 1\n" },
        { .name = "a link in the directory is replaced",
          .context = "f f - - - 1\n",
          .below = "d d - - -\nl d/f - - - /x\n",
          .words = "f /d/",
          .layer = "d d 0755 0:0 now\nf d/f 0644 0:0 - 1\n" },
        { .name = "hard links, the first name is the file",
          .context = "d d - - -\nf d/x - - - 1\nh d/a - - - d/x\nf d/m - - - 1\n",
          .words = "d /d",
          .layer = "d d 0755 0:0 -\nf d/a 0644 0:0 - 1\nf d/m 0644 0:0 - 1\nh d/x d/a\n" },
        { .name = "FIFOs",
          .context = "d d - - -\np d/p 0600 - -\n",
          .words = "d /d",
          .layer = "d d 0755 0:0 -\np d/p 0600 0:0 -\n" },
        { .name = "old times",
          .context = "f f - - -157766400 1\n",
          .words = "f /f",
          .layer = "f f 0644 0:0 -157766400 1\n" },
        { .name = "times are clamped to the epoch",
          .context = "f f - - 1800000000 1\n",
          .words = "f /f",
          .spec = { .times = { FILE_TIMES_CLAMP, FIXTURE_NOW } },
          .layer = "f f 0644 0:0 now 1\n" },
        { .name = "an older time stays when times are clamped",
          .context = "f f - - 5 1\n",
          .words = "f /f",
          .spec = { .times = { FILE_TIMES_CLAMP, FIXTURE_NOW } },
          .layer = "f f 0644 0:0 5 1\n" },
        { .name = "times are set to that of the build",
          .context = "d d - - 3\nf d/f - - 5 1\n",
          .words = "d /d",
          .spec = { .times = { FILE_TIMES_SET, FIXTURE_NOW } },
          .layer = "d d 0755 0:0 now\nf d/f 0644 0:0 now 1\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

#define FOUR(text) text text text text
#define N_256 FOUR(FOUR(FOUR("nnnn")))
#define DIRS_4096 FOUR(FOUR(FOUR(FOUR(FOUR("d/d/")))))

static void things_of_another_kind_are_in_the_way(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "directory onto a file",
          .context = "d d - - -\nf d/f - - - 1\n",
          .below = "f t - - - 1\n",
          .words = "d /t",
          .error = "/t: is a file, not a directory" },
        { .name = "directory entry onto a file",
          .context = "d d - - -\nd d/sub - - -\n",
          .below = "d t - - -\nf t/sub - - - 1\n",
          .words = "d /t",
          .error = "/t/sub: is a file, can't become a directory" },
        { .name = "link onto a directory",
          .context = "d d - - -\nl d/sub - - - k\n",
          .below = "d t - - -\nd t/sub - - -\n",
          .words = "d /t/",
          .error = "/t/sub: is a directory, can't become a symbolic link" },
        { .name = "directory onto a link to a directory",
          .context = "d d - - -\nd d/sub - - -\n",
          .below = "d t - - -\nl t/sub - - - /t\n",
          .words = "d /t",
          .error = "/t/sub: is a symbolic link, can't become a directory" },
        { .name = "a file as parent",
          .context = "f f - - - 1\n",
          .below = "f t - - - 1\n",
          .words = "f /t/x",
          .error = "/t: is a file, not a directory" },
        { .name = "a name that means a removal",
          .context = "f .wh.x - - - 1\n",
          .words = ".wh.x /d/",
          .error = "/d/.wh.x: names that begin with \".wh.\"" },
        { .name = "a name that no file system holds",
          .context = "f f - - - 1\n",
          .words = "f /d/" N_256,
          .error = "name of more than 255 bytes" },
        { .name = "a directory's name that no file system holds",
          .context = "f f - - - 1\n",
          .words = "f /" N_256 "/d/",
          .error = "name of more than 255 bytes" },
        { .name = "a path that no file system holds",
          .context = "f f - - - 1\n",
          .words = "f /" DIRS_4096 "f",
          .error = "path of more than 4095 bytes" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static const char passwd_lines[] = "d etc - - 5\n"
                                   "f etc/passwd - - - app:x:4321:8765::/:/bin/sh\n"
                                   "f etc/group - - - appg:x:8765:\n";

static void owners_and_modes_are_set(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "numbers reach created parents",
          .context = "d d - - -\nf d/g - - - 1\n",
          .words = "d /deep/d",
          .spec = { .chown = "7:8" },
          .layer = "d deep 0755 7:8 now\nd deep/d 0755 7:8 -\nf deep/d/g 0644 7:8 - 1\n" },
        { .name = "one number is both",
          .context = "f f - - - 1\n",
          .words = "f /f",
          .spec = { .chown = "1000" },
          .layer = "f f 0644 1000:1000 - 1\n" },
        { .name = "a name brings its group",
          .context = "f f - - - 1\n",
          .below = passwd_lines,
          .words = "f /f",
          .spec = { .chown = "app" },
          .layer = "f f 0644 4321:8765 - 1\n" },
        { .name = "name and group",
          .context = "f f - - - 1\n",
          .below = passwd_lines,
          .words = "f /f",
          .spec = { .chown = "app:appg" },
          .layer = "f f 0644 4321:8765 - 1\n" },
        { .name = "unknown name",
          .context = "f f - - - 1\n",
          .below = passwd_lines,
          .words = "f /f",
          .spec = { .chown = "apq" },
          .error = "--chown: user apq: not in /etc/passwd" },
        { .name = "unknown group",
          .context = "f f - - - 1\n",
          .below = passwd_lines,
          .words = "f /f",
          .spec = { .chown = "app:nogroup" },
          .error = "--chown: group nogroup: not in /etc/group" },
        { .name = "a name on scratch",
          .context = "f f - - - 1\n",
          .words = "f /f",
          .spec = { .chown = "nobody" },
          .error = "there is no /etc/passwd" },
        { .name = "a name with --link",
          .context = "f f - - - 1\n",
          .below = passwd_lines,
          .words = "f /f",
          .spec = { .chown = "app", .link = true },
          .error = "with --link only numbers" },
        { .name = "octal mode hits directories and created parents",
          .context = "d d - - -\nd d/s 0700 - -\nf d/s/g - - - 1\nl d/l - - - x\n",
          .words = "d /new/d",
          .spec = { .chmod = "755" },
          .layer = "d new 0755 0:0 now\nd new/d 0755 0:0 -\nl new/d/l 0777 0:0 - x\n"
                   "d new/d/s 0755 0:0 -\nf new/d/s/g 0755 0:0 - 1\n" },
        { .name = "setuid",
          .context = "f f - - - 1\n",
          .words = "f /s",
          .spec = { .chmod = "4711" },
          .layer = "f s 4711 0:0 - 1\n" },
        { .name = "symbolic mode",
          .context = "d d - - -\nd d/s 0700 - -\nf d/s/g 0600 - - 1\nf d/x 0744 - - 2\n",
          .words = "d /d",
          .spec = { .chmod = "u=rwX,go=rX" },
          .layer = "d d 0755 0:0 -\nd d/s 0755 0:0 -\nf d/s/g 0644 0:0 - 1\nf d/x 0755 0:0 - 2\n" },
        { .name = "malformed mode",
          .context = "f f - - - 1\n",
          .words = "f /s",
          .spec = { .chmod = "99z" },
          .error = "--chmod: " },
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

static void warnings_name_what_is_odd(void **state UNUSED)
{
    static const struct {
        struct copy_case what;
        const char *warnings;
    } cases[] = {
        { { .context = "f a - - - 1\nf b - - - 2\n",
            .words = "a b /new/f",
            .spec = { .chmod = "0640" } },
          "directory /new gets mode 0640 from --chmod: only root can enter it\n"
          "several sources go to /new/f, which is no directory: the last one stays; "
          "for a directory write /new/f/\n" },
        { { .context = "f a - - - 1\n", .words = "a /new/dir/", .spec = { .chmod = "644" } },
          "directory /new gets mode 0644 from --chmod: only root can enter it\n" },
        { { .context = "f a - - - 1\n", .words = "a /new/dir/", .spec = { .chmod = "755" } }, "" },
        { { .context = "f a - - - 1\n", .words = "a /", .spec = { .chmod = "644" } }, "" },
        { { .context = "d d - - -\nd d/e - - -\nd d/f - - -\n", .words = "d/* /o/" },
          "d/* matches the directory d/e: its contents go to /o without it; to keep the "
          "directories name the one above, or use --parents\n" },
        { { .context = "d d - - -\nd d/e - - -\n", .words = "d /o/" }, "" },
        { { .context = "d d - - -\nf d/e - - - 1\n", .words = "d/* /o/" }, "" },
        { { .context = "d d - - -\nd d/e - - -\n",
            .words = "d/* /o/",
            .spec = { .parents = true } },
          "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        void *fixture = NULL;
        struct error *err = NULL;
        assert_int_equal(fixture_setup(&fixture), 0);
        {
            AUTO(setting_release) struct setting setting;
            setting_init(&setting, fixture, &cases[i].what);
            AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
            assert_ok(run_copy(&setting, &changeset, &err), err);
            assert_string_equal(setting.warnings.data, cases[i].warnings);
        }
        assert_int_equal(fixture_teardown(&fixture), 0);
    }
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

static void working_directories_are_made(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const struct {
        const char *path, *layer, *error;
    } cases[] = {
        { "/tmp", "", NULL },
        { "/tmp/../tmp/", "", NULL },
        { "/", "", NULL },
        { "/home/guest/app",
          "d home 0755 0:0 now\nd home/guest 0755 405:100 now\nd home/guest/app 0755 405:100 now\n",
          NULL },
        { "/l/x", "d tmp 1777 0:0 now\nd tmp/x 0755 405:100 now\n", NULL },
        { "/etc/passwd", NULL, "/etc/passwd: is a file, not a directory" },
    };
    AUTO(tree_unref)
    struct tree *below = fixture_tree(fixture, NULL,
                                      "d tmp 1777 - 5\nd home - - 5\nl l - - - tmp\nd etc - - -\n"
                                      "f etc/passwd - - - x\n");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
        int result =
            copy_workdir_changeset(below, cases[i].path, 405, 100, FIXTURE_NOW, &changeset, &err);
        if (!cases[i].layer) {
            assert_fails(result, err, ERR_EXISTS, cases[i].error);
            continue;
        }
        assert_ok(result, err);
        AUTO(free) char *dump = changeset_dump(&changeset);
        assert_string_equal(dump, cases[i].layer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_are_found_as_other_builders_find_them),
        cmocka_unit_test(symlinks_of_sources_are_followed_inside_the_root),
        cmocka_unit_test(ignore_rules_hide_sources),
        cmocka_unit_test(destinations_follow_the_rules),
        cmocka_unit_test(files_replace_files_and_links),
        cmocka_unit_test(things_of_another_kind_are_in_the_way),
        cmocka_unit_test(owners_and_modes_are_set),
        cmocka_unit_test(copies_between_images_keep_owners),
        cmocka_unit_test(link_parents_and_exclude),
        fixture_test(files_come_after_sources),
        cmocka_unit_test(warnings_name_what_is_odd),
        fixture_test(hints_tell_similar_names),
        fixture_test(the_key_knows_content_and_mode_but_no_time),
        fixture_test(the_key_knows_where_links_lead_and_names_of_one_file),
        fixture_test(a_file_that_changes_meanwhile_is_named),
        fixture_test(many_files_are_hashed_by_several_threads),
        fixture_test(working_directories_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
