/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers calls of a sandbox that need ids or rights which our user namespace hasn't got: chown to
 * another id, and mknod of devices. The kernel stops the caller and asks us (seccomp user
 * notification); we do what can be done (the file then is copied up, and loses set-id bits and
 * capabilities, as with a real chown), note the rest in owner_records.h, and answer "done".
 *
 * 1. The caller's memory is read once, and what is read is what is acted on: it can't be exchanged.
 * 2. Paths are resolved by the kernel from the caller's own root and directory, in a thread whose
 *    root that becomes for the moment. So no name leads further than the caller's own calls do:
 *    links of /proc, where our rights would count, are followed in the caller's own part alone.
 * 3. Who may not chown (no CAP_CHOWN) or mknod is left to the kernel, which refuses. So is what
 *    lies outside of the sandbox's root file system, whose owners no layer keeps: chown succeeds
 *    there without effect.
 * 4. stat() shows the owner on disk, root, not the recorded one. Who writes a file anew (sed -i,
 *    passwd) gives it the owner that it saw, by fchown: so a fchown to root is noted as that, and
 *    layers/upper_owner.h has the file keep its owner. A chown by name is meant as it is said.
 *
 * setxattr of security.capability isn't watched: a user namespace may set it, bound to its root,
 * and layers/attributes.h takes that off again.
 *
 * Needs Linux 5.9. seccomp_unotify(2)
 */
#ifndef CBUILD_RUNNER_OWNER_WATCH_H
#define CBUILD_RUNNER_OWNER_WATCH_H

#include "base/error.h"
#include "base/owner_records.h"
#include "runner/report.h"

#include <stdint.h>

struct owner_watch;

/*
 * Takes `listener_fd` also when it fails. upper_fd: O_PATH, of the root's upper, duplicated; -1:
 * the root is no overlay.
 */
struct owner_watch *owner_watch_start(int listener_fd, uint64_t root_mount, int upper_fd,
                                      struct owner_records *records, struct error **err);
/* When the command and all its children have ended: the records are complete then. Accepts NULL. */
void owner_watch_free(struct owner_watch *watch);
DEFINE_AUTO(struct owner_watch, owner_watch_free)

/* The child's side: hands over the listener and tells its root mount; closes listener_fd.
 * Async-signal-safe. */
int owner_watch_send(int socket_fd, int listener_fd, struct report *report);
/* Ours: 1, 0 nothing was sent, -1. */
int owner_watch_receive(int socket_fd, int *listener_fd, uint64_t *root_mount,
                        struct error **err) WARN_UNUSED;

#endif
