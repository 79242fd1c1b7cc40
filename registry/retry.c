/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/retry.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/force.h"

#include <stdlib.h>
#include <sys/random.h>

void retry_init(struct retry *retry, int abort_fd)
{
    /* tests of faults can't wait for seconds */
    unsigned base_ms = force_has("fast-retry") ? 5 : 1000;
    *retry = (struct retry){ .started_ms = clock_monotonic_ms(),
                             .base_ms = base_ms,
                             .abort_fd = abort_fd };
}

void retry_progress(struct retry *retry)
{
    retry->n_attempts = 0;
    retry->started_ms = clock_monotonic_ms();
}

bool retry_status_is_transient(int status)
{
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

uint64_t retry_after_seconds(const char *value, int64_t now)
{
    if (!value || !*value)
        return 0;
    uint64_t seconds = 0;
    const char *p = value;
    for (; *p >= '0' && *p <= '9'; p++)
        if (seconds < UINT32_MAX)
            seconds = seconds * 10 + (uint64_t)(*p - '0');
    if (!*p)
        return seconds;
    int64_t at;
    AUTO(error_free) struct error *ignored = NULL; /* malformed counts as absent */
    if (clock_parse_http(value, &at, &ignored) < 0 || at <= now)
        return 0;
    return (uint64_t)(at - now);
}

enum retry_verdict retry_decide(const struct retry *retry, uint64_t after_seconds, uint64_t now_ms,
                                uint32_t random, uint64_t *wait_ms)
{
    unsigned n_failed = retry->n_attempts + 1;
    uint64_t left = RETRY_MAX_WAIT_MS - retry->waited_ms;
    if (after_seconds > RETRY_MAX_WAIT_MS / 1000)
        return RETRY_TOO_LONG;
    if (n_failed >= RETRY_MAX_ATTEMPTS || now_ms - retry->started_ms >= RETRY_MAX_TIME_MS)
        return RETRY_GIVE_UP;
    uint64_t wait = (uint64_t)retry->base_ms << (n_failed - 1);
    /* three quarters to five quarters: clients that failed together don't return together */
    wait = wait - wait / 4 + random % (wait / 2 + 1);
    if (after_seconds * 1000 > wait)
        wait = after_seconds * 1000;
    if (wait > left)
        return RETRY_GIVE_UP;
    *wait_ms = wait;
    return RETRY_AGAIN;
}

static int wait_ms_or_abort(int abort_fd, int ms, struct error **err)
{
    struct pollfd aborted = { .fd = abort_fd, .events = POLLIN };
    int ready = cancel_poll(&aborted, 1, ms, err);
    return ready > 0 ? error_set(err, ERR_CANCELLED, "given up") : ready;
}

int retry_wait(struct retry *retry, const char *retry_after, struct error **err)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = (uint32_t)clock_monotonic_ms();
    uint64_t seconds = retry_after_seconds(retry_after, clock_now());
    uint64_t wait = 0;
    switch (retry_decide(retry, seconds, clock_monotonic_ms(), random, &wait)) {
    case RETRY_TOO_LONG:
        return error_wrap(err, "asked to try again in %llu seconds, longer than cbuild waits",
                          (unsigned long long)seconds);
    case RETRY_GIVE_UP:
        return retry->n_attempts ? error_wrap(err, "%u attempts, the last", retry->n_attempts + 1)
                                 : -1;
    case RETRY_AGAIN:
        break;
    }
    retry->n_attempts++;
    retry->waited_ms += wait;
    error_clear(err);
    return wait_ms_or_abort(retry->abort_fd, (int)wait, err);
}
