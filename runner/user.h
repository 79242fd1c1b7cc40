/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a command runs as: USER against the image's passwd and group files, which are
 * hostile input. Pure: bytes to ids. Lines over 4 KiB, with NULs, too few fields or ids that are no
 * number below 2^32 - 1 are passed over, as getpwent() does; the files' sizes are the caller's
 * to limit (1 MiB, USER_MAX_FILE).
 */
#ifndef CBUILD_RUNNER_USER_H
#define CBUILD_RUNNER_USER_H

#include "base/error.h"

#include <stddef.h>
#include <sys/types.h>

#define USER_MAX_FILE (1 << 20)
#define USER_MAX_GROUPS 1024

struct user_files {
    const char *passwd; /* NULL: no such file */
    size_t passwd_size;
    const char *group;
    size_t group_size;
};

struct user {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* supplementary, sorted, without duplicates */
    size_t n_groups;
    char *home; /* from passwd; "/" where it says nothing; never NULL after user_resolve() */
};

void user_release(struct user *user);
DEFINE_AUTO_STRUCT(struct user, user_release)

/*
 * `spec`: "", "name", "uid", and either with ":group" or ":gid"; digits are an id, whatever names
 * passwd has. A name, and an id that passwd knows (its first line with it), bring their primary and
 * supplementary groups; another id without a group has group 0. With a group given there are no
 * others. The primary group is always among `groups`.
 * home is that of the first line with this uid.
 *
 * ERR_NOT_FOUND: unknown name, with a hint. ERR_INVALID: an id out of range, an empty part.
 */
int user_resolve(const char *spec, const struct user_files *files, struct user *ret,
                 struct error **err) WARN_UNUSED;

/*
 * As COPY --chown has it, and WORKDIR for the directory it makes: `spec` is "user[:group]"; without
 * a group the gid is the user's in passwd, or for a bare id the same number.
 */
int user_resolve_owner(const char *spec, const struct user_files *files, uid_t *uid, gid_t *gid,
                       struct error **err) WARN_UNUSED;

#endif
