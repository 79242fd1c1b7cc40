/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words without variables mean before a build what they will mean in it: what is wrong with such
 * values is said before anything is asked for or run. Pure.
 */
#ifndef CBUILD_BUILDER_PRECHECK_VALUES_H
#define CBUILD_BUILDER_PRECHECK_VALUES_H

#include "builder/stage.h"

/* Of a FROM, in a graph that is resolved. ERR_INVALID, ERR_SYNTAX without place. */
int precheck_base(const struct stage_graph *graph, const struct stage *stage,
                  struct error **err) WARN_UNUSED;
/* Of an instruction after it. */
int precheck_values(const struct stage_graph *graph, const struct stage *stage,
                    const struct instruction *instruction, struct error **err) WARN_UNUSED;

#endif
