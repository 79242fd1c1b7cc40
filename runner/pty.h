/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal of a command in a sandbox: a pty of the sandbox's own /dev/pts, so that `tty` names
 * it and nothing of the user's terminal is in reach. The child makes it, the parent gets the other
 * end through a socket.
 */
#ifndef CBUILD_RUNNER_PTY_H
#define CBUILD_RUNNER_PTY_H

#include "base/error.h"
#include "runner/report.h"

#include <sys/ioctl.h>
#include <sys/types.h>

struct pty_spec {
    int socket_fd; /* where the parent's end goes; closed by then */
    struct winsize window;
    uid_t uid; /* whose it is */
    gid_t gid;
};

/*
 * In the child, when /dev is there (without one of its own, while it still sees the host's): the
 * leader of a session without a terminal gets one, on its descriptors 0 to 2. Async-signal-safe.
 */
int pty_enter(const struct pty_spec *spec, struct report *report);
/* In the parent: its end, when the child has sent it; doesn't wait. Non-blocking itself. */
int pty_receive(int socket_fd, struct error **err) WARN_UNUSED;

#endif
