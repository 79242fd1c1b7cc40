/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/limit_values.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "builder/values.h"
#include "runner/rlimits.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

void limit_texts_release(struct limit_texts *texts)
{
    strvec_release(&texts->ulimits);
}

void limits_release(struct sandbox_limits *limits)
{
    free(limits->ulimits);
    *limits = (struct sandbox_limits){ .ulimits = NULL };
}

/* Digits, all of the text. */
static bool read_number(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno)
        return false;
    *ret = number;
    return true;
}

/* -- --ulimit -- */

static bool read_ulimit(const char *text, uint64_t *ret)
{
    if (strcmp(text, "-1") != 0 && strcmp(text, "unlimited") != 0)
        return read_number(text, ret);
    *ret = RLIM_INFINITY;
    return true;
}

static int unknown_ulimit(const char *text, const char *name, struct error **err)
{
    size_t n;
    const char *const *names = rlimit_names(&n);
    const char *near = suggest_nearest(name, names, n);
    error_set_(err, ERR_USAGE, "--ulimit %s: no limit is called \"%s\"", text, name);
    if (near) {
        error_hint(err, "did you mean %s?", near);
        return -1;
    }
    AUTO(strbuf_release) struct strbuf all = STRBUF_INIT;
    for (size_t i = 0; i < n; i++)
        strbuf_addf(&all, "%s%s", i ? " " : "", names[i]);
    error_hint(err, "there are %s", all.data);
    return -1;
}

/* The last of a name counts. */
static struct sandbox_ulimit *place_of(struct sandbox_limits *limits, int resource)
{
    for (size_t i = 0; i < limits->n_ulimits; i++)
        if (limits->ulimits[i].resource == resource)
            return &limits->ulimits[i];
    return ARRAY_PUSH(limits, ulimits);
}

static int parse_ulimit(const char *text, struct sandbox_limits *limits, struct error **err)
{
    size_t size = strcspn(text, "=");
    AUTO(free) char *name = xstrndup(text, size);
    AUTO(free) char *soft = xstrdup(text[size] ? text + size + 1 : "");
    struct sandbox_ulimit ulimit = { .resource = rlimit_find(name) };
    if (ulimit.resource < 0)
        return unknown_ulimit(text, name, err);
    char *colon = strchr(soft, ':');
    if (colon)
        *colon++ = '\0';
    if (!read_ulimit(soft, &ulimit.soft) || !read_ulimit(colon ? colon : soft, &ulimit.hard))
        return error_set(err, ERR_USAGE,
                         "--ulimit %s: expected NAME=SOFT[:HARD], numbers or -1 for no limit",
                         text);
    if (ulimit.soft > ulimit.hard)
        return error_set(err, ERR_USAGE, "--ulimit %s: the soft limit is above the hard one", text);
    *place_of(limits, ulimit.resource) = ulimit;
    return 0;
}

/* -- others -- */

static int parse_size(const char *option, const char *text, uint64_t *ret, struct error **err)
{
    if (!text || size_parse(text, ret, err) == 0)
        return 0;
    error_recode(err, ERR_USAGE);
    return error_wrap(err, "--%s", option);
}

static int parse_mode(const char *mode, bool *best_effort, struct error **err)
{
    *best_effort = mode && !strcmp(mode, "best-effort");
    if (mode && !*best_effort && strcmp(mode, "strict") != 0)
        return error_set(err, ERR_USAGE, "--limits=%s: strict and best-effort are what there is",
                         mode);
    return 0;
}

int limits_parse(const struct limit_texts *texts, struct sandbox_limits *ret, struct error **err)
{
    for (size_t i = 0; i < texts->ulimits.n; i++)
        if (parse_ulimit(texts->ulimits.items[i], ret, err) < 0)
            return -1;
    if (parse_size("shm-size", texts->shm_size, &ret->shm_size, err) < 0)
        return -1;
    return parse_mode(texts->mode, &ret->best_effort, err);
}
