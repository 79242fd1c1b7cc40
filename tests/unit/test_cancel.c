/* SPDX-License-Identifier: Apache-2.0 */
/* Cancelling is for good, so each case runs in a process of its own. */
#include "base/cancel.h"

#include "base/clock.h"
#include "base/tempfile.h"
#include "tests/unit/temp_dir.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the case returned, or 1000 + signal. */
static int in_child(int (*run)(const struct temp_dir *dir), const struct temp_dir *dir)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run(dir));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("line %d: %s\n", __LINE__, #condition);                                    \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int run_before_init(const struct temp_dir *dir UNUSED)
{
    struct error *err = NULL;
    int pipes[2];
    CHECK(cancel_fd() == -1);
    CHECK(!cancel_requested() && cancel_signal() == 0);
    CHECK(cancel_check(&err) == 0 && !err);
    CHECK(pipe(pipes) == 0 && write(pipes[1], "x", 1) == 1);
    struct pollfd fds[] = { { .fd = -1 }, { .fd = pipes[0], .events = POLLIN } };
    CHECK(cancel_poll(fds, 2, -1, &err) == 1);
    CHECK(fds[1].revents == POLLIN && fds[0].revents == 0);
    CHECK(cancel_poll(fds, 1, 1, &err) == 0);
    CHECK(cancel_sleep_ms(1, &err) == 0);
    struct pollfd many[50];
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = fds[1];
    CHECK(cancel_poll(many, ARRAY_SIZE(many), -1, &err) == 50 && many[49].revents == POLLIN);
    return 0;
}

static int run_signal(const struct temp_dir *dir UNUSED)
{
    struct error *err = NULL;
    CHECK(cancel_init(&err) == 0);
    CHECK(cancel_fd() >= 0);
    CHECK(kill(getpid(), SIGTERM) == 0);
    CHECK(kill(getpid(), SIGHUP) == 0);
    CHECK(cancel_requested());
    CHECK(cancel_signal() == SIGTERM); /* the first one */
    for (int i = 0; i < 2; i++) {
        CHECK(cancel_check(&err) < 0 && error_is(err, ERR_CANCELLED));
        CHECK(!strcmp(error_message(err), "interrupted"));
        error_clear(&err);
        CHECK(cancel_sleep_ms(600000, &err) < 0 && error_is(err, ERR_CANCELLED));
        error_clear(&err);
        struct pollfd raw = { .fd = cancel_fd(), .events = POLLIN };
        CHECK(poll(&raw, 1, 0) == 1 && raw.revents == POLLIN); /* for good */
    }
    return 0;
}

static int run_wakes_a_wait(const struct temp_dir *dir UNUSED)
{
    struct error *err = NULL;
    CHECK(cancel_init(&err) == 0);
    pid_t parent = getpid(), pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        _exit(kill(parent, SIGHUP));
    uint64_t start = clock_monotonic_ms();
    CHECK(cancel_poll(NULL, 0, 600000, &err) < 0 && error_is(err, ERR_CANCELLED));
    CHECK(clock_monotonic_ms() - start < 300000);
    error_clear(&err);
    CHECK(waitpid(pid, NULL, 0) == pid);
    return 0;
}

static int run_trigger(const struct temp_dir *dir UNUSED)
{
    struct error *err = NULL;
    CHECK(cancel_init(&err) == 0 && cancel_init(&err) == 0);
    cancel_trigger(0);
    CHECK(cancel_requested() && cancel_signal() == 0);
    CHECK(cancel_check(&err) < 0);
    error_clear(&err);
    return 0;
}

static int run_second_interrupt(const struct temp_dir *dir)
{
    struct error *err = NULL;
    CHECK(cancel_init(&err) == 0);
    CHECK(tempfile_new(dir->fd, "x", &err));
    CHECK(kill(getpid(), SIGINT) == 0 && cancel_requested());
    (void)kill(getpid(), SIGINT);
    return 2; /* not reached */
}

static int run_ignored_stays_ignored(const struct temp_dir *dir UNUSED)
{
    struct error *err = NULL;
    CHECK(signal(SIGHUP, SIG_IGN) != SIG_ERR && signal(SIGINT, SIG_IGN) != SIG_ERR);
    CHECK(cancel_init(&err) == 0);
    CHECK(kill(getpid(), SIGHUP) == 0 && kill(getpid(), SIGINT) == 0);
    CHECK(kill(getpid(), SIGPIPE) == 0);
    CHECK(!cancel_requested());
    return 0;
}

static void polls_without_handlers(void **state)
{
    assert_int_equal(in_child(run_before_init, *state), 0);
}

static void signal_cancels_for_good(void **state)
{
    assert_int_equal(in_child(run_signal, *state), 0);
}

static void signal_wakes_a_wait(void **state)
{
    assert_int_equal(in_child(run_wakes_a_wait, *state), 0);
}

static void trigger_needs_no_signal(void **state)
{
    assert_int_equal(in_child(run_trigger, *state), 0);
}

static void second_interrupt_cleans_up_and_ends(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_int_equal(in_child(run_second_interrupt, dir), 130);
    assert_ok(fs_list(dir->fd, ".", &names, &err), err);
    assert_int_equal(names.n, 0);
}

static void nohup_is_respected(void **state)
{
    assert_int_equal(in_child(run_ignored_stays_ignored, *state), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(polls_without_handlers),
        TEMP_DIR_TEST(signal_cancels_for_good),
        TEMP_DIR_TEST(signal_wakes_a_wait),
        TEMP_DIR_TEST(trigger_needs_no_signal),
        TEMP_DIR_TEST(second_interrupt_cleans_up_and_ends),
        TEMP_DIR_TEST(nohup_is_respected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
