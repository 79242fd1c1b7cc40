/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a RUN changed: the overlay upper compared with the chain below. Copy-ups
 * without change are left out; an opaque directory becomes one whiteout per child
 * that exists below; `*.overlay.*` attributes never leave; a name ".wh.*" is ERR_INVALID.
 * Costs what the upper holds, not what the tree holds.
 */
#ifndef CBUILD_LAYERS_DIFF_H
#define CBUILD_LAYERS_DIFF_H

#include "layers/changeset.h"
#include "layers/tree.h"

struct diff_options {
    bool clamp_times; /* times later than `epoch` become it (SOURCE_DATE_EPOCH) */
    int64_t epoch;
};

/*
 * The changeset reads content from the upper when it is streamed: the snapshot must outlive it (layer_make() takes
 * both). Also gives the files of the upper the times that the tar will have.
 */
int diff_upper(struct snapshot *upper, struct tree *below, const struct diff_options *options,
               struct changeset *ret, struct error **err) WARN_UNUSED;

#endif
