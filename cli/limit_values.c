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
    strvec_release(&texts->resources);
    strvec_release(&texts->resource_values);
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

/* -- --resource -- */

static int unknown_resource(const char *text, const char *name, const char *const *names, size_t n,
                            struct error **err)
{
    const char *near = suggest_nearest(name, names, n);
    error_set_(err, ERR_USAGE, "--resource %s: expected NAME=VALUE,..., and \"%s\" is no name",
               text, name);
    if (near)
        error_hint(err, "did you mean %s?", near);
    else
        error_hint(err, "the names are those of options: memory, memory-swap, cpu-quota, ...");
    return -1;
}

/* Up to the comma that the next NAME= follows: lists of processors have commas, too. */
static size_t value_size(const char *value)
{
    for (size_t size = 0;; size++) {
        size += strcspn(value + size, ",");
        if (!value[size] || value[size + 1 + strcspn(value + size + 1, ",=")] == '=')
            return size;
    }
}

static int parse_resource(const char *text, struct limit_texts *texts, struct error **err)
{
    static const char *const names[] = { "memory",      "memory-swap", "cpus",
                                         "cpu-quota",   "cpu-period",  "cpu-shares",
                                         "cpuset-cpus", "cpuset-mems", "pids-limit" };
    const char **const values[] = { &texts->memory,      &texts->memory_swap, &texts->cpus,
                                    &texts->cpu_quota,   &texts->cpu_period,  &texts->cpu_shares,
                                    &texts->cpuset_cpus, &texts->cpuset_mems, &texts->pids };
    for (const char *p = text; *p;) {
        AUTO(free) char *name = xstrndup(p, strcspn(p, "=,"));
        size_t i = 0;
        while (i < ARRAY_SIZE(names) && strcmp(names[i], name) != 0)
            i++;
        p += strlen(name);
        if (i == ARRAY_SIZE(names) || *p != '=')
            return unknown_resource(text, name, names, ARRAY_SIZE(names), err);
        size_t size = value_size(++p);
        strvec_pushn(&texts->resource_values, p, size);
        *values[i] = texts->resource_values.items[texts->resource_values.n - 1];
        p += size + (p[size] == ',');
    }
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

static int parse_number(const char *option, const char *text, uint64_t min, uint64_t max,
                        uint64_t *ret, struct error **err)
{
    if (!text || !strcmp(text, "0") || (read_number(text, ret) && *ret >= min && *ret <= max))
        return 0;
    return error_set(err, ERR_USAGE, "--%s %s: expected a number from %llu to %llu", option, text,
                     (unsigned long long)min, (unsigned long long)max);
}

/* "-1" is no limit, as not giving it. */
static const char *limited(const char *text)
{
    return text && !strcmp(text, "-1") ? NULL : text;
}

static int parse_memory(const struct limit_texts *texts, struct cgroup_limits *ret,
                        struct error **err)
{
    uint64_t swap = 0;
    const bool any_swap = texts->memory_swap && !strcmp(texts->memory_swap, "-1");
    if (parse_size("memory", limited(texts->memory), &ret->memory, err) < 0 ||
        parse_size("memory-swap", limited(texts->memory_swap), &swap, err) < 0)
        return -1;
    ret->memory_swap = any_swap ? -1 : (int64_t)swap; /* sizes are at most INT64_MAX */
    if (swap && !ret->memory)
        return error_set(err, ERR_USAGE,
                         "--memory-swap %s: it is memory and swap together, and "
                         "needs --memory",
                         texts->memory_swap);
    if (swap && swap < ret->memory)
        return error_set(err, ERR_USAGE,
                         "--memory-swap %s: it is memory and swap together, and below --memory %s",
                         texts->memory_swap, texts->memory);
    return 0;
}

/* "1.5" in millionths */
static bool read_decimal(const char *text, uint64_t *ret)
{
    const size_t whole_size = strspn(text, "0123456789");
    const char *fraction = text[whole_size] == '.' ? text + whole_size + 1 : "";
    if (whole_size > 6 || whole_size + strlen(fraction) == 0 ||
        (text[whole_size] && text[whole_size] != '.') || fraction[strspn(fraction, "0123456789")])
        return false;
    *ret = 0;
    for (size_t i = 0; i < whole_size; i++)
        *ret = *ret * 10 + (uint64_t)(text[i] - '0');
    for (int i = 0; i < 6; i++)
        *ret = *ret * 10 + (uint64_t)(*fraction ? *fraction++ - '0' : 0);
    return true;
}

static int parse_cpu(const struct limit_texts *texts, struct cgroup_limits *ret, struct error **err)
{
    static const uint64_t period = 100000;
    uint64_t millionths = 0;
    if (parse_number("cpu-quota", limited(texts->cpu_quota), 1000, INT64_MAX / 1000,
                     &ret->cpu_quota, err) < 0 ||
        parse_number("cpu-period", texts->cpu_period, 1000, 1000000, &ret->cpu_period, err) < 0 ||
        parse_number("cpu-shares", texts->cpu_shares, 2, 262144, &ret->cpu_shares, err) < 0)
        return -1;
    if (!texts->cpus)
        return 0;
    if (!read_decimal(texts->cpus, &millionths) || (millionths && millionths < 10000))
        return error_set(err, ERR_USAGE, "--cpus %s: expected a number like 1.5, at least 0.01",
                         texts->cpus);
    if (millionths && (ret->cpu_quota || ret->cpu_period))
        return error_set(err, ERR_USAGE, "--cpus and --cpu-%s exclude each other",
                         ret->cpu_quota ? "quota" : "period");
    ret->cpu_quota = millionths * period / 1000000;
    return 0;
}

static int parse_list(const char *option, const char *text, const char **ret, struct error **err)
{
    if (text && *text && text[strspn(text, "0123456789,-")])
        return error_set(err, ERR_USAGE, "--%s %s: expected a list like 0-2,5", option, text);
    *ret = text && *text ? text : NULL;
    return 0;
}

static int parse_mode(const char *mode, bool *best_effort, struct error **err)
{
    *best_effort = mode && !strcmp(mode, "best-effort");
    if (mode && !*best_effort && strcmp(mode, "strict") != 0)
        return error_set(err, ERR_USAGE, "--limits=%s: strict and best-effort are what there is",
                         mode);
    return 0;
}

int limits_parse(struct limit_texts *texts, struct sandbox_limits *ret, struct error **err)
{
    struct cgroup_limits *group = &ret->group;
    for (size_t i = 0; i < texts->ulimits.n; i++)
        if (parse_ulimit(texts->ulimits.items[i], ret, err) < 0)
            return -1;
    for (size_t i = 0; i < texts->resources.n; i++)
        if (parse_resource(texts->resources.items[i], texts, err) < 0)
            return -1;
    if (parse_size("shm-size", texts->shm_size, &ret->shm_size, err) < 0 ||
        parse_memory(texts, group, err) < 0 || parse_cpu(texts, group, err) < 0 ||
        parse_number("pids-limit", limited(texts->pids), 1, 4194304, &group->pids, err) < 0 ||
        parse_list("cpuset-cpus", texts->cpuset_cpus, &group->cpuset_cpus, err) < 0 ||
        parse_list("cpuset-mems", texts->cpuset_mems, &group->cpuset_mems, err) < 0)
        return -1;
    ret->cgroup_parent =
        texts->cgroup_parent && *texts->cgroup_parent ? texts->cgroup_parent : NULL;
    return parse_mode(texts->mode, &ret->best_effort, err);
}
