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
 * As git_checkout(), without fetching. 1: done; 0: not there, or damaged, and then the directory
 * may hold a part of it. Errors as git_cache_check_access().
 */
int git_cache_get(struct store *store, const struct git_checkout *checkout, int64_t *commit_time,
                  struct error **err) WARN_UNUSED;
/*
 * What was fetched with credentials is for those who still have access: where the commit was named,
 * so that nobody was asked yet, the repository is. 0: it answered, or nothing is kept that it would
 * have to be asked for.
 */
int git_cache_check_access(struct store *store, const struct git_checkout *checkout,
                           struct error **err) WARN_UNUSED;
/* After git_checkout(). What can't be checked later isn't kept: submodules behind credentials. */
int git_cache_put(struct store *store, const struct git_checkout *checkout, int64_t commit_time,
                  struct error **err) WARN_UNUSED;

#endif
