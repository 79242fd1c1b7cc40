/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a path of the image leads, taken as in a chroot: absolute links and ".." stay in
 * the root. Async-signal-safe, and safe against others who change what they can reach
 * meanwhile (shared cache mounts): one component at a time, never through a link that
 * wasn't read.
 */
#ifndef CBUILD_RUNNER_LOOKUP_H
#define CBUILD_RUNNER_LOOKUP_H

#include "runner/report.h"

#include <limits.h>
#include <stdbool.h>

struct lookup {
    int parent_fd; /* O_PATH: the directory that holds it, or that its first missing part would be
                      in */
    int fd;        /* O_PATH: what is there; -1: missing */
    bool is_dir;
    char path[PATH_MAX]; /* without links, relative to the root; "" is the root itself */
    size_t existing;     /* bytes of path that exist */
};

#define LOOKUP_INIT                                                                                \
    {                                                                                              \
        -1, -1, false, "", 0                                                                       \
    }

enum lookup_flags {
    LOOKUP_NO_LINK = 1 << 0, /* a link at the end is an error, not followed */
};

/* Missing is no error. Else: too many links, a file where a directory must be, a name too long. */
int lookup_in_root(int root_fd, const char *path, enum lookup_flags flags, struct lookup *ret,
                   struct report *report);
/* The last component of path. */
const char *lookup_name(const struct lookup *lookup);
void lookup_close(struct lookup *lookup);

/*
 * Makes what is missing right there, in whatever is mounted: directories (0755), and at the
 * end a directory or an empty file. Afterwards nothing is missing.
 */
int lookup_create(struct lookup *lookup, bool dir, struct report *report);

#endif
