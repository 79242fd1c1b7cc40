/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --push: the layers of the image go to its repositories one by one, each when it is ready, while
 * later steps run. What is left for the end is config and manifest: registry_push() of the same
 * session doesn't ask again for what went ahead.
 *
 * Only layers of the image count: those of the target, and of the stages and the base that it is
 * FROM. A build that fails leaves at most blobs at the registry that nothing refers to.
 */
#ifndef CBUILD_BUILDER_PUSH_AHEAD_H
#define CBUILD_BUILDER_PUSH_AHEAD_H

#include "base/auto.h"
#include "base/error.h"

struct build;
struct layer;
struct push_ahead;
struct stage_run;
struct tree;

/*
 * To the repositories of the build's tags; NULL where it doesn't push, or is a forecast. Asks for
 * nothing before there is a layer. The first failure ends the build by schedule_fail().
 */
struct push_ahead *push_ahead_new(struct build *build);
/* The stage has a new layer on top, or a base. Each layer once; thread-safe. Accept NULL. */
void push_ahead_add_layer(struct push_ahead *ahead, const struct stage_run *run,
                          struct layer *layer);
void push_ahead_add_tree(struct push_ahead *ahead, const struct stage_run *run, struct tree *tree);
/* No further layers: waits until all are there. The first failure. Accepts NULL. */
int push_ahead_finish(struct push_ahead *ahead, struct error **err) WARN_UNUSED;
/*
 * In a build that fails: nothing new is sent; aborting the session cuts what is under way. Accepts
 * NULL. push_ahead_free() waits for layers that are being made: their group is freed before.
 */
void push_ahead_stop(struct push_ahead *ahead);
void push_ahead_free(struct push_ahead *ahead);
DEFINE_AUTO(struct push_ahead, push_ahead_free)

#endif
