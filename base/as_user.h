/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's own programs as the user again.
 *
 * In a user namespace where we are root (runner/userns.h) git, ssh and credential helpers would be
 * root too, look for /root/.ssh, and say to a session bus that they are user 0, which it knows to
 * be false. So they get a namespace inside ours that shows the user's id: it is the same user for
 * the kernel all the time. Since that must be made before the program is executed, and by a process
 * without threads, cbuild's executable is started first.
 */
#ifndef CBUILD_BASE_AS_USER_H
#define CBUILD_BASE_AS_USER_H

#include "base/strvec.h"

/*
 * Puts in front of argv, for spawn_run(), what makes it so; nothing where we aren't root in some
 * user's namespace, or where there is no such program: then spawn_run() says that.
 */
void as_user_wrap(struct strvec *argv);
/* The first thing in main: returns unless this process was started by such an argv. */
void as_user_main(char *const *argv);

#endif
