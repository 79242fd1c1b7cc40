/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cgroup for one sandbox, below a parent that the user named. Version 2 where
 * /sys/fs/cgroup is that, else the memory hierarchy of version 1.
 */
#ifndef CBUILD_RUNNER_CGROUP_H
#define CBUILD_RUNNER_CGROUP_H

#include "base/error.h"

#include <stdbool.h>

struct cgroup;

/*
 * Makes PARENT/cbuild-PID-N. parent: a path in the hierarchy, made when missing.
 * ERR_UNSUPPORTED: no hierarchy here.
 */
struct cgroup *cgroup_new(const char *parent, struct error **err);
/* Who writes "0" to it enters. */
int cgroup_procs_fd(const struct cgroup *cgroup);
/* The kernel killed one of its processes at the memory limit. */
bool cgroup_oom_killed(const struct cgroup *cgroup);
/* Removes it; all its processes must be gone. Accepts NULL. */
void cgroup_free(struct cgroup *cgroup);
DEFINE_AUTO(struct cgroup, cgroup_free)

/* "oom_kill N" of memory.events or memory.oom_control: N > 0. Pure. */
bool cgroup_parse_oom(const char *text);

#endif
