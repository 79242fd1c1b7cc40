/* SPDX-License-Identifier: Apache-2.0 */
/* Time as seconds since 1970 UTC and as RFC 3339 text; no locale, no time zone. */
#ifndef CBUILD_BASE_CLOCK_H
#define CBUILD_BASE_CLOCK_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TEXT_SIZE 40

int64_t clock_now(void);           /* CLOCK_REALTIME, seconds */
int64_t clock_now_ns(void);        /* CLOCK_REALTIME */
uint64_t clock_monotonic_ms(void); /* for durations */

/* "2024-01-02T03:04:05Z" */
void clock_format(int64_t seconds, char out[CLOCK_TEXT_SIZE]);
/* With the nanoseconds, trailing zeros trimmed, as Go writes them. */
void clock_format_ns(int64_t seconds, uint32_t nanoseconds, char out[CLOCK_TEXT_SIZE]);
/* RFC 3339 with optional fraction and any offset. */
int clock_parse(const char *text, int64_t *seconds, uint32_t *nanoseconds,
                struct error **err) WARN_UNUSED;
/* RFC 9110 HTTP-date (IMF-fixdate and the two obsolete forms). */
int clock_parse_http(const char *text, int64_t *seconds, struct error **err) WARN_UNUSED;
/* A non-negative decimal number of seconds, as SOURCE_DATE_EPOCH has it. */
int clock_parse_epoch(const char *text, int64_t *seconds, struct error **err) WARN_UNUSED;

#endif
