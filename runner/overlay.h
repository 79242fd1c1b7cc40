/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlay mounts of many layers.
 *
 * The kernel takes layers one by one (fsconfig lowerdir+, 6.5) or as one option
 * string of at most a page (mount(2)). For the latter the layers get short names:
 * links in the scratch directory, which is the working directory while mounting, so that 498 of
 * them fit. Links also stand in for paths that fsconfig can't take (over 255 bytes, or with
 * characters that the option syntax gives a meaning).
 *
 * Options: userxattr (whiteouts and opaque marks that need no privilege; trusted_xattrs leaves
 * it out), redirect_dir=nofollow (a layer can't point elsewhere), metacopy=off, index=off,
 * xino=off, uuid=off, volatile (no sync at unmount: the layer is read back, not kept). An
 * older kernel may not know the last five: they are left out one by one. Never the first two.
 *
 * The kernel wants layers that are mounted in the caller's own mount namespace. So
 * overlay_open() is called before the sandbox leaves ours: then paths like "/proc/self/fd/N" do,
 * and no rename of a directory in the meantime matters. The fallback, and a user namespace, which
 * may not mount in ours, open the same directories again in the new one.
 *
 * overlay_plan_init() is for the parent; the others are async-signal-safe.
 */
#ifndef CBUILD_RUNNER_OVERLAY_H
#define CBUILD_RUNNER_OVERLAY_H

#include "base/error.h"
#include "runner/report.h"
#include "runner/sandbox.h"

#include <stdbool.h>

struct overlay_plan {
    const struct sandbox_tree *tree;
    unsigned id;         /* makes the names in scratch distinct */
    char *options;       /* room for the option string of mount(2) */
    bool can_add_lowers; /* false: CBUILD_FORCE asks for mount(2) */
    bool devices;        /* device nodes open: insecure */
    bool is_look;        /* read-only, the upper the topmost of the lowers: makes nothing on disk */
};

/* ERR_LIMIT: too many layers. ERR_USAGE: a path that isn't absolute. */
int overlay_plan_init(struct overlay_plan *plan, const struct sandbox_tree *tree, unsigned id,
                      bool devices, struct error **err) WARN_UNUSED;
void overlay_plan_release(struct overlay_plan *plan);

/*
 * The working directory is scratch. `top` (NULL: none) names a directory, in it or absolute, that
 * goes above all lowers, `work` one that becomes the work directory (made; unused without an
 * upper).
 *
 * Opens it as a mount that is attached nowhere: *fd can be looked into, and attached with
 * sys_move_mount(). 1: this kernel can't.
 */
int overlay_open(const struct overlay_plan *plan, const char *top, const char *work, int *fd,
                 struct report *report);
/* Mounts it on `point`, a directory in scratch; *fd (O_PATH) is its root. */
int overlay_mount(const struct overlay_plan *plan, const char *point, const char *top,
                  const char *work, int *fd, struct report *report);

#endif
