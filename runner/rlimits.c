/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/rlimits.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct sandbox_ulimit defaults[] = {
    { RLIMIT_NOFILE, 1024, 524288 },
    { RLIMIT_CORE, 0, RLIM_INFINITY },
};

/* docker's; it knows no "as" */
static const char *const names[] = { "core",    "cpu",      "data",   "fsize",      "locks",
                                     "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                     "rss",     "rtprio",   "rttime", "sigpending", "stack" };
static const int resources[] = { RLIMIT_CORE,   RLIMIT_CPU,        RLIMIT_DATA,     RLIMIT_FSIZE,
                                 RLIMIT_LOCKS,  RLIMIT_MEMLOCK,    RLIMIT_MSGQUEUE, RLIMIT_NICE,
                                 RLIMIT_NOFILE, RLIMIT_NPROC,      RLIMIT_RSS,      RLIMIT_RTPRIO,
                                 RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK };
#define N_NAMES (sizeof(names) / sizeof(names[0]))
_Static_assert(N_NAMES == sizeof(resources) / sizeof(resources[0]), "a name each");

const char *const *rlimit_names(size_t *n)
{
    *n = N_NAMES;
    return names;
}

int rlimit_find(const char *name)
{
    for (size_t i = 0; i < N_NAMES; i++)
        if (!strcmp(names[i], name))
            return resources[i];
    return -1;
}

static const char *name_of(int resource)
{
    for (size_t i = 0; i < N_NAMES; i++)
        if (resources[i] == resource)
            return names[i];
    return "?";
}

static bool set(const struct sandbox_ulimit *ulimit)
{
    const struct rlimit want = { .rlim_cur = ulimit->soft, .rlim_max = ulimit->hard };
    return prlimit(0, (enum __rlimit_resource)ulimit->resource, &want, NULL) == 0;
}

/* As near as our own hard limit lets us. */
static int set_near(const struct sandbox_ulimit *ulimit, struct report *report)
{
    struct rlimit now;
    if (prlimit(0, (enum __rlimit_resource)ulimit->resource, NULL, &now) == 0) {
        const struct sandbox_ulimit near = { ulimit->resource,
                                             ulimit->soft < now.rlim_max ? ulimit->soft
                                                                         : now.rlim_max,
                                             now.rlim_max };
        if (set(&near))
            return 0;
    }
    return report_errno(report, "setting resource limits", NULL);
}

static const struct sandbox_ulimit *listed(const struct sandbox_limits *limits, int resource)
{
    for (size_t i = 0; limits && i < limits->n_ulimits; i++)
        if (limits->ulimits[i].resource == resource)
            return &limits->ulimits[i];
    return NULL;
}

static int apply_listed(const struct sandbox_ulimit *ulimit, bool best_effort, int note_fd,
                        struct report *report)
{
    if (set(ulimit))
        return 0;
    (void)report_errno(report, name_of(ulimit->resource), NULL);
    report->kind = best_effort ? REPORT_NOTE : REPORT_LIMIT;
    if (!best_effort)
        return -1;
    (void)!write(note_fd, report, sizeof(*report)); /* a note that gets lost changes nothing */
    return set_near(ulimit, report);
}

int rlimits_apply(const struct sandbox_limits *limits, int note_fd, struct report *report)
{
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        if (!listed(limits, defaults[i].resource) && !set(&defaults[i]) &&
            set_near(&defaults[i], report) < 0)
            return -1;
    for (size_t i = 0; limits && i < limits->n_ulimits; i++)
        if (apply_listed(&limits->ulimits[i], limits->best_effort, note_fd, report) < 0)
            return -1;
    return 0;
}

int rlimit_refusal(const char *name, struct error **err)
{
    struct rlimit now = { 0 };
    (void)getrlimit((enum __rlimit_resource)rlimit_find(name), &now); /* a known resource */
    if (now.rlim_max == RLIM_INFINITY)
        return error_set(err, ERR_UNSUPPORTED, "--ulimit %s: the kernel refuses it", name);
    error_set_(err, ERR_UNSUPPORTED,
               "--ulimit %s: cbuild may not go above its own hard limit, %llu", name,
               (unsigned long long)now.rlim_max);
    error_hint(err, "give a lower one, raise cbuild's (ulimit -H, limits.conf, Limit...= of a "
                    "service), or build with what can be set: --limits=best-effort");
    return -1;
}
