/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spawn.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define SH(text)                                                                                   \
    (const char *const[])                                                                          \
    {                                                                                              \
        "sh", "-c", (text), NULL                                                                   \
    }

static void output_and_status_are_results(void **state UNUSED)
{
    static const struct {
        const char *script;
        int status;
        const char *out, *error_out;
    } cases[] = {
        { "echo out; echo err >&2", 0, "out\n", "err\n" },
        { "exit 7", 7, "", "" },
        { "kill -TERM $$", 128 + SIGTERM, "", "" },
        { "cat", 0, "", "" }, /* stdin is empty, not ours */
        { "printf abc; exec >&- 2>&-; exit 3", 3, "abc", "" },
        { "trap - PIPE; kill -PIPE $$", 128 + SIGPIPE, "", "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct spawn_spec spec = SPAWN_SPEC_INIT;
        spec.argv = SH(cases[i].script);
        AUTO(spawn_result_release) struct spawn_result result;
        spawn_result_init(&result);
        assert_ok(spawn_run(&spec, &result, &err), err);
        assert_int_equal(result.status, cases[i].status);
        assert_string_equal(result.out.data, cases[i].out);
        assert_string_equal(result.error_out.data, cases[i].error_out);
    }
}

static void input_environment_and_directory(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(spawn_result_release) struct spawn_result result;
    spawn_result_init(&result);
    AUTO(free) char *large = xcalloc(1, 300000);
    memset(large, 'x', 299999);
    struct spawn_spec spec = SPAWN_SPEC_INIT;
    spec.argv = SH("wc -c");
    spec.input = large;
    spec.input_size = 299999;
    assert_ok(spawn_run(&spec, &result, &err), err);
    assert_string_equal(result.out.data, "299999\n");

    struct spawn_spec env = SPAWN_SPEC_INIT;
    env.argv = SH("echo \"$A-$HOME\"; pwd");
    env.env = (const char *const[]){ "A=b", "PATH=/usr/bin:/bin", NULL };
    env.dir = "/";
    assert_ok(spawn_run(&env, &result, &err), err);
    assert_string_equal(result.out.data, "b-\n/\n");
}

static void what_cannot_run_is_named(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(spawn_result_release) struct spawn_result result;
    spawn_result_init(&result);
    struct spawn_spec missing = SPAWN_SPEC_INIT;
    missing.argv = (const char *const[]){ "no-such-program-anywhere", NULL };
    assert_fails(spawn_run(&missing, &result, &err), err, ERR_NOT_FOUND,
                 "running no-such-program-anywhere: No such file");
    struct spawn_spec bad_dir = SPAWN_SPEC_INIT;
    bad_dir.argv = SH("true");
    bad_dir.dir = "/no/such/dir";
    assert_fails(spawn_run(&bad_dir, &result, &err), err, ERR_NOT_FOUND,
                 "running sh: opening /no/such/dir");
    struct spawn_spec not_a_program = SPAWN_SPEC_INIT;
    not_a_program.argv = (const char *const[]){ "/etc/passwd", NULL };
    assert_fails(spawn_run(&not_a_program, &result, &err), err, ERR_IO, "running /etc/passwd");
}

static void too_much_output_is_an_error_and_errors_keep_their_end(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(spawn_result_release) struct spawn_result result;
    spawn_result_init(&result);
    struct spawn_spec spec = SPAWN_SPEC_INIT;
    spec.argv = SH("while :; do echo 0123456789; done");
    spec.max_output = 5000;
    assert_fails(spawn_run(&spec, &result, &err), err, ERR_LIMIT,
                 "running sh: more than 5000 bytes of output");
    struct spawn_spec loud = SPAWN_SPEC_INIT;
    loud.argv = SH("head -c 1000000 /dev/zero >&2; echo end >&2");
    assert_ok(spawn_run(&loud, &result, &err), err);
    assert_int_equal(result.error_out.size, 65536);
    assert_string_equal(result.error_out.data + result.error_out.size - 4, "end\n");
    struct spawn_spec exact = SPAWN_SPEC_INIT;
    exact.argv = SH("head -c 200000 /dev/zero");
    exact.max_output = 200000;
    assert_ok(spawn_run(&exact, &result, &err), err);
    assert_int_equal(result.out.size, 200000);
}

static void time_out_kills_the_group(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(spawn_result_release) struct spawn_result result;
    spawn_result_init(&result);
    uint64_t start = clock_monotonic_ms();
    struct spawn_spec spec = SPAWN_SPEC_INIT;
    spec.argv = SH("sleep 600 & sleep 600; wait");
    spec.timeout_ms = 100;
    assert_fails(spawn_run(&spec, &result, &err), err, ERR_FAILED,
                 "running sh: still running after 100 ms");
    assert_true(clock_monotonic_ms() - start < 300000);
}

static void descendants_that_hold_the_pipe_are_not_awaited(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(spawn_result_release) struct spawn_result result;
    spawn_result_init(&result);
    struct spawn_spec spec = SPAWN_SPEC_INIT;
    spec.argv = SH("sleep 600 & echo $!");
    spec.timeout_ms = 300000;
    assert_ok(spawn_run(&spec, &result, &err), err);
    long pid = strtol(result.out.data, NULL, 10);
    assert_true(pid > 1);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
}

static void cancelling_kills(void **state UNUSED)
{
    struct error *err = NULL;
    AUTO(spawn_result_release) struct spawn_result result;
    spawn_result_init(&result);
    assert_ok(cancel_init(&err), err);
    AUTO(free) char *script = xasprintf("kill -TERM %ld; exec sleep 600", (long)getpid());
    struct spawn_spec spec = SPAWN_SPEC_INIT;
    spec.argv = SH(script);
    assert_fails(spawn_run(&spec, &result, &err), err, ERR_CANCELLED, "running sh: interrupted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_status_are_results),
        cmocka_unit_test(input_environment_and_directory),
        cmocka_unit_test(what_cannot_run_is_named),
        cmocka_unit_test(too_much_output_is_an_error_and_errors_keep_their_end),
        cmocka_unit_test(time_out_kills_the_group),
        cmocka_unit_test(descendants_that_hold_the_pipe_are_not_awaited),
        cmocka_unit_test(cancelling_kills), /* last: for good */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
