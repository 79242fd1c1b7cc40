/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline of layer.h as one call: a changeset in, a blob of the store out. */
#ifndef CBUILD_LAYERS_LAYER_STREAM_H
#define CBUILD_LAYERS_LAYER_STREAM_H

#include "layers/entries.h"
#include "layers/layer.h"

/*
 * Runs on the calling thread; members are compressed by tasks of options->group's pool as well
 * (NULL: here). Fills blob and ret (list apart: the caller has it). Files change while they are
 * read: ERR_FAILED names them.
 */
int layer_stream(struct store *store, const struct layer_options *options,
                 const struct changeset *changeset, struct descriptor *blob, struct entries *ret,
                 struct error **err) WARN_UNUSED;

#endif
