/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sandbox may take of the machine. Resource limits and the size of /dev/shm need nothing
 * but a process; memory, processors and the number of processes need a cgroup (cgroup.h).
 *
 * A limit that can't be set is ERR_UNSUPPORTED; with `best_effort` it is a warning.
 */
#ifndef CBUILD_RUNNER_LIMITS_H
#define CBUILD_RUNNER_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Resource and value as for setrlimit(2). */
struct sandbox_ulimit {
    int resource; /* RLIMIT_NOFILE... */
    uint64_t soft, hard;
};

/* 0 or NULL: not limited. Values as docker's options have them, whatever the cgroup version. */
struct cgroup_limits {
    uint64_t memory;     /* bytes */
    int64_t memory_swap; /* memory and swap together; 0: twice the memory; -1: any swap */
    uint64_t cpu_shares; /* 2 to 262144, 1024 is what all have */
    uint64_t cpu_quota;  /* microseconds in each period */
    uint64_t cpu_period; /* microseconds; 0: 100 ms */
    const char *cpuset_cpus, *cpuset_mems; /* "0-3,7" */
    uint64_t pids;
};

struct sandbox_limits {
    struct sandbox_ulimit *ulimits; /* RLIMIT_NOFILE is 1024:524288 unless listed */
    size_t n_ulimits, ulimits_capacity;
    uint64_t shm_size; /* 0: 64 MiB */
    struct cgroup_limits group;
    const char *cgroup_parent; /* path in the hierarchy; NULL: beside or below our own */
    bool best_effort;
};

#endif
