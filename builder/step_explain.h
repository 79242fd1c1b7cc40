/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of a build leave for the next one, and what they find: for --explain, and for the
 * layers that are made again. Internal to builder/. */
#ifndef CBUILD_BUILDER_STEP_EXPLAIN_H
#define CBUILD_BUILDER_STEP_EXPLAIN_H

#include "builder/executor.h"

/* Says where trails stand. */
void explain_begin(struct build *build, const char *dockerfile);
/* Leaves this build's trail; a failure is only said. After the stages are done. */
void explain_end(struct build *build);

/* Remembers the step in its stage; before run->recipe moves on. */
void explain_remember(struct stage_run *run, const struct layer_step *step,
                      const struct digest *rest);
/* Of the step that was just remembered, when that is known later. */
void explain_set_rest(struct stage_run *run, const struct digest *rest);
/* The layer that the step, which was just remembered, gave before: what of it stays the same is
 * taken from there. Unset: none is known. */
int explain_previous(struct stage_run *run, const struct layer_step *step, struct digest *ret,
                     struct error **err) WARN_UNUSED;
/* Whether the build before had such a step in the stage; any thread. */
bool explain_had_step(const struct stage_run *run, const struct instruction *instruction);
/* Whether it had a stage FROM what has this recipe. */
bool explain_had_base(struct build *build, const struct digest *recipe);
/* Why the step, which was just remembered, isn't in the cache: a line per reason. */
void explain_miss(struct stage_run *run, const struct layer_step *step, struct strvec *ret);
/* The same, as notes under the step. */
void explain_tell_miss(struct stage_run *run, const struct layer_step *step);
/* It isn't made again, since a build that was killed had only its layer to finish. */
void explain_tell_ran(struct stage_run *run, const struct layer_step *step);
void explain_tell_hit(struct stage_run *run, const struct layer_step *step, bool by_result);

#endif
