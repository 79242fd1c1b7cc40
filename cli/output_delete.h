/* SPDX-License-Identifier: Apache-2.0 */
/* --output type=local,mode=delete: where things may be deleted. */
#ifndef CBUILD_CLI_OUTPUT_DELETE_H
#define CBUILD_CLI_OUTPUT_DELETE_H

#include "base/error.h"

#include <stdbool.h>

/*
 * Whether `dest`, which need not exist yet, may be emptied: below the working directory, links
 * followed, it may, as buildx has it; elsewhere, and where it holds the home directory, only where
 * --allow buildx.local.delete says so (`is_allowed`); never the root directory. ERR_USAGE with the
 * way out. Before the build.
 */
int output_delete_check(const char *dest, bool is_allowed, struct error **err) WARN_UNUSED;
/* The same of the open directory that things are about to be deleted from; nor may it hold `store`
 * (a directory's fd). */
int output_delete_check_open(const char *dest, int fd, bool is_allowed, int store,
                             struct error **err) WARN_UNUSED;

#endif
