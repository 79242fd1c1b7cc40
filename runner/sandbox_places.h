/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sandbox puts into a whole tree before its command starts: mount points; with
 * ISOLATION_CHROOT, where nothing is mounted, the things themselves.
 */
#ifndef CBUILD_RUNNER_SANDBOX_PLACES_H
#define CBUILD_RUNNER_SANDBOX_PLACES_H

#include "runner/places.h"
#include "runner/sandbox_child.h"

/* NULL and *err: ERR_UNSUPPORTED where a mount can't be had this way, ERR_RUN as the child has it.
 */
struct places *sandbox_places_new(const struct child_plan *plan, struct error **err);

#endif
