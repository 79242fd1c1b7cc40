/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a source of COPY isn't there: a link on its way leads to nothing or out of the root, a name
 * differs in case, is misspelled, or lies in another directory. Internal to copy*.c.
 */
#ifndef CBUILD_BUILDER_COPY_ABSENT_H
#define CBUILD_BUILDER_COPY_ABSENT_H

#include "builder/copy_view.h"

/* Sets ERR_NOT_FOUND with what `path` (clean, from the root) is instead; yields -1. */
int copy_absent(struct copy_view *view, const char *word, const char *path,
                struct error **err) WARN_UNUSED;

#endif
