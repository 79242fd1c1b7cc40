/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a RUN finds in a whole tree that isn't the tree's own: mount points that it lacks, and,
 * where nothing can be mounted, the things themselves. All is put there before the command starts
 * and taken away when its last process has ended, so nobody else changes the tree meanwhile.
 *
 * Afterwards the tree is as if nothing had been there: directories that were made on the way go
 * when they are still empty and as they were made, what stood at a place before is put back, and
 * times of directories are what the command left. Paths are resolved as in a chroot; later ones by
 * descriptors, wherever the command has moved a directory to.
 *
 * Used by one thread at a time.
 */
#ifndef CBUILD_RUNNER_PLACES_H
#define CBUILD_RUNNER_PLACES_H

#include "base/error.h"
#include "runner/lookup.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct places;

/* root_fd: the tree; scratch_fd: a directory on its file system. Both are duplicated. */
struct places *places_new(int root_fd, int scratch_fd, struct error **err);
/* Takes back what is still there. Accepts NULL. */
void places_free(struct places *places);
DEFINE_AUTO(struct places, places_free)

/* Owner and mode of what is put. */
struct place_owner {
    uid_t uid;
    gid_t gid;
    mode_t mode;
};

/* A mount point: what is there stays. ERR_RUN: it is of the other kind. */
int places_add_point(struct places *places, const char *path, bool dir, enum lookup_flags flags,
                     struct error **err) WARN_UNUSED;
int places_add_file(struct places *places, const char *path, const void *content, size_t size,
                    const struct place_owner *owner, struct error **err) WARN_UNUSED;
/* An empty one. */
int places_add_directory(struct places *places, const char *path, const struct place_owner *owner,
                         struct error **err) WARN_UNUSED;
int places_add_device(struct places *places, const char *path, dev_t device,
                      struct error **err) WARN_UNUSED;
/* What `source` in from_fd is, resolved as in a chroot; it goes back there at the end. */
int places_add_moved(struct places *places, const char *path, int from_fd, const char *source,
                     struct error **err) WARN_UNUSED;

/* Takes all back, also after a failure on the way; the first is told. */
int places_restore(struct places *places, struct error **err) WARN_UNUSED;

#endif
