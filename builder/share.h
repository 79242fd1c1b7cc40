/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several platforms in one build: each has a graph of its own, made from the same Dockerfile, and
 * much of the work on it may be the same for several of them. A stage FROM
 * --platform=$BUILDPLATFORM is, up to the first instruction that depends on the platform that is
 * built for: an ARG whose value differs (TARGETARCH), files of a stage or image that isn't the
 * same. So much of it is done once. Pure.
 *
 * What triggers of a base image say isn't known here: stage_run.c looks when it has the base.
 */
#ifndef CBUILD_BUILDER_SHARE_H
#define CBUILD_BUILDER_SHARE_H

#include "builder/stage.h"

struct share_stage {
    size_t leader; /* the first platform whose stage begins alike; itself: none before it */
    /* of the leader, when others follow it: how many instructions are the same for all of them */
    bool is_followed;
    size_t n_same;
};

struct share {
    const struct stage_graph *const *graphs;
    size_t n_graphs, n_stages;
    struct share_stage *stages; /* by graph, then by stage */
};

/* Of one Dockerfile, one for each platform; they outlive it. A stage that a graph's target doesn't
 * need takes no part. */
void share_init(struct share *share, const struct stage_graph *const *graphs, size_t n_graphs);
void share_release(struct share *share);
DEFINE_AUTO_STRUCT(struct share, share_release)

const struct share_stage *share_get(const struct share *share, size_t graph, size_t stage);
/* Whether an instruction of a stage (or a trigger that fires in it) may do for a platform other
 * than for its leader. */
bool share_differs(const struct share *share, size_t leader, size_t stage,
                   const struct instruction *instruction);

#endif
