/* SPDX-License-Identifier: Apache-2.0 */
/* Which rung of isolation RUN steps have here: what doctor asks, too. */
#ifndef CBUILD_BUILDER_LADDER_H
#define CBUILD_BUILDER_LADDER_H

#include "base/error.h"
#include "oci/store.h"

/*
 * Whether layers of the store can be stacked as an overlay, in a directory of its own that goes at
 * once. ERR_UNSUPPORTED: they can't, and why.
 */
int ladder_try_overlay(struct store *store, struct error **err) WARN_UNUSED;

#endif
