/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of RUN as options have them: input is a line an option, "memory 64m". */
#include "cli/limit_values.h"

#include "base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void give(struct limit_texts *texts, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **text;
    } options[] = {
        { "memory", &texts->memory },
        { "memory-swap", &texts->memory_swap },
        { "cpus", &texts->cpus },
        { "cpu-quota", &texts->cpu_quota },
        { "cpu-period", &texts->cpu_period },
        { "cpu-shares", &texts->cpu_shares },
        { "cpuset-cpus", &texts->cpuset_cpus },
        { "cpuset-mems", &texts->cpuset_mems },
        { "pids-limit", &texts->pids },
        { "shm-size", &texts->shm_size },
        { "cgroup-parent", &texts->cgroup_parent },
        { "limits", &texts->mode },
    };
    if (!strcmp(name, "ulimit"))
        strvec_push(&texts->ulimits, value);
    if (!strcmp(name, "resource"))
        strvec_push(&texts->resources, value);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (!strcmp(name, options[i].name))
            *options[i].text = value;
}

static void check_ulimits(const struct sandbox_limits *limits)
{
    for (size_t i = 0; i < limits->n_ulimits; i++) {
        if (limits->ulimits[i].soft > limits->ulimits[i].hard)
            abort();
        for (size_t k = 0; k < i; k++)
            if (limits->ulimits[k].resource == limits->ulimits[i].resource)
                abort();
    }
}

static void check_group(const struct cgroup_limits *group)
{
    const char *cpus = group->cpuset_cpus;
    if (group->memory > INT64_MAX || group->memory_swap < -1 ||
        (group->memory_swap > 0 && (uint64_t)group->memory_swap < group->memory) ||
        group->cpu_quota > INT64_MAX / 1000 || (group->cpu_quota && group->cpu_quota < 1000) ||
        (group->cpu_period && (group->cpu_period < 1000 || group->cpu_period > 1000000)) ||
        group->cpu_shares > 262144 || group->cpu_shares == 1 || group->pids > 4194304)
        abort();
    if (cpus && (!*cpus || cpus[strspn(cpus, "0123456789,-")])) /* a file of the cgroup's */
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *lines = xstrndup((const char *)data, size);
    AUTO(limit_texts_release) struct limit_texts texts = { .mode = NULL };
    AUTO(limits_release) struct sandbox_limits limits = { .ulimits = NULL };
    AUTO(error_free) struct error *err = NULL;
    char *save = NULL;
    for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, ' ');
        if (value)
            *value++ = '\0';
        give(&texts, line, value ? value : "");
    }
    if (limits_parse(&texts, &limits, &err) < 0) {
        if (!error_is(err, ERR_USAGE))
            abort();
        return 0;
    }
    check_ulimits(&limits);
    check_group(&limits.group);
    return 0;
}
