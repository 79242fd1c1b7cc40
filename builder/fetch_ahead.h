/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is waited for elsewhere begins when a build does, not when a step comes to it: images and
 * named contexts that steps take files of (COPY --from, --mount=from) are resolved as soon as it is
 * known for which platform, that is when the first FROM of their stage's chain is done. Layers of
 * such an image are fetched as well, if no step that takes of it can be cached (base_image.c).
 *
 * Each on a thread of its own: they wait for the network, --jobs doesn't count them. A failure ends
 * the build at once, with the instruction that would have met it.
 */
#ifndef CBUILD_BUILDER_FETCH_AHEAD_H
#define CBUILD_BUILDER_FETCH_AHEAD_H

#include "builder/executor.h"

/* What steps of the run's stage take of, and of all stages FROM it. Its FROM is done. */
void fetch_ahead_takes(struct stage_run *run);
/* The base of a stage whose turn hasn't come yet. */
void fetch_ahead_base(struct stage_run *run);
/* Until all have ended; those of a build that failed do so soon. */
void fetch_ahead_join(struct build *build);

#endif
