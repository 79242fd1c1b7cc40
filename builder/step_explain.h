/* SPDX-License-Identifier: Apache-2.0 */
/* --explain: what the steps of a build leave for the next one, and what they find. Internal to
 * builder/. */
#ifndef CBUILD_BUILDER_STEP_EXPLAIN_H
#define CBUILD_BUILDER_STEP_EXPLAIN_H

#include "builder/executor.h"

/* The trail of the build before: read when options->explain, or a forecast, asks for it. */
void explain_begin(struct build *build, const char *dockerfile);
/* Leaves this build's trail; a failure is only said. After the stages are done. */
void explain_end(struct build *build, const char *dockerfile);

/* Remembers the step in its stage; before run->recipe moves on. */
void explain_remember(struct stage_run *run, const struct layer_step *step,
                      const struct digest *rest);
/* Why the step, which was just remembered, isn't in the cache: a line per reason. */
void explain_miss(struct stage_run *run, const struct layer_step *step, struct strvec *ret);
/* The same, as notes under the step. */
void explain_tell_miss(struct stage_run *run, const struct layer_step *step);
void explain_tell_hit(struct stage_run *run, const struct layer_step *step, bool by_result);

#endif
