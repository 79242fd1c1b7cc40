/* SPDX-License-Identifier: Apache-2.0 */
/* The tags of this user's last successful build from a directory: what `push` without a name
 * pushes. */
#ifndef CBUILD_CLI_LAST_BUILD_H
#define CBUILD_CLI_LAST_BUILD_H

#include "base/strvec.h"
#include "oci/store.h"

#include <sys/types.h>

/* Of the current directory. `uid`: the user's, whatever it is in a user namespace. */
int last_build_write(struct store *store, uid_t uid, const struct strvec *tags,
                     struct error **err) WARN_UNUSED;
/* 1 and the tags (normalised), 0 where there was none, -1. */
int last_build_read(struct store *store, uid_t uid, struct strvec *tags,
                    struct error **err) WARN_UNUSED;

#endif
