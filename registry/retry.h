/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to try again, and after which wait: RELIABILITY 3. Five attempts without
 * progress, 1 s doubling, with jitter, at most 60 s of waiting in all and
 * nothing new after two minutes; a server's Retry-After goes first.
 */
#ifndef CBUILD_REGISTRY_RETRY_H
#define CBUILD_REGISTRY_RETRY_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define RETRY_MAX_WAIT_MS 60000
#define RETRY_MAX_ATTEMPTS 5
#define RETRY_MAX_TIME_MS 120000
/* Less is no progress: a server that sends a byte and hangs up would be asked for ever. */
#define RETRY_PROGRESS_SIZE (64u << 10)

struct retry {
    unsigned n_attempts; /* failed ones since the last progress */
    uint64_t waited_ms;  /* in all */
    uint64_t started_ms; /* CLOCK_MONOTONIC of the first attempt, or of the last progress */
    unsigned base_ms;    /* the first wait */
    int abort_fd;        /* of the session: ends a wait; -1: none */
};

enum retry_verdict { RETRY_AGAIN, RETRY_GIVE_UP, RETRY_TOO_LONG };

void retry_init(struct retry *retry, int abort_fd);
/* RETRY_PROGRESS_SIZE bytes came: attempts and time count anew, the wait in all goes on. */
void retry_progress(struct retry *retry);

/* A status that may be another one a moment later. */
bool retry_status_is_transient(int status);
/* Seconds that Retry-After (a number or an HTTP-date) asks for; 0: absent or malformed. Pure. */
uint64_t retry_after_seconds(const char *value, int64_t now);
/*
 * Pure: the wait before the next attempt. `random` is any number. RETRY_TOO_LONG: the server asks
 * for more than we are willing to wait.
 */
enum retry_verdict retry_decide(const struct retry *retry, uint64_t after_seconds, uint64_t now_ms,
                                uint32_t random, uint64_t *wait_ms);

/*
 * An attempt failed with *err (a transient failure). Waits and returns 0 with *err cleared: try
 * again. Or -1: *err stands, with the count of attempts or what the server asked for in front; or
 * ERR_CANCELLED. `retry_after`: the header, or NULL.
 */
int retry_wait(struct retry *retry, const char *retry_after, struct error **err) WARN_UNUSED;

#endif
