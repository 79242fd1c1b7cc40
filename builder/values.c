/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/values.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/suggest.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at *text as a number; false for none or overflow. */
static bool read_number(const char **text, uint64_t *ret)
{
    uint64_t value = 0;
    const char *at = *text;
    for (; is_digit(*at); at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return false;
    }
    bool found = at != *text;
    *text = at;
    *ret = value;
    return found;
}

/* "0.25" behind the point: digits as a fraction of `unit`. */
static uint64_t read_fraction(const char **text, uint64_t unit)
{
    uint64_t value = 0, scale = 1;
    for (; is_digit(**text); (*text)++) {
        if (scale > 100000000000000) /* finer than a nanosecond of an hour */
            continue;
        value = value * 10 + (uint64_t)(**text - '0');
        scale *= 10;
    }
    return (uint64_t)((__uint128_t)value * unit / scale);
}

static const struct duration_unit {
    const char *name;
    uint64_t nanoseconds;
} duration_units[] = {
    /* longer names first where one begins another */
    { "ns", 1 },       { "us", 1000 },      { "\u00b5s", 1000 },  { "\u03bcs", 1000 },
    { "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 },
};

static const struct duration_unit *read_unit(const char **text)
{
    for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++) {
        size_t size = strlen(duration_units[i].name);
        if (strncmp(*text, duration_units[i].name, size) == 0) {
            *text += size;
            return &duration_units[i];
        }
    }
    return NULL;
}

static int bad_duration(const char *text, struct error **err)
{
    (void)error_set(err, ERR_SYNTAX, "\"%s\" is no duration", text);
    error_hint(err, "a duration has units: 30s, 1m30s, 500ms");
    return -1;
}

int duration_parse(const char *text, int64_t *ret, struct error **err)
{
    const char *at = text;
    bool negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    uint64_t total = 0;
    if (strcmp(at, "0") == 0) {
        *ret = 0;
        return 0;
    }
    if (!*at)
        return bad_duration(text, err);
    while (*at) {
        uint64_t whole = 0, part;
        bool has_whole = is_digit(*at);
        if (has_whole && !read_number(&at, &whole))
            return bad_duration(text, err);
        const char *point = at;
        if (*at == '.') {
            for (at++; is_digit(*at);)
                at++;
        }
        if (!has_whole && at - point < 2)
            return bad_duration(text, err);
        const struct duration_unit *unit = read_unit(&at);
        if (!unit)
            return bad_duration(text, err);
        const char *fraction = *point == '.' ? point + 1 : "";
        if (__builtin_mul_overflow(whole, unit->nanoseconds, &part) ||
            __builtin_add_overflow(total, part, &total) ||
            __builtin_add_overflow(total, read_fraction(&fraction, unit->nanoseconds), &total) ||
            total > INT64_MAX)
            return bad_duration(text, err);
    }
    *ret = negative ? -(int64_t)total : (int64_t)total;
    return 0;
}

/* value / unit with the decimals that are needed: 1.5 */
static void add_decimal(struct strbuf *buf, uint64_t value, uint64_t unit)
{
    strbuf_addf(buf, "%llu", (unsigned long long)(value / unit));
    uint64_t rest = value % unit;
    if (!rest)
        return;
    strbuf_addc(buf, '.');
    for (; rest; rest %= unit) {
        rest *= 10;
        strbuf_addc(buf, (char)('0' + rest / unit));
    }
}

char *duration_format(int64_t nanoseconds)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    uint64_t value = nanoseconds < 0 ? -(uint64_t)nanoseconds : (uint64_t)nanoseconds;
    if (nanoseconds < 0)
        strbuf_addc(&buf, '-');
    if (value && value < 1000) {
        strbuf_addf(&buf, "%lluns", (unsigned long long)value);
    } else if (value && value < 1000000) {
        add_decimal(&buf, value, 1000);
        strbuf_adds(&buf, "\u00b5s");
    } else if (value && value < 1000000000) {
        add_decimal(&buf, value, 1000000);
        strbuf_adds(&buf, "ms");
    } else {
        uint64_t minutes = value / 60000000000;
        if (minutes >= 60)
            strbuf_addf(&buf, "%lluh", (unsigned long long)(minutes / 60));
        if (minutes)
            strbuf_addf(&buf, "%llum", (unsigned long long)(minutes % 60));
        add_decimal(&buf, value % 60000000000, 1000000000);
        strbuf_addc(&buf, 's');
    }
    return strbuf_detach(&buf);
}

/* Linux on all of our platforms; images don't run elsewhere, so no <signal.h>. */
static const struct {
    const char *name;
    int number;
} signals[] = {
    { "HUP", 1 },    { "INT", 2 },     { "QUIT", 3 },    { "ILL", 4 },   { "TRAP", 5 },
    { "ABRT", 6 },   { "IOT", 6 },     { "BUS", 7 },     { "FPE", 8 },   { "KILL", 9 },
    { "USR1", 10 },  { "SEGV", 11 },   { "USR2", 12 },   { "PIPE", 13 }, { "ALRM", 14 },
    { "TERM", 15 },  { "STKFLT", 16 }, { "CHLD", 17 },   { "CLD", 17 },  { "CONT", 18 },
    { "STOP", 19 },  { "TSTP", 20 },   { "TTIN", 21 },   { "TTOU", 22 }, { "URG", 23 },
    { "XCPU", 24 },  { "XFSZ", 25 },   { "VTALRM", 26 }, { "PROF", 27 }, { "WINCH", 28 },
    { "IO", 29 },    { "POLL", 29 },   { "PWR", 30 },    { "SYS", 31 },  { "RTMIN", 34 },
    { "RTMAX", 64 },
};

