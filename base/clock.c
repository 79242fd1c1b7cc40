/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_SECONDS 86400
#define EPOCH_MAX 253402300799LL   /* 9999-12-31T23:59:59Z: what RFC 3339 can write */
#define EPOCH_MIN (-62167219200LL) /* 0000-01-01T00:00:00Z */

struct civil {
    int64_t year;
    int month, day, hour, minute, second;
};

static int64_t clock_read_ns(clockid_t id)
{
    struct timespec now;
    if (clock_gettime(id, &now) < 0)
        abort(); /* only for a clock that doesn't exist */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_now(void)
{
    return clock_read_ns(CLOCK_REALTIME) / 1000000000;
}

int64_t clock_now_ns(void)
{
    return clock_read_ns(CLOCK_REALTIME);
}

uint64_t clock_monotonic_ms(void)
{
    return (uint64_t)clock_read_ns(CLOCK_MONOTONIC) / 1000000;
}

/*
 * Proleptic Gregorian calendar in eras of 400 years that start in March (after
 * Howard Hinnant's "chrono-compatible low-level date algorithms"). Not timegm()
 * and gmtime_r(): those read the machine's time zone files.
 */
static int64_t days_of_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_of_seconds(int64_t seconds)
{
    int64_t days = seconds / DAY_SECONDS, rest = seconds % DAY_SECONDS;
    if (rest < 0) {
        rest += DAY_SECONDS;
        days--;
    }
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    struct civil civil = {
        .day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1),
        .month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9),
        .hour = (int)(rest / 3600),
        .minute = (int)(rest / 60 % 60),
        .second = (int)(rest % 60),
    };
    civil.year = year_of_era + era * 400 + (civil.month <= 2);
    return civil;
}

