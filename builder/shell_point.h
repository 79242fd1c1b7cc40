/* SPDX-License-Identifier: Apache-2.0 */
/* What --shell-at means: a place in the Dockerfile. Pure. */
#ifndef CBUILD_BUILDER_SHELL_POINT_H
#define CBUILD_BUILDER_SHELL_POINT_H

#include "builder/stage.h"

struct shell_point {
    size_t stage;
    const struct instruction *before; /* NULL: after all of the stage's */
};

/*
 * `text`: a stage's name (its end), or a line's number: before the instruction that stands there or
 * next below. ERR_NOT_FOUND: no such stage or line; ERR_USAGE: a FROM, before which nothing is.
 */
int shell_point_find(const struct stage_graph *graph, const char *text, struct shell_point *ret,
                     struct error **err) WARN_UNUSED;

#endif
