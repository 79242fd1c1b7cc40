/* SPDX-License-Identifier: Apache-2.0 */
/* The owner that --chown names. Internal to copy*.c. */
#ifndef CBUILD_BUILDER_COPY_CHOWN_H
#define CBUILD_BUILDER_COPY_CHOWN_H

#include "layers/tree.h"

struct copy_owner {
    uint32_t uid, gid;
};

/*
 * "user[:group]"; names are looked up in the tree's /etc/passwd and /etc/group, at most 1 MiB each.
 * below NULL: an empty tree (--link): numbers only. ERR_NOT_FOUND names the file looked at, the
 * hint a similar name.
 */
int copy_chown_resolve(const char *spec, struct tree *below, struct copy_owner *ret,
                       struct error **err) WARN_UNUSED;

#endif
