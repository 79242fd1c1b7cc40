/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/copy_case.h"

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

static void what_is_planned_lies_in_the_stores_spill(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    const struct copy_case what = { .from = "f a - - - 1\n", .words = "a /b" };
    const struct spill *spill = store_spill(fixture->store);
    AUTO(setting_release) struct setting setting;
    setting_init(&setting, fixture, &what);
    size_t before = spill->in_memory;
    struct changeset changeset = CHANGESET_INIT;
    assert_ok(run_copy(&setting, &changeset, &err), err);
    assert_true(spill->in_memory >= before + sizeof(struct entry));
    changeset_release(&changeset);
    assert_int_equal(spill->in_memory, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(destinations_follow_the_rules),
        cmocka_unit_test(files_replace_files_and_links),
        cmocka_unit_test(things_of_another_kind_are_in_the_way),
        cmocka_unit_test(owners_and_modes_are_set),
        cmocka_unit_test(warnings_name_what_is_odd),
        fixture_test(working_directories_are_made),
        fixture_test(what_is_planned_lies_in_the_stores_spill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
