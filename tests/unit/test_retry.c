/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/retry.h"
#include "tests/unit/test.h"

#include <sys/eventfd.h>

static void transient_statuses_are_tried_again(void **state UNUSED)
{
    static const int again[] = { 408, 429, 500, 502, 503, 504 };
    static const int final[] = { 200, 301, 400, 401, 403, 404, 405, 413, 416, 501, 505 };
    for (size_t i = 0; i < ARRAY_SIZE(again); i++)
        assert_true(retry_status_is_transient(again[i]));
    for (size_t i = 0; i < ARRAY_SIZE(final); i++)
        assert_false(retry_status_is_transient(final[i]));
}

static void retry_after_has_two_forms(void **state UNUSED)
{
    static const struct {
        const char *value;
        uint64_t seconds;
    } cases[] = {
        { "5", 5 },
        { "0", 0 },
        { "86400", 86400 },
        { "99999999999999999999", UINT32_MAX },
        { "Sun, 06 Nov 1994 08:49:47 GMT", 10 },
        { "Sun, 06 Nov 1994 08:49:27 GMT", 0 },
        { "soon", 0 },
        { "-5", 0 },
        { "", 0 },
        { NULL, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t seconds = retry_after_seconds(cases[i].value, 784111777);
        if (cases[i].seconds == UINT32_MAX ? seconds < UINT32_MAX : seconds != cases[i].seconds)
            fail_msg("%s: %llu", cases[i].value, (unsigned long long)seconds);
    }
}

static void waits_double_with_jitter_and_end(void **state UNUSED)
{
    static const struct {
        unsigned n_attempts;
        uint64_t waited_ms, after, now_ms;
        enum retry_verdict verdict;
        uint64_t least, most;
    } cases[] = {
        { 0, 0, 0, 0, RETRY_AGAIN, 750, 1250 },
        { 1, 1000, 0, 0, RETRY_AGAIN, 1500, 2500 },
        { 2, 3000, 0, 0, RETRY_AGAIN, 3000, 5000 },
        { 3, 7000, 0, 0, RETRY_AGAIN, 6000, 10000 },
        { 4, 15000, 0, 0, RETRY_GIVE_UP, 0, 0 },
        { 0, 0, 30, 0, RETRY_AGAIN, 30000, 30000 },
        { 0, 0, 60, 0, RETRY_AGAIN, 60000, 60000 },
        { 0, 0, 61, 0, RETRY_TOO_LONG, 0, 0 },
        { 1, 59500, 0, 0, RETRY_GIVE_UP, 0, 0 },
        { 1, 40000, 30, 0, RETRY_GIVE_UP, 0, 0 },
        { 1, 1000, 0, RETRY_MAX_TIME_MS, RETRY_GIVE_UP, 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (uint32_t random = 0; random < 10000; random += 499) {
            struct retry retry = { cases[i].n_attempts, cases[i].waited_ms, 0, 1000 };
            uint64_t wait = 0;
            enum retry_verdict verdict =
                retry_decide(&retry, cases[i].after, cases[i].now_ms, random, &wait);
            if (verdict != cases[i].verdict || wait < cases[i].least || wait > cases[i].most)
                fail_msg("case %zu: verdict %d, wait %llu", i, (int)verdict,
                         (unsigned long long)wait);
        }
    }
}

static void waiting_gives_up_with_the_error_and_the_count(void **state UNUSED)
{
    struct retry retry;
    retry_init(&retry, -1);
    retry.base_ms = 1;
    struct error *err = NULL;
    int n = 0, result;
    do {
        (void)error_set(&err, ERR_NETWORK, "503");
        result = retry_wait(&retry, NULL, &err);
        n++;
    } while (result == 0);
    assert_int_equal(n, RETRY_MAX_ATTEMPTS);
    assert_fails(-1, err, ERR_NETWORK, "5 attempts, the last: 503");

    (void)error_set(&err, ERR_NETWORK, "429");
    retry_init(&retry, -1);
    assert_fails(retry_wait(&retry, "86400", &err), err, ERR_NETWORK,
                 "86400 seconds, longer than cbuild waits: 429");
}

static void aborting_ends_a_wait(void **state UNUSED)
{
    struct retry retry;
    struct error *err = NULL;
    AUTO(close) int fd = eventfd(1, EFD_CLOEXEC);
    retry_init(&retry, fd);
    retry.base_ms = 30000;
    (void)error_set(&err, ERR_NETWORK, "503");
    assert_fails(retry_wait(&retry, NULL, &err), err, ERR_CANCELLED, "given up");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transient_statuses_are_tried_again),
        cmocka_unit_test(retry_after_has_two_forms),
        cmocka_unit_test(waits_double_with_jitter_and_end),
        cmocka_unit_test(waiting_gives_up_with_the_error_and_the_count),
        cmocka_unit_test(aborting_ends_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
