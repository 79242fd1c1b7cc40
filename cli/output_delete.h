/* SPDX-License-Identifier: Apache-2.0 */
/* --output type=local,mode=delete: where things may be deleted. */
#ifndef CBUILD_CLI_OUTPUT_DELETE_H
#define CBUILD_CLI_OUTPUT_DELETE_H

#include "base/error.h"

#include <stdbool.h>

struct output_delete {
    const char *dest;    /* need not exist yet */
    const char *context; /* the build's; what is no directory counts for nothing */
    bool is_allowed;     /* --allow buildx.local.delete */
};

/*
 * Whether `dest` may be emptied: below the working directory, links followed, it may, as buildx has
 * it; elsewhere, and where it holds the home directory or the context, only when that is allowed;
 * never the root directory. ERR_USAGE with the way out. Before the build.
 */
int output_delete_check(const struct output_delete *wish, struct error **err) WARN_UNUSED;
/* The same of the open directory that things are about to be deleted from; nor may it hold `store`
 * (a directory's fd) or be in it. */
int output_delete_check_open(const struct output_delete *wish, int fd, int store,
                             struct error **err) WARN_UNUSED;

#endif
