/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What limits are as files of a cgroup, and where a process's cgroups are. Pure: texts of /proc
 * go in, names and texts to write come out.
 */
#ifndef CBUILD_RUNNER_CGROUP_SETTINGS_H
#define CBUILD_RUNNER_CGROUP_SETTINGS_H

#include "base/auto.h"
#include "runner/limits.h"

enum cgroup_controller { CGROUP_MEMORY, CGROUP_CPU, CGROUP_CPUSET, CGROUP_PIDS };
#define CGROUP_N_CONTROLLERS 4

/* As the kernel has it: "memory". */
const char *cgroup_controller_name(enum cgroup_controller controller);

struct cgroup_setting {
    const char *option; /* who asked for it: "--memory" */
    const char *file;
    char *text;
    bool is_derived; /* nobody asked: where the kernel lacks the file, so be it */
};

struct cgroup_settings {
    struct cgroup_setting *items;
    size_t n_items, items_capacity;
};

void cgroup_settings_release(struct cgroup_settings *settings);
DEFINE_AUTO_STRUCT(struct cgroup_settings, cgroup_settings_release)

/* Appends those of a controller in the order of writing; none: nothing is limited. Version 1, 2. */
void cgroup_settings_add(const struct cgroup_limits *limits, enum cgroup_controller controller,
                         int version, struct cgroup_settings *ret);

/* Shares of version 1 (2 to 262144) as a weight of version 2 (1 to 10000). */
uint64_t cgroup_weight(uint64_t shares);

/* The hierarchy that a controller is in, and the process's own cgroup there. */
struct cgroup_place {
    int version;
    char *root; /* where it is mounted */
    char *own;  /* below root, without a leading slash; "" is root itself */
};

void cgroup_place_release(struct cgroup_place *place);
DEFINE_AUTO_STRUCT(struct cgroup_place, cgroup_place_release)

/*
 * From /proc/self/mountinfo and /proc/self/cgroup: version 1 where the controller is mounted as
 * that, else the hierarchy of version 2, whether or not it has the controller. False: neither is
 * mounted.
 */
bool cgroup_place_find(const char *mountinfo, const char *self_cgroup,
                       enum cgroup_controller controller, struct cgroup_place *ret);

/* A word of a list like cgroup.controllers ("cpu io memory\n"). */
bool cgroup_list_has(const char *list, const char *word);

/* "oom_kill N" of memory.events or memory.oom_control: N > 0. */
bool cgroup_parse_oom(const char *text);

#endif
