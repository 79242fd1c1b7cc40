/* SPDX-License-Identifier: Apache-2.0 */
/* The tags of this user's last successful build from a directory: what `push` without a name
 * pushes. */
#ifndef CBUILD_CLI_LAST_BUILD_H
#define CBUILD_CLI_LAST_BUILD_H

#include "base/strvec.h"
#include "oci/store.h"

/* Of the current directory. */
int last_build_write(struct store *store, const struct strvec *tags,
                     struct error **err) WARN_UNUSED;
/* 1 and the tags (normalised), 0 where there was none, -1. */
int last_build_read(struct store *store, struct strvec *tags, struct error **err) WARN_UNUSED;

#endif
