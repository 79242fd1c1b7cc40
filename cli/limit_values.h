/* SPDX-License-Identifier: Apache-2.0 */
/* Options of build that limit what RUN may take of the machine. */
#ifndef CBUILD_CLI_LIMIT_VALUES_H
#define CBUILD_CLI_LIMIT_VALUES_H

#include "base/error.h"
#include "base/strvec.h"
#include "runner/limits.h"

/* As they stand on the command line. */
struct limit_texts {
    struct strvec ulimits, resources;
    struct strvec resource_values; /* what the others may point to */
    const char *shm_size, *memory, *memory_swap, *cpus, *cpu_quota, *cpu_period, *cpu_shares,
        *cpuset_cpus, *cpuset_mems, *pids, *cgroup_parent, *mode;
};

void limit_texts_release(struct limit_texts *texts);
DEFINE_AUTO_STRUCT(struct limit_texts, limit_texts_release)

/* To list in an option table. */
#define LIMIT_OPTIONS(texts)                                                                       \
    OPT_STRING('m', "memory", "SIZE", &(texts)->memory, "memory of a RUN step"),                   \
        OPT_STRING(0, "memory-swap", "SIZE", &(texts)->memory_swap,                                \
                   "its memory and swap together, by default twice the memory; -1: any swap"),     \
        OPT_STRING(0, "cpus", "NUMBER", &(texts)->cpus, "processors of a RUN step: 1.5"),          \
        OPT_STRING(0, "cpu-quota", "MICROSECONDS", &(texts)->cpu_quota,                            \
                   "its processor time in each --cpu-period"),                                     \
        OPT_STRING(0, "cpu-period", "MICROSECONDS", &(texts)->cpu_period, "100000 by default"),    \
        OPT_STRING('c', "cpu-shares", "NUMBER", &(texts)->cpu_shares,                              \
                   "its weight among others: 2 to 262144"),                                        \
        OPT_STRING(0, "cpuset-cpus", "LIST", &(texts)->cpuset_cpus, "its processors: 0-2,5"),      \
        OPT_STRING(0, "cpuset-mems", "LIST", &(texts)->cpuset_mems, "its memory nodes: 0,1"),      \
        OPT_STRING(0, "pids-limit", "NUMBER", &(texts)->pids, "its processes; -1: any number"),    \
        OPT_LIST(0, "resource", "NAME=VALUE,...", &(texts)->resources,                             \
                 "the same limits: memory=1g,cpu-quota=50000"),                                    \
        OPT_STRING(0, "cgroup-parent", "PATH", &(texts)->cgroup_parent,                            \
                   "cgroup in which those of steps are made"),                                     \
        OPT_LIST(0, "ulimit", "NAME=SOFT[:HARD]", &(texts)->ulimits,                               \
                 "resource limit of RUN, -1: none; nofile is 1024:524288 by default"),             \
        OPT_STRING(0, "shm-size", "SIZE", &(texts)->shm_size,                                      \
                   "size of RUN's /dev/shm, 64m by default"),                                      \
        OPT_STRING(0, "limits", "MODE", &(texts)->mode,                                            \
                   "best-effort: warn of limits that can't be set here, instead of failing")

/* What `ret` points to belongs to the texts, but for ulimits. ERR_USAGE. */
int limits_parse(struct limit_texts *texts, struct sandbox_limits *ret,
                 struct error **err) WARN_UNUSED;
void limits_release(struct sandbox_limits *limits);
DEFINE_AUTO_STRUCT(struct sandbox_limits, limits_release)

#endif
