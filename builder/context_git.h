/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A git repository of a build: its URL with the credentials that the build may use, then the
 * commit, then its files as a context. ADD asks for the commit alone until its cache misses.
 */
#ifndef CBUILD_BUILDER_CONTEXT_GIT_H
#define CBUILD_BUILDER_CONTEXT_GIT_H

#include "builder/context.h"
#include "builder/executor.h"
#include "builder/git.h"

struct context_git {
    struct git_url url;
    struct strbuf authorization;
    struct git_repository repository; /* of these */
    struct git_commit commit;         /* after context_git_resolve() */
};

#define CONTEXT_GIT_INIT                                                                           \
    {                                                                                              \
        .authorization = STRBUF_INIT                                                               \
    }

/* Not to be copied. */
void context_git_release(struct context_git *git);
DEFINE_AUTO_STRUCT(struct context_git, context_git_release)

/* typed: by the user, not by a Dockerfile. Asks nobody. */
int context_git_init(struct context_git *git, struct build *build, const char *text, bool typed,
                     struct error **err) WARN_UNUSED;
int context_git_resolve(struct context_git *git, struct error **err) WARN_UNUSED;

/* Before anything of it is taken from a cache: git_cache_check_access(). */
int context_git_check_access(struct build *build, const struct context_git *git, bool keep_git_dir,
                             struct error **err) WARN_UNUSED;

/* "commit subdir flags": all that decides what the files are, but their times. free() it. */
char *context_git_key(const struct context_git *git, bool keep_git_dir) WARN_UNUSED;

/* Its files, for as long as the process lives; now: times for "mtime=checkout". */
struct context *context_git_open(struct build *build, const struct context_git *git,
                                 bool keep_git_dir, struct error **err);

#endif
