/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One wildcard pattern, compiled. `*` and `?` don't cross a slash, `[a-z]` and
 * `[^a-z]` neither, `\` escapes. With GLOB_DIRECTORIES `**` crosses: `**` before a slash
 * or text stands for any number of directories, none included; at the end for
 * anything. Pure; matching is a walk over sets: no pattern makes it slow.
 */
#ifndef CBUILD_BUILDER_GLOB_H
#define CBUILD_BUILDER_GLOB_H

#include "base/auto.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum glob_flag { GLOB_DIRECTORIES = 1 << 0 };

struct glob;

/* ERR_SYNTAX: unclosed or empty class, `-` out of place, `\` at the end. */
int glob_new(const char *pattern, unsigned flags, struct glob **ret,
             struct error **err) WARN_UNUSED;
void glob_free(struct glob *glob);
DEFINE_AUTO(struct glob, glob_free)

/* All of name[0..size). */
bool glob_matches(const struct glob *glob, const char *name, size_t size);
/* Whether a path strictly below the directory name[0..size) could match. */
bool glob_may_match_below(const struct glob *glob, const char *name, size_t size);

#endif
