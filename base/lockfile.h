/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks between processes and threads: open file description locks (OFD) on a
 * small file, which die with the process. Waits are cancellable (cancel.h); a
 * wait of more than two seconds is told through `waiting`, with the holder.
 */
#ifndef CBUILD_BASE_LOCKFILE_H
#define CBUILD_BASE_LOCKFILE_H

#include "base/error.h"

#include <stdbool.h>

struct lockfile;

enum lock_mode { LOCK_MODE_SHARED, LOCK_MODE_EXCLUSIVE };

struct lock_wait {
    /* called once when a wait gets long; holder: "pid 123" or "another process" */
    void (*waiting)(void *data, const char *name, const char *holder);
    void *data;
    /* asked again and again while it waits (may be NULL): -1 gives up with this error */
    int (*check)(void *data, struct error **err);
    void *check_data;
};

/* Makes the file when missing. `wait` may be NULL. ERR_CANCELLED when cancelled meanwhile. */
struct lockfile *lockfile_acquire(int dir_fd, const char *name, enum lock_mode mode,
                                  const struct lock_wait *wait, struct error **err);
/* *acquired NULL and 0 when another holds it. */
int lockfile_try(int dir_fd, const char *name, enum lock_mode mode, struct lockfile **acquired,
                 struct error **err) WARN_UNUSED;
/* Unlocks. With `remove`, the file is unlinked first (holders re-check the inode after locking). */
void lockfile_release(struct lockfile *lock);
void lockfile_remove(struct lockfile *lock);
DEFINE_AUTO(struct lockfile, lockfile_release)
DEFINE_AUTO(struct lockfile, lockfile_remove)

#endif
