/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process needs to make sandboxes and to own directory forms: root's rights, or for an
 * ordinary user a user namespace where it is root: with subordinate ids, or where there are none
 * with the user's own id alone (base/own_ids.h).
 *
 * Entering happens once, before the first thread, since the kernel refuses it afterwards; and only
 * for work that needs it. A child makes the namespace, we let newuidmap and newgidmap map its ids
 * (they are set-uid, and look up in /etc/subuid and /etc/subgid what the user may have), and then
 * we join it. So whatever fails, fails while we still are who we were, and nothing has changed.
 *
 * In the namespace our own id is 0, ids from 1 on are the subordinate ones, if there are any. Open
 * descriptors, the working directory, pid and environment stay. geteuid() is 0 then: who asks it
 * wants to know whom we may act as; who wants to know who the user is, asks before.
 */
#ifndef CBUILD_RUNNER_USERNS_H
#define CBUILD_RUNNER_USERNS_H

#include "base/error.h"

#include <stdbool.h>

/* An ordinary user, who may enter one. */
bool userns_can_enter(void);
/*
 * `lacking` (may be NULL) is set when there is a single id: why, with the way out as a hint.
 * ERR_UNSUPPORTED with a hint: the kernel is told not to make user namespaces. ERR_CANCELLED.
 */
int userns_enter(struct error **lacking, struct error **err) WARN_UNUSED;

/*
 * For root: a namespace with the ids that there are, each as itself. For what the kernel grants to
 * namespaces only (foreign.h). What is lost is making device nodes; forms of directories are its
 * own. Before the first thread; with the errors of userns_enter().
 */
int userns_enter_as_root(struct error **err) WARN_UNUSED;

/*
 * The parts of it that may be missing, each alone, with the same errors: newuidmap and the user's
 * ranges; whether the kernel lets a child of ours make a user namespace.
 */
int userns_check_ids(struct error **err) WARN_UNUSED;
int userns_check_kernel(struct error **err) WARN_UNUSED;

/* The same for ISOLATION_CHROOT, which takes less. */
int userns_check_chroot(struct error **err) WARN_UNUSED;

/* ERR_UNSUPPORTED with a hint: not root, or a container that takes away what is needed. */
int userns_check_privilege(struct error **err) WARN_UNUSED;

#endif
