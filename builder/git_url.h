/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs of git repositories as ADD, build contexts and --build-context write
 * them. Pure.
 *
 *     https://host/repo.git  ssh://git@host/repo  git://host/repo  git@host:repo
 *
 * followed by "?ref=…&subdir=…" and "#ref:subdir", both optional. http(s) is git only when
 * the path ends in ".git". On the command line also github.com/user/repo and file:///repo: a
 * Dockerfile must not read repositories of this machine.
 *
 * DOCKERFILE.md section 6, "ADD extras"
 */
#ifndef CBUILD_BUILDER_GIT_URL_H
#define CBUILD_BUILDER_GIT_URL_H

#include "base/error.h"

#include <stdbool.h>

enum git_url_flags {
    GIT_URL_COMMAND_LINE = 1 << 0, /* typed by the user: file:// and github.com/ count */
};

enum git_ref_kind {
    GIT_REF_ANY, /* a branch, a tag, a full name, or a commit */
    GIT_REF_BRANCH,
    GIT_REF_TAG,
};

enum git_option { GIT_OPTION_UNSET, GIT_OPTION_OFF, GIT_OPTION_ON };

struct git_url {
    char *remote;   /* what git is given: no user of http(s), no query, no fragment */
    char *userinfo; /* "user:password" of http(s), as written: a secret; NULL: none */
    char *host;     /* lower case, with a port where one is written; "" for file:// */
    char *ref;      /* NULL: HEAD */
    enum git_ref_kind ref_kind;
    char *subdir;   /* clean, relative; "": all of it */
    char *checksum; /* what the commit's id begins with, lower case; NULL: not given */
    enum git_option keep_git_dir, submodules, fetch_by_commit;
    enum git_option mtime_checkout; /* files get the build's time instead of the commit's */
};

void git_url_release(struct git_url *url);
DEFINE_AUTO_STRUCT(struct git_url, git_url_release)

/* Whether the text means a git repository at all. */
bool git_url_is_git(const char *text, unsigned flags);
/* For texts of which that is true. ERR_SYNTAX; messages name the URL without its credentials. */
int git_url_parse(const char *text, unsigned flags, struct git_url *ret,
                  struct error **err) WARN_UNUSED;

/* 40 or 64 hex digits. */
bool git_is_commit(const char *text);
/* A prefix of a commit's id, at least 7 digits: "" when it is one, else what is wrong with it. */
const char *git_check_commit_prefix(const char *text);
bool git_url_is_file(const struct git_url *url);

#endif
