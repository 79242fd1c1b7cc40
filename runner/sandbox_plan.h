/* SPDX-License-Identifier: Apache-2.0 */
/* From a spec to what the child needs: checks, look-ups and allocation, before any clone. */
#ifndef CBUILD_RUNNER_SANDBOX_PLAN_H
#define CBUILD_RUNNER_SANDBOX_PLAN_H

#include "runner/sandbox_child.h"

/* Fills all but the descriptors, which become -1. Borrows the spec. */
int plan_init(struct child_plan *plan, const struct sandbox_spec *spec,
              struct error **err) WARN_UNUSED;
/* Accepts a half-made plan. Descriptors are the caller's. */
void plan_release(struct child_plan *plan);

#endif
