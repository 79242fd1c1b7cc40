/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child's file system: from the plan's layers and mounts to a new root. Steps of
 * sandbox_child.c, in this order. Async-signal-safe.
 *
 * The first two happen in the mount namespace that the parent's descriptors belong to, since the
 * kernel refuses to mount from another one.
 */
#ifndef CBUILD_RUNNER_CHILD_ROOT_H
#define CBUILD_RUNNER_CHILD_ROOT_H

#include "runner/lookup.h"
#include "runner/sandbox_child.h"

struct child {
    struct child_plan *plan;
    struct report report;
    int report_fd;
    int scratch_fd;
    int root_fd;        /* the sandbox's root; -1: not mounted yet */
    int look_fd;        /* its layers as they are, which were looked at; -1: none */
    bool has_host_proc; /* the sandbox's is what we see, not one of its own */
    int files_fd;       /* a tmpfs for files that are bound into the root */
};

/* What is always mounted. */
struct root_target {
    const char *path;
    bool dir;
    enum lookup_flags flags;
};
enum { ROOT_PROC, ROOT_SYS, ROOT_DEV, ROOT_HOSTS, ROOT_RESOLV, N_ROOT_TARGETS };
extern const struct root_target root_targets[N_ROOT_TARGETS];
/* Whether a listed mount's target is in something that is mounted before: it is made there. */
bool root_is_nested(const struct sandbox_spec *spec, size_t index);

int child_open_mounts(struct child *child);  /* sources of the listed mounts */
int child_open_root(struct child *child);    /* the layers, and stubs that they lack */
int child_own_mounts(struct child *child);   /* a mount namespace of its own */
int child_attach_root(struct child *child);  /* the layers, in it */
int child_mount_usual(struct child *child);  /* /proc /sys /dev, /etc/hosts /etc/resolv.conf */
int child_mount_listed(struct child *child); /* the spec's mounts */
int child_turn_root(struct child *child);    /* pivot_root; the host's tree is gone */

#endif
