/* SPDX-License-Identifier: Apache-2.0 */
/* Where a COPY puts things, and with which attributes. */
#include "builder/copy_dest.h"

#include "tests/unit/copy_case.h"

static void the_destinations_form_decides_where_things_go(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "a file into a directory that is there",
          .context = "f f - - - 1\n",
          .below = "d t 0700 3:4 5\n",
          .words = "f /t",
          .layer = "d t 0700 3:4 now\nf t/f 0644 0:0 - 1\n" },
        { .name = "a file to a name",
          .context = "f f - - - 1\n",
          .words = "f /p/q/name",
          .layer = "d p 0755 0:0 now\nd p/q 0755 0:0 now\nf p/q/name 0644 0:0 - 1\n" },
        { .name = "a file to a name with a slash",
          .context = "f f - - - 1\n",
          .words = "f /p/q/",
          .layer = "d p 0755 0:0 now\nd p/q 0755 0:0 now\nf p/q/f 0644 0:0 - 1\n" },
        { .name = "one match of a wildcard to a name without a slash",
          .context = "f app-1.2.jar - - - 1\n",
          .words = "*.jar /app.jar",
          .layer = "f app.jar 0644 0:0 - 1\n" },
        { .name = "a directory to a missing path",
          .context = "d d 0750 - -\nf d/f - - - 1\n",
          .words = "d /p/name",
          .layer = "d p 0755 0:0 now\nd p/name 0755 0:0 -\nf p/name/f 0644 0:0 - 1\n" },
        { .name = "the empty destination is the working directory",
          .context = "f f - - - 1\n",
          .words = "f ./",
          .spec = { .working_dir = "/w/x" },
          .layer = "d w 0755 0:0 now\nd w/x 0755 0:0 now\nf w/x/f 0644 0:0 - 1\n" },
        { .name = "several sources without a slash: the last file stays",
          .context = "f a - - - 1\nf b - - - 2\n",
          .words = "a b /o",
          .layer = "f o 0644 0:0 - 2\n" },
        { .name = "several sources without a slash onto a directory",
          .context = "f a - - - 1\nf b - - - 2\n",
          .below = "d o - - -\n",
          .words = "a b /o",
          .layer = "d o 0755 0:0 now\nf o/a 0644 0:0 - 1\nf o/b 0644 0:0 - 2\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void links_on_the_way_lead_inside_the_root_unless_linked(void **state UNUSED)
{
    static const char below[] = "d usr - - 5\nd usr/lib 0711 - 6\nl lib - - - usr/lib\n"
                                "l abs - - - /usr/lib\nl out - - - ../../../../usr/lib\n"
                                "d tmp 1777 - 7\n";
    static const struct copy_case cases[] = {
        { .name = "relative",
          .context = "f f - - - 1\n",
          .below = below,
          .words = "f /lib/f",
          .layer = "d usr 0755 0:0 5\nd usr/lib 0711 0:0 now\nf usr/lib/f 0644 0:0 - 1\n" },
        { .name = "absolute, and out of the root",
          .context = "f f - - - 1\nf g - - - 2\n",
          .below = below,
          .words = "f g /out/",
          .layer = "d usr 0755 0:0 5\nd usr/lib 0711 0:0 now\nf usr/lib/f 0644 0:0 - 1\n"
                   "f usr/lib/g 0644 0:0 - 2\n" },
        { .name = "--link: a directory of its own in place of the link",
          .context = "f f - - - 1\n",
          .below = below,
          .words = "f /lib/f",
          .spec = { .link = true },
          .layer = "d lib 0755 0:0 now\nf lib/f 0644 0:0 - 1\n" },
        { .name = "--link: the mode of what is there isn't seen",
          .context = "f f - - - 1\n",
          .below = below,
          .words = "f /tmp/",
          .spec = { .link = true },
          .layer = "d tmp 0755 0:0 now\nf tmp/f 0644 0:0 - 1\n" },
        { .name = "--link with --chmod is still --link",
          .context = "f f - - - 1\n",
          .below = below,
          .words = "f /lib/",
          .spec = { .link = true, .chmod = "0711" },
          .layer = "d lib 0711 0:0 now\nf lib/f 0711 0:0 - 1\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void attributes_are_the_sources_but_the_owner_of_a_context(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "setuid, setgid and sticky bits of a context stay",
          .context = "d d - - -\nf d/su 4755 - - 1\nf d/sg 2755 - - 2\nd d/t 1777 - -\n",
          .words = "d /o",
          .layer = "d o 0755 0:0 -\nf o/sg 2755 0:0 - 2\nf o/su 4755 0:0 - 1\nd o/t 1777 0:0 -\n" },
        { .name = "owners of a stage stay, but the new top directory's",
          .from = "d d 0750 7:8 3\nf d/f 0600 100:200 - 1\nd d/n 0711 9:9 4\n",
          .words = "/d /o",
          .layer = "d o 0755 0:0 3\nf o/f 0600 100:200 - 1\nd o/n 0711 9:9 4\n" },
        { .name = "a single file of a stage",
          .from = "f f 4711 100:200 - 1\n",
          .words = "/f /o",
          .layer = "f o 4711 100:200 - 1\n" },
        { .name =
              "a directory that is there keeps its own at the top, nested ones take the source's",
          .from = "d d 0750 7:8 3\nd d/n 0711 9:9 4\n",
          .below = "d o 0700 1:2 5\nd o/n 0755 3:3 5\n",
          .words = "/d /o",
          .layer = "d o 0700 1:2 3\nd o/n 0711 9:9 4\n" },
        { .name = "devices, FIFOs and hard links of a stage",
          .from = "d d - - -\nc d/null 0666 0:0 - 1,3\np d/p 0600 - -\nf d/a - - - 1\nh d/b - - - "
                  "d/a\n",
          .words = "/d /o",
          .layer = "d o 0755 0:0 -\nf o/a 0644 0:0 - 1\nh o/b o/a\nc o/null 0666 0:0 - 1,3\n"
                   "p o/p 0600 0:0 -\n" },
        { .name = "times in whole seconds",
          .context = "f f - - 1234567890 1\n",
          .words = "f /o",
          .layer = "f o 0644 0:0 1234567890 1\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void created_parents_take_chown_and_an_octal_chmod(void **state UNUSED)
{
    static const struct copy_case cases[] = {
        { .name = "neither: 0755 of root",
          .context = "f f 0600 - - 1\n",
          .words = "f /new/dir/f",
          .layer = "d new 0755 0:0 now\nd new/dir 0755 0:0 now\nf new/dir/f 0600 0:0 - 1\n" },
        { .name = "--chown",
          .context = "f f - - - 1\n",
          .words = "f /new/dir/f",
          .spec = { .chown = "7:8" },
          .layer = "d new 0755 7:8 now\nd new/dir 0755 7:8 now\nf new/dir/f 0644 7:8 - 1\n" },
        { .name = "--chmod=644",
          .context = "f f - - - 1\n",
          .words = "f /new/dir/f",
          .spec = { .chmod = "644" },
          .layer = "d new 0644 0:0 now\nd new/dir 0644 0:0 now\nf new/dir/f 0644 0:0 - 1\n" },
        { .name = "a symbolic mode leaves them",
          .context = "f f 0600 - - 1\n",
          .words = "f /new/f",
          .spec = { .chmod = "go+r" },
          .layer = "d new 0755 0:0 now\nf new/f 0644 0:0 - 1\n" },
        { .name = "those that are there stay",
          .context = "f f - - - 1\n",
          .below = "d there 0711 1:1 5\n",
          .words = "f /there/f",
          .spec = { .chown = "7:8", .chmod = "600" },
          .layer = "d there 0711 1:1 now\nf there/f 0600 7:8 - 1\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

static void an_octal_mode_reaches_directories_and_no_link(void **state UNUSED)
{
    static const char context[] = "d d - - -\nd d/s 0700 - -\nf d/s/g 0711 - - 1\nl d/l - - - x\n";
    static const struct copy_case cases[] = {
        { .name = "octal",
          .context = context,
          .words = "d /o/",
          .spec = { .chmod = "0750" },
          .layer = "d o 0750 0:0 -\nl o/l 0777 0:0 - x\nd o/s 0750 0:0 -\nf o/s/g 0750 0:0 - 1\n" },
        { .name = "octal with special bits",
          .context = context,
          .words = "d /o/",
          .spec = { .chmod = "2775" },
          .layer = "d o 2775 0:0 -\nl o/l 0777 0:0 - x\nd o/s 2775 0:0 -\nf o/s/g 2775 0:0 - 1\n" },
        { .name = "symbolic, each from its own; the umask is 0; not the top directory",
          .context = context,
          .words = "d/s /o/",
          .spec = { .chmod = "+w,g=u,o-x" },
          .layer = "d o 0755 0:0 -\nf o/g 0772 0:0 - 1\n" },
    };
    check_cases(cases, ARRAY_SIZE(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_destinations_form_decides_where_things_go),
        cmocka_unit_test(links_on_the_way_lead_inside_the_root_unless_linked),
        cmocka_unit_test(attributes_are_the_sources_but_the_owner_of_a_context),
        cmocka_unit_test(created_parents_take_chown_and_an_octal_chmod),
        cmocka_unit_test(an_octal_mode_reaches_directories_and_no_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
