/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting in the sandbox's own mount namespace, before it turns its root. Targets come
 * from lookup.h, so that no link of the image is followed out of it. Async-signal-safe.
 *
 * All leave the working directory somewhere.
 */
#ifndef CBUILD_RUNNER_MOUNTS_H
#define CBUILD_RUNNER_MOUNTS_H

#include "runner/lookup.h"
#include "runner/report.h"

#include <stdbool.h>

/* A new file system of `type` on target; flags as for mount(2). */
int mounts_new(const struct lookup *target, const char *type, unsigned long flags, const char *data,
               struct report *report);
/* The same, and target->fd becomes the root of what was mounted. */
int mounts_enter(struct lookup *target, const char *type, unsigned long flags, const char *data,
                 struct report *report);

enum bind_flags {
    BIND_READ_ONLY = 1 << 0,
    BIND_DEVICES = 1 << 1, /* device nodes may be opened */
};

/*
 * A copy of what source_fd is, with mounts below it, attached nowhere; source_fd is of the caller's
 * mount namespace. 1: not this way (before 5.12, or where a filter forbids it).
 */
int mounts_detach(int source_fd, enum bind_flags flags, int *tree_fd, struct report *report);
int mounts_attach(int tree_fd, const struct lookup *target, struct report *report);

/*
 * Both at once; where that can't be, without mounts below it. by_path: pretend that it
 * can't.
 */
int mounts_bind(int source_fd, const struct lookup *target, enum bind_flags flags, bool by_path,
                struct report *report);

/*
 * /proc, /sys and what is masked or read-only in them; `masked` false leaves all as it is. *is_host
 * becomes true where a /proc of our own can't be mounted: it is the one around us, all read-only.
 */
int mounts_proc(struct lookup *target, bool masked, bool *is_host, struct report *report);
int mounts_sys(struct lookup *target, bool masked, struct report *report);

#endif
