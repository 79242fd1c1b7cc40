/* SPDX-License-Identifier: Apache-2.0 */
/* What the store knows of the base images of stages, for checks before anything is asked for. */
#ifndef CBUILD_BUILDER_LINT_BASES_H
#define CBUILD_BUILDER_LINT_BASES_H

#include "builder/stage.h"
#include "oci/image.h"
#include "oci/store.h"

struct lint_bases {
    struct store *store; /* NULL: nothing is known */
    size_t n_stages;
    struct image *images; /* per stage */
    bool *is_read;
};

void lint_bases_init(struct lint_bases *bases, struct store *store,
                     const struct stage_graph *graph);
void lint_bases_release(struct lint_bases *bases);
DEFINE_AUTO_STRUCT(struct lint_bases, lint_bases_release)

/* As lint_options' base_config, with the bases as data. NULL: not in the store. */
const struct image_config *lint_bases_config(void *data, const struct stage *stage);

#endif
