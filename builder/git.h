/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repositories through the git program, for ADD and build contexts.
 *
 * git sees neither the user's nor the system's configuration, so that what is checked out depends
 * on the commit alone; hooks are off, only http(s), git and ssh are spoken (file:// where
 * the user typed it), and it never asks anybody. Credentials reach it through a file in memory:
 * they stand in no argument, environment or file.
 *
 * A repository that the user typed is fetched with the user's ssh settings, keys and agent. One
 * that a Dockerfile names gets what --ssh and --secret hand out.
 *
 * DOCKERFILE.md section 6, "ADD extras"
 */
#ifndef CBUILD_BUILDER_GIT_H
#define CBUILD_BUILDER_GIT_H

#include "builder/git_url.h"

#include <stdint.h>

struct git_repository {
    const struct git_url *url;
    const char *authorization; /* value of that header, for the URL's host alone; NULL: none */
    const char *ssh_socket;    /* of an agent; NULL: none */
    bool is_typed;             /* by the user */
};

/* What a ref of a repository means. */
struct git_commit {
    char *id;
    char *ref; /* full name; NULL: by its id */
};

void git_commit_release(struct git_commit *commit);
DEFINE_AUTO_STRUCT(struct git_commit, git_commit_release)

/*
 * Asks the repository, unless the URL names a commit. ERR_NOT_FOUND: no such repository or ref,
 * ERR_UNAUTHORIZED, ERR_NETWORK, ERR_DIGEST: it isn't the commit that url->checksum begins with;
 * ERR_UNSUPPORTED: there is no git. The detail has git's last lines.
 */
int git_resolve(const struct git_repository *repository, struct git_commit *ret,
                struct error **err) WARN_UNUSED;

/* Whether others may not get what this one does: it has credentials, or may have, or reads files.
 */
bool git_may_be_private(const struct git_repository *repository);
/* Whether it answers: errors as above. */
int git_check_access(const struct git_repository *repository, struct error **err) WARN_UNUSED;

struct git_checkout {
    const struct git_repository *repository;
    const struct git_commit *commit;
    bool keep_git_dir; /* else .git goes, of submodules too */
    bool no_submodules;
    int64_t mtime; /* of all files; GIT_COMMIT_TIME: that of the commit */
    int dir_fd;    /* an empty directory */
};

#define GIT_COMMIT_TIME INT64_MIN

/* Files are 0644 or 0755, directories 0755. *commit_time may be NULL. Errors as above. */
int git_checkout(const struct git_checkout *checkout, int64_t *commit_time,
                 struct error **err) WARN_UNUSED;

/* From what `git ls-remote` wrote; 1 found, 0 not. Pure. */
int git_pick_ref(const char *output, const struct git_url *url, struct git_commit *ret);

#endif
