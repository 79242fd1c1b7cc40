/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's terminal, while a command in a sandbox has it: in raw mode, so that every key, Ctrl-C
 * and Ctrl-Z among them, goes to the command's own terminal (pty.h), and with changes of the
 * window's size passed on.
 *
 * It is given back as it was on every way out: when the relay ends, for whatever reason, by it;
 * when this process dies, by the keeper (keeper.h), which has what it needs for that.
 */
#ifndef CBUILD_RUNNER_TERMINAL_H
#define CBUILD_RUNNER_TERMINAL_H

#include "base/error.h"

#include <sys/ioctl.h>
#include <termios.h>

struct terminal {
    int in_fd, out_fd;
    struct termios mode; /* as the user has it */
};

/* Borrows both. ERR_UNSUPPORTED: they aren't terminals. */
int terminal_init(struct terminal *terminal, int in_fd, int out_fd, struct error **err) WARN_UNUSED;
/* Its size now; 80 by 24 where it doesn't say. */
struct winsize terminal_window(const struct terminal *terminal);
/*
 * Between it and pty_fd (non-blocking), until end_fd is readable or closed and all output has been
 * shown. ERR_CANCELLED as for every wait. One at a time in a process.
 */
int terminal_relay(const struct terminal *terminal, int pty_fd, int end_fd,
                   struct error **err) WARN_UNUSED;

#endif
