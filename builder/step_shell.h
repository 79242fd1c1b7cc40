/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shell for the user in the midst of a build: --on-error=shell, where a RUN failed, and
 * --shell-at at a point of the Dockerfile. It has what a step there has: tree, user, working
 * directory, environment, mounts, network. Nothing of it enters an image or the cache.
 */
#ifndef CBUILD_BUILDER_STEP_SHELL_H
#define CBUILD_BUILDER_STEP_SHELL_H

#include "builder/step_run.h"

/*
 * The step has failed with `error`. Where the user wants it, and a terminal is there: ends the
 * other stages, shows the failure, and returns when the shell has ended.
 */
void step_shell_after_failure(struct stage_run *run, struct run_step *step,
                              const struct run_tree *tree, const struct error *error);
/* Whether --shell-at means the place before `next` (NULL: the stage's end). */
bool step_shell_is_at(const struct stage_run *run, const struct instruction *next);
/* Returns when the shell has ended: -1 and ERR_CANCELLED with build->shell_ended, or an error. */
int step_shell_at(struct stage_run *run, const struct instruction *next, struct error **err);

#endif
