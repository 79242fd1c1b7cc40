/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of other architectures in sandboxes. The kernel runs some by itself (amd64 those of
 * 386), others through an emulator that is registered with binfmt_misc. Where none is, and a static
 * qemu is installed, we register it: since Linux 6.7 a user namespace has handlers of its own,
 * which need no root and which nobody else sees. They are gone with us.
 *
 * Whether programs run is found out by running one (binfmt.h has it), in the place where sandboxes
 * are made: handlers can't be listed everywhere.
 */
#ifndef CBUILD_RUNNER_FOREIGN_H
#define CBUILD_RUNNER_FOREIGN_H

#include "base/error.h"
#include "base/strvec.h"

#include <stdbool.h>

struct foreign;

/* own_userns: the process has entered a user namespace that it made. */
struct foreign *foreign_new(bool own_userns);
/* Removes what was registered. */
void foreign_free(struct foreign *foreign);
DEFINE_AUTO(struct foreign, foreign_free)

/*
 * Sees to it that programs of `architecture` (as platforms call it) run in sandboxes that begin
 * from now on. Found out once. *interpreter: NULL, or a path on this machine where an emulator has
 * to be in the sandbox too (MOUNT_BIND); it belongs to `foreign`. Any thread.
 *
 * ERR_UNSUPPORTED with a hint: they don't.
 */
int foreign_prepare(struct foreign *foreign, const char *architecture, const char **interpreter,
                    struct error **err) WARN_UNUSED;

/* Whether they run as things are; also where nothing is known of the architecture. */
bool foreign_runs(const char *architecture);
/* Whether they would in a user namespace of our own, after foreign_prepare(). */
bool foreign_may_run(const char *architecture);
/* The other architectures that we know: whose programs run as things are, whose may (as above), and
 * whose don't. */
void foreign_list(struct strvec *run, struct strvec *may, struct strvec *none);
/* The error of foreign_prepare() for one whose programs don't; yields -1. */
int foreign_refuse(const char *architecture, struct error **err);

#endif
