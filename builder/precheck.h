/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mistakes that can be found before anything is fetched or run: words whose expansion would fail
 * whatever the variables hold, more layers than a mount takes. Pure.
 */
#ifndef CBUILD_BUILDER_PRECHECK_H
#define CBUILD_BUILDER_PRECHECK_H

#include "builder/stage.h"

/*
 * Looks at the stages that the target needs, as only these are executed, or at all. ERR_SYNTAX with
 * NAME:LINE, excerpt and the word marked.
 */
int precheck_words(const struct stage_graph *graph, bool all_stages,
                   struct error **err) WARN_UNUSED;
/* More layers than a mount takes: ERR_LIMIT, with the place. */
int precheck_layers(const struct stage_graph *graph, struct error **err) WARN_UNUSED;
/* RUN, COPY, ADD: each makes one, whatever it does. (A WORKDIR may.) */
bool precheck_makes_layer(const struct instruction *instruction);

#endif
