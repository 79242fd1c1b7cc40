/* SPDX-License-Identifier: Apache-2.0 */
#include "base/companion.h"

#include "tests/unit/test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(const char *const *words, struct companion *companion)
{
    AUTO(strvec_release) struct strvec argv = STRVEC_INIT;
    struct error *err = NULL;
    for (; *words; words++)
        strvec_push(&argv, *words);
    assert_ok(companion_start(&argv, "/", companion, &err), err);
}

/* Both ends of a pipe; the program holds `write_end` as long as it runs. */
static bool is_closed_soon(int read_end)
{
    struct pollfd end = { .fd = read_end };
    return poll(&end, 1, 120000) == 1 && (end.revents & POLLHUP);
}

static void a_companion_runs_until_it_is_stopped(void **state UNUSED)
{
    int ends[2];
    struct companion companion = COMPANION_INIT;
    assert_int_equal(pipe(ends), 0);
    start((const char *const[]){ "sleep", "1000", NULL }, &companion);
    (void)close(ends[1]);
    assert_false(companion_has_ended(&companion));
    struct pollfd end = { .fd = ends[0] };
    assert_int_equal(poll(&end, 1, 300), 0); /* it holds our pipe: it runs */
    companion_stop(&companion);
    assert_true(is_closed_soon(ends[0]));
    assert_int_equal(companion.pid, 0);
    companion_stop(&companion);
    (void)close(ends[0]);
}

static void it_ends_when_we_are_killed(void **state UNUSED)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t us = fork();
    if (us == 0) {
        struct companion companion = COMPANION_INIT;
        start((const char *const[]){ "sleep", "1000", NULL }, &companion);
        (void)raise(SIGKILL);
    }
    (void)close(ends[1]);
    assert_int_equal(waitpid(us, NULL, 0), us);
    assert_true(is_closed_soon(ends[0]));
    (void)close(ends[0]);
}

static void an_end_is_seen(void **state UNUSED)
{
    static const char *const programs[] = { "true", "no-such-program" };
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        struct companion companion = COMPANION_INIT;
        start((const char *const[]){ programs[i], NULL }, &companion);
        int looks = 0;
        while (!companion_has_ended(&companion) && looks++ < 12000)
            (void)poll(NULL, 0, 10);
        assert_true(companion_has_ended(&companion));
        companion_stop(&companion);
    }
}

int main(int argc UNUSED, char **argv)
{
    companion_main(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_companion_runs_until_it_is_stopped),
        cmocka_unit_test(it_ends_when_we_are_killed),
        cmocka_unit_test(an_end_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
