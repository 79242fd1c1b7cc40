/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkouts kept between builds: a commit's files never change, so they are fetched once. The files
 * are a tar, a blob of the store; beside the cache records stands which one belongs to a commit of
 * a repository. docs/FORMAT.md, "Checkouts".
 */
#ifndef CBUILD_BUILDER_GIT_CACHE_H
#define CBUILD_BUILDER_GIT_CACHE_H

#include "builder/git.h"
#include "oci/store.h"

/*
 * As git_checkout(), without asking anybody. 1: done; 0: not there, or damaged, and then the
 * directory may hold a part of it.
 */
int git_cache_get(struct store *store, const struct git_checkout *checkout, int64_t *commit_time,
                  struct error **err) WARN_UNUSED;
/* After git_checkout(). */
int git_cache_put(struct store *store, const struct git_checkout *checkout, int64_t commit_time,
                  struct error **err) WARN_UNUSED;

#endif
