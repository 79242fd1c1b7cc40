/* SPDX-License-Identifier: Apache-2.0 */
#include "base/as_user.h"

#include "base/mem.h"
#include "base/spawn.h"
#include "base/strbuf.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER 12345

static void who_is_no_users_root_starts_programs_as_they_are(void **state UNUSED)
{
    static const char *const programs[] = { "sh", "/bin/sh", "no-such-program" };
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        AUTO(strvec_release) struct strvec argv = STRVEC_INIT;
        strvec_push(&argv, programs[i]);
        as_user_wrap(&argv);
        if (argv.n != 1) {
            print_message("# started by a user's root\n");
            skip();
        }
        assert_string_equal(argv.items[0], programs[i]);
    }
}

static void other_command_lines_are_left_alone(void **state UNUSED)
{
    static char self[] = "/proc/self/exe", word[] = "as-user", id[] = "1";
    char *const lines[][5] = {
        { NULL },
        { self, NULL },
        { self, word, NULL },
        { self, word, id, id, NULL },
        { word, word, id, id, NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        as_user_main(lines[i]); /* it returns */
}

static void write_map(pid_t pid, const char *file)
{
    AUTO(free) char *path = xasprintf("/proc/%ld/%s", (long)pid, file);
    AUTO(free) char *text = xasprintf("0 %d 1", USER);
    AUTO(close) int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* In the namespace: 0 when programs see the user's ids and have no capabilities. */
static int try_in_namespace(void)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec argv = STRVEC_INIT;
    AUTO(spawn_result_release) struct spawn_result result;
    spawn_result_init(&result);
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return 2;
    strvec_push(&argv, "sh");
    strvec_push(&argv, "-c");
    strvec_push(&argv, "id -u; id -g; grep CapEff /proc/self/status");
    as_user_wrap(&argv);
    struct spawn_spec spec = SPAWN_SPEC_INIT;
    spec.argv = (const char *const *)argv.items;
    if (argv.n != 7 || spawn_run(&spec, &result, &err) < 0)
        return 3;
    return strcmp(result.out.data, "12345\n12345\nCapEff:\t0000000000000000\n") ? 4 : 0;
}

static void in_a_namespace_programs_are_the_users(void **state UNUSED)
{
    int ready[2], mapped[2], status = 0;
    char byte = 0;
    if (geteuid() != 0) {
        print_message("# needs root\n");
        skip();
    }
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(mapped, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int failed = unshare(CLONE_NEWUSER) < 0 || write(ready[1], "r", 1) != 1 ||
                     read(mapped[0], &byte, 1) != 1;
        _exit(failed ? 1 : try_in_namespace());
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    write_map(pid, "uid_map");
    write_map(pid, "gid_map");
    assert_int_equal(write(mapped[1], "m", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++) {
        (void)close(ready[i]);
        (void)close(mapped[i]);
    }
}

int main(int argc UNUSED, char **argv)
{
    as_user_main(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_no_users_root_starts_programs_as_they_are),
        cmocka_unit_test(other_command_lines_are_left_alone),
        cmocka_unit_test(in_a_namespace_programs_are_the_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
