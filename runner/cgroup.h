/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cgroup for one sandbox, or one in each hierarchy of version 1, with its limits.
 *
 * Without a parent that the user names it lies below our own cgroup in version 1. In version 2 a
 * cgroup with processes may have no limited children, so there it lies beside our own: whoever
 * delegates a subtree to us starts us in a leaf of it (systemd-run --user --scope).
 */
#ifndef CBUILD_RUNNER_CGROUP_H
#define CBUILD_RUNNER_CGROUP_H

#include "base/error.h"
#include "runner/limits.h"

#include <stdbool.h>

struct cgroup;

/* A limit that isn't set, though it was asked for. */
struct cgroup_warning {
    void (*tell)(void *data, const struct error *error);
    void *data;
};

/* Whether limits ask for a cgroup. */
bool cgroup_is_needed(const struct sandbox_limits *limits);
/*
 * Makes PARENT/cbuild-PID-START-NAMESPACE-N (owner_name.h) with the limits, and removes those there
 * whose process was killed; a parent that is missing is made, and stays.
 * ERR_UNSUPPORTED: a limit can't be set, with the way out as hint; with best_effort it is told.
 */
struct cgroup *cgroup_new(const struct sandbox_limits *limits, const struct cgroup_warning *warning,
                          struct error **err);
/* A process of one thread that writes "0" to all of them is in it. */
const int *cgroup_procs_fds(const struct cgroup *cgroup, size_t *n);
/* The kernel killed one of its processes at the memory limit. */
bool cgroup_oom_killed(const struct cgroup *cgroup);
/* Removes it; all its processes must be gone. Accepts NULL. */
void cgroup_free(struct cgroup *cgroup);
DEFINE_AUTO(struct cgroup, cgroup_free)

#endif
