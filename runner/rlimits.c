/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/rlimits.h"

#include <errno.h>
#include <sys/resource.h>

static const struct sandbox_ulimit defaults[] = {
    { RLIMIT_NOFILE, 1024, 524288 },
    { RLIMIT_CORE, 0, RLIM_INFINITY },
};

static int apply(const struct sandbox_ulimit *ulimit, struct report *report)
{
    struct rlimit now, want = { .rlim_cur = ulimit->soft, .rlim_max = ulimit->hard };
    if (prlimit(0, (enum __rlimit_resource)ulimit->resource, &want, NULL) == 0)
        return 0;
    if (errno == EPERM && prlimit(0, (enum __rlimit_resource)ulimit->resource, NULL, &now) == 0) {
        want.rlim_max = now.rlim_max;
        if (want.rlim_cur > want.rlim_max)
            want.rlim_cur = want.rlim_max;
        if (prlimit(0, (enum __rlimit_resource)ulimit->resource, &want, NULL) == 0)
            return 0;
    }
    return report_errno(report, "setting resource limits", NULL);
}

static const struct sandbox_ulimit *listed(const struct sandbox_ulimit *ulimits, size_t n,
                                           int resource)
{
    for (size_t i = 0; i < n; i++)
        if (ulimits[i].resource == resource)
            return &ulimits[i];
    return NULL;
}

int rlimits_apply(const struct sandbox_ulimit *ulimits, size_t n, struct report *report)
{
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        if (!listed(ulimits, n, defaults[i].resource) && apply(&defaults[i], report) < 0)
            return -1;
    for (size_t i = 0; i < n; i++)
        if (apply(&ulimits[i], report) < 0)
            return -1;
    return 0;
}