#define SIGNAL_RTMIN 34
#define SIGNAL_RTMAX 64

/* "RTMIN+3", "RTMAX-2": 0 for none of them. */
static int realtime_signal(const char *name)
{
    bool from_min = strncasecmp(name, "RTMIN+", 6) == 0;
    if (!from_min && strncasecmp(name, "RTMAX-", 6) != 0)
        return 0;
    const char *at = name + 6;
    uint64_t offset;
    if (!read_number(&at, &offset) || *at || offset > SIGNAL_RTMAX - SIGNAL_RTMIN)
        return 0;
    return from_min ? SIGNAL_RTMIN + (int)offset : SIGNAL_RTMAX - (int)offset;
}

static int refuse_signal(const char *text, struct error **err)
{
    bool has_sig = strncasecmp(text, "SIG", 3) == 0;
    const char *names[ARRAY_SIZE(signals)];
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        names[i] = signals[i].name;
    const char *near = suggest_nearest(has_sig ? text + 3 : text, names, ARRAY_SIZE(names));
    error_set_(err, ERR_SYNTAX, "\"%s\" is no signal", text);
    if (near)
        error_hint(err, "did you mean %s%s?", has_sig ? "SIG" : "", near);
    return -1;
}

int stop_signal_parse(const char *text, int *number, struct error **err)
{
    const char *at = text;
    uint64_t value;
    if (read_number(&at, &value) && !*at && value >= 1 && value <= SIGNAL_RTMAX) {
        *number = (int)value;
        return 0;
    }
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    int found = realtime_signal(name);
    for (size_t i = 0; !found && i < ARRAY_SIZE(signals); i++) {
        if (strcasecmp(name, signals[i].name) == 0)
            found = signals[i].number;
    }
    if (!found)
        return refuse_signal(text, err);
    *number = found;
    return 0;
}

static bool read_port(const char **text, uint64_t *port)
{
    return read_number(text, port) && *port <= 65535;
}

static const char *const protocols[] = { "tcp", "udp", "sctp" };

static int bad_port(const char *word, struct error **err)
{
    const char *slash = strchr(word, '/');
    const char *near = slash ? suggest_nearest(slash + 1, protocols, ARRAY_SIZE(protocols)) : NULL;
    (void)error_set(err, ERR_SYNTAX, "\"%s\" is no port", word);
    if (near && strcasecmp(near, slash + 1) != 0)
        error_hint(err, "did you mean %.*s/%s?", (int)(slash - word), word, near);
    error_hint(err, "a port is NUMBER[-NUMBER][/tcp|udp|sctp]");
    return -1;
}

int expose_parse(const char *word, struct strvec *ports, struct error **err)
{
    const char *slash = strchr(word, '/');
    const char *protocol = slash ? NULL : "tcp";
    for (size_t i = 0; slash && i < ARRAY_SIZE(protocols); i++) {
        if (strcasecmp(slash + 1, protocols[i]) == 0)
            protocol = protocols[i];
    }
    AUTO(free) char *numbers = slash ? xstrndup(word, (size_t)(slash - word)) : xstrdup(word);
    const char *colon = strrchr(numbers, ':');
    const char *at = colon ? colon + 1 : numbers;
    uint64_t first, last;
    if (!protocol || !read_port(&at, &first))
        return bad_port(word, err);
    last = first;
    if (*at == '-') {
        at++;
        if (!read_port(&at, &last))
            return bad_port(word, err);
    }
    if (*at || last < first)
        return bad_port(word, err);
    for (uint64_t port = first; port <= last; port++)
        strvec_pushf(ports, "%u/%s", (unsigned)port, protocol);
    return 0;
}

int size_parse(const char *text, uint64_t *ret, struct error **err)
{
    static const char units[] = "kmgtp";
    const char *at = text;
    uint64_t whole, size, scale = 1;
    bool good = read_number(&at, &whole);
    const char *fraction = "";
    if (good && *at == '.') {
        fraction = ++at;
        while (is_digit(*at))
            at++;
    }
    while (*at == ' ')
        at++;
    char letter = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
    const char *unit = letter ? strchr(units, letter) : NULL;
    if (unit) {
        scale = 1ULL << (10 * (unsigned)(unit - units + 1));
        at++;
        if (strcasecmp(at, "b") == 0 || strcasecmp(at, "ib") == 0)
            at += strlen(at);
    } else if (strcasecmp(at, "b") == 0) {
        at++;
    }
    good = good && !*at && !__builtin_mul_overflow(whole, scale, &size) &&
           !__builtin_add_overflow(size, read_fraction(&fraction, scale), &size) &&
           size <= INT64_MAX;
    if (!good)
        return error_set(err, ERR_SYNTAX, "\"%s\" is no size: 64m, 1GiB or a number of bytes",
                         text);
    *ret = size;
    return 0;
}

int bool_parse(const char *text, bool *ret, struct error **err)
{
    static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
    static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *ret = strcmp(text, yes[i]) == 0;
            return 0;
        }
    }
    return error_set(err, ERR_SYNTAX, "\"%s\" is neither true nor false", text);
}
