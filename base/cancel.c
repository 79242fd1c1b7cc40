/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/tempfile.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Process-wide by nature, as signals are. Lock-free, so that a handler may touch them. */
static atomic_int event_fd = -1;
static atomic_int received; /* the first signal */
static atomic_bool requested;

void cancel_trigger(int signal_number)
{
    int none = 0;
    atomic_compare_exchange_strong(&received, &none, signal_number);
    atomic_store(&requested, true);
    int fd = atomic_load(&event_fd);
    uint64_t one = 1;
    /* an eventfd accepts this until 2^64-1, and then it is readable anyhow */
    if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
        return;
}

static void on_signal(int signal_number)
{
    int saved = errno;
    if (signal_number == SIGINT && atomic_load(&requested)) {
        tempfile_remove_all();
        _exit(128 + signal_number);
    }
    cancel_trigger(signal_number);
    errno = saved;
}

static int handle(int signal_number, struct error **err)
{
    struct sigaction action, old;
    if (sigaction(signal_number, NULL, &old) < 0)
        return error_errno(err, "asking for the handler of signal %d", signal_number);
    /* nohup and shells without job control start us with these ignored: that is meant */
    if (old.sa_handler == SIG_IGN && signal_number != SIGTERM)
        return 0;
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    if (sigaction(signal_number, &action, NULL) < 0)
        return error_errno(err, "handling signal %d", signal_number);
    return 0;
}

int cancel_init(struct error **err)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    if (atomic_load(&event_fd) < 0) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (fd < 0)
            return error_errno(err, "making an eventfd");
        atomic_store(&event_fd, fd);
    }
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        if (handle(signals[i], err) < 0)
            return -1;
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return error_errno(err, "ignoring SIGPIPE");
    return 0;
}

int cancel_fd(void)
{
    return atomic_load(&event_fd);
}

bool cancel_requested(void)
{
    return atomic_load(&requested);
}

int cancel_signal(void)
{
    return atomic_load(&received);
}

int cancel_check(struct error **err)
{
    return cancel_requested() ? error_set(err, ERR_CANCELLED, "interrupted") : 0;
}

/* What is left of timeout_ms (-1: for ever) since `start`. */
static int time_left(int timeout_ms, uint64_t start)
{
    if (timeout_ms < 0)
        return -1;
    uint64_t passed = clock_monotonic_ms() - start;
    return passed >= (uint64_t)timeout_ms ? 0 : timeout_ms - (int)passed;
}

int cancel_poll(struct pollfd *fds, nfds_t n, int timeout_ms, struct error **err)
{
    struct pollfd few[8];
    AUTO(free) struct pollfd *many = NULL;
    struct pollfd *all = few;
    if (n + 1 > ARRAY_SIZE(few))
        all = many = xreallocarray(NULL, n + 1, sizeof(*all));
    if (n)
        memcpy(all, fds, n * sizeof(*all));
    all[n] = (struct pollfd){ .fd = cancel_fd(), .events = POLLIN };

    uint64_t start = clock_monotonic_ms();
    int ready;
    do {
        if (cancel_check(err) < 0)
            return -1;
        ready = poll(all, n + 1, time_left(timeout_ms, start));
    } while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return error_errno(err, "waiting");
    if (cancel_check(err) < 0)
        return -1;
    if (n)
        memcpy(fds, all, n * sizeof(*all));
    return ready - (all[n].revents != 0);
}

int cancel_sleep_ms(int ms, struct error **err)
{
    return cancel_poll(NULL, 0, ms, err) < 0 ? -1 : 0;
}