static int days_in_month(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

/* A second of 60 is a leap second: the first of the next minute. */
static bool civil_is_valid(const struct civil *c)
{
    return c->month >= 1 && c->month <= 12 && c->day >= 1 &&
           c->day <= days_in_month(c->year, c->month) && c->hour >= 0 && c->hour <= 23 &&
           c->minute >= 0 && c->minute <= 59 && c->second >= 0 && c->second <= 60;
}

static int64_t seconds_of_civil(const struct civil *c)
{
    int64_t hours = days_of_civil(c->year, c->month, c->day) * 24 + c->hour;
    return (hours * 60 + c->minute) * 60 + c->second;
}

static int64_t clamp(int64_t seconds)
{
    if (seconds < EPOCH_MIN)
        return EPOCH_MIN;
    return seconds > EPOCH_MAX ? EPOCH_MAX : seconds;
}

void clock_format_ns(int64_t seconds, uint32_t nanoseconds, char out[CLOCK_TEXT_SIZE])
{
    struct civil c = civil_of_seconds(clamp(seconds));
    char fraction[16] = "";
    if (nanoseconds) {
        int n = snprintf(fraction, sizeof(fraction), ".%09u", (unsigned)(nanoseconds % 1000000000));
        while (n > 0 && (fraction[n - 1] == '0' || fraction[n - 1] == '.'))
            fraction[--n] = '\0';
    }
    /* the remainders change nothing: they tell the compiler that it fits */
    (void)snprintf(out, CLOCK_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u%sZ",
                   (unsigned)c.year % 10000, (unsigned)c.month % 100, (unsigned)c.day % 100,
                   (unsigned)c.hour % 100, (unsigned)c.minute % 100, (unsigned)c.second % 100,
                   fraction);
}

void clock_format(int64_t seconds, char out[CLOCK_TEXT_SIZE])
{
    clock_format_ns(seconds, 0, out);
}

/* A cursor over text; `bad` stays set once something did not fit. */
struct scan {
    const char *p;
    bool bad;
};

static int scan_digits(struct scan *scan, int n)
{
    int value = 0;
    for (int i = 0; i < n && !scan->bad; i++) {
        if (*scan->p < '0' || *scan->p > '9') {
            scan->bad = true;
            return 0;
        }
        value = value * 10 + (*scan->p++ - '0');
    }
    return value;
}

static void scan_text(struct scan *scan, const char *text)
{
    size_t size = strlen(text);
    if (scan->bad || strncmp(scan->p, text, size) != 0)
        scan->bad = true;
    else
        scan->p += size;
}

/* Which of the n names (of 3 letters, or more with `whole`) comes next: 1..n. */
static int scan_name(struct scan *scan, const char *const *names, int n, bool whole)
{
    for (int i = 0; i < n && !scan->bad; i++) {
        size_t size = whole ? strlen(names[i]) : 3;
        if (!strncmp(scan->p, names[i], size)) {
            scan->p += size;
            return i + 1;
        }
    }
    scan->bad = true;
    return 0;
}

static uint32_t scan_fraction(struct scan *scan)
{
    if (scan->bad || *scan->p != '.')
        return 0;
    scan->p++;
    uint32_t value = 0;
    int n = 0;
    for (; *scan->p >= '0' && *scan->p <= '9'; scan->p++, n++)
        if (n < 9)
            value = value * 10 + (uint32_t)(*scan->p - '0');
    if (!n)
        scan->bad = true;
    for (; n < 9; n++)
        value *= 10;
    return value;
}

/* "Z" or "+hh:mm", in seconds east. */
static int scan_offset(struct scan *scan)
{
    if (scan->bad)
        return 0;
    char sign = *scan->p++;
    if (sign == 'Z' || sign == 'z')
        return 0;
    if (sign != '+' && sign != '-') {
        scan->bad = true;
        return 0;
    }
    int hours = scan_digits(scan, 2);
    scan_text(scan, ":");
    int minutes = scan_digits(scan, 2);
    if (hours > 23 || minutes > 59)
        scan->bad = true;
    int offset = hours * 3600 + minutes * 60;
    return sign == '-' ? -offset : offset;
}

static void scan_clock_time(struct scan *scan, struct civil *c)
{
    c->hour = scan_digits(scan, 2);
    scan_text(scan, ":");
    c->minute = scan_digits(scan, 2);
    scan_text(scan, ":");
    c->second = scan_digits(scan, 2);
}

int clock_parse(const char *text, int64_t *seconds, uint32_t *nanoseconds, struct error **err)
{
    struct scan scan = { text, false };
    struct civil c;
    c.year = scan_digits(&scan, 4);
    scan_text(&scan, "-");
    c.month = scan_digits(&scan, 2);
    scan_text(&scan, "-");
    c.day = scan_digits(&scan, 2);
    if (!scan.bad && *scan.p == 't')
        scan.p++;
    else
        scan_text(&scan, "T");
    scan_clock_time(&scan, &c);
    uint32_t fraction = scan_fraction(&scan);
    int offset = scan_offset(&scan);
    if (scan.bad || *scan.p || !civil_is_valid(&c))
        return error_set(err, ERR_INVALID, "time \"%.40s\": expected RFC 3339, as in %s", text,
                         "2024-01-02T03:04:05Z");
    *seconds = seconds_of_civil(&c) - offset;
    if (nanoseconds)
        *nanoseconds = fraction;
    return 0;
}

static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char *const weekdays[] = { "Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday" };

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool parse_imf_fixdate(const char *text, struct civil *c)
{
    struct scan scan = { text, false };
    (void)scan_name(&scan, weekdays, 7, false); /* which day it was says nothing new */
    scan_text(&scan, ", ");
    c->day = scan_digits(&scan, 2);
    scan_text(&scan, " ");
    c->month = scan_name(&scan, months, 12, true);
    scan_text(&scan, " ");
    c->year = scan_digits(&scan, 4);
    scan_text(&scan, " ");
    scan_clock_time(&scan, c);
    scan_text(&scan, " GMT");
    return !scan.bad && !*scan.p;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool parse_rfc850(const char *text, struct civil *c)
{
    struct scan scan = { text, false };
    (void)scan_name(&scan, weekdays, 7, true);
    scan_text(&scan, ", ");
    c->day = scan_digits(&scan, 2);
    scan_text(&scan, "-");
    c->month = scan_name(&scan, months, 12, true);
    scan_text(&scan, "-");
    int year = scan_digits(&scan, 2);
    c->year = year < 70 ? 2000 + year : 1900 + year;
    scan_text(&scan, " ");
    scan_clock_time(&scan, c);
    scan_text(&scan, " GMT");
    return !scan.bad && !*scan.p;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool parse_asctime(const char *text, struct civil *c)
{
    struct scan scan = { text, false };
    (void)scan_name(&scan, weekdays, 7, false);
    scan_text(&scan, " ");
    c->month = scan_name(&scan, months, 12, true);
    scan_text(&scan, " ");
    bool one_digit = !scan.bad && *scan.p == ' ';
    scan.p += one_digit;
    c->day = scan_digits(&scan, one_digit ? 1 : 2);
    scan_text(&scan, " ");
    scan_clock_time(&scan, c);
    scan_text(&scan, " ");
    c->year = scan_digits(&scan, 4);
    return !scan.bad && !*scan.p;
}

int clock_parse_http(const char *text, int64_t *seconds, struct error **err)
{
    struct civil c;
    if (!(parse_imf_fixdate(text, &c) || parse_rfc850(text, &c) || parse_asctime(text, &c)) ||
        !civil_is_valid(&c))
        return error_set(err, ERR_INVALID, "time \"%.40s\": not an HTTP date", text);
    *seconds = seconds_of_civil(&c);
    return 0;
}

int clock_parse_epoch(const char *text, int64_t *seconds, struct error **err)
{
    int64_t value = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9')
            return error_set(err, ERR_INVALID, "\"%.40s\": expected seconds since 1970", text);
        value = value * 10 + (*p - '0');
        if (value > EPOCH_MAX)
            return error_set(err, ERR_INVALID, "\"%.40s\": beyond the year 9999", text);
    }
    if (!*text)
        return error_set(err, ERR_INVALID, "\"\": expected seconds since 1970");
    *seconds = value;
    return 0;
}
