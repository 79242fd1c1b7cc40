/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is made of an image's layers while they arrive, on the pass that stores the blobs: entry
 * lists, and where somebody is going to mount them, directory forms.
 *
 *     arrival = arrival_new(tree, with_forms);
 *     ... a pull of the tree's image, watched by arrival_watcher(arrival) ...
 *     arrival_finish(arrival, err);
 *
 * All of it is a cache: a layer that came in pieces, or was there already, is looked at later.
 */
#ifndef CBUILD_LAYERS_ARRIVAL_H
#define CBUILD_LAYERS_ARRIVAL_H

#include "layers/tree.h"
#include "oci/blob_watcher.h"

#include <stdbool.h>

struct arrival;

/*
 * Of an image, each layer from a blob. Layers that have a form keep it. No lock of the tree is
 * taken, so layers of it may be waiting for the pull.
 */
struct arrival *arrival_new(struct store *store, struct tree *tree, bool with_forms);
const struct blob_watcher *arrival_watcher(const struct arrival *arrival);
/* All blobs are there: the forms get their names, those of layers with the right diff_id. */
int arrival_finish(struct arrival *arrival, struct error **err) WARN_UNUSED;
void arrival_free(struct arrival *arrival);
DEFINE_AUTO(struct arrival, arrival_free)

#endif
