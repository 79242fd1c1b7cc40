/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor from a child to us, over a socket (SCM_RIGHTS), with a few bytes beside it. Both
 * set errno, and are async-signal-safe.
 */
#ifndef CBUILD_RUNNER_FD_PASSING_H
#define CBUILD_RUNNER_FD_PASSING_H

#include <stddef.h>
#include <sys/types.h>

/* size: at least 1. fd stays the caller's. 0 or -1. */
int fd_send(int socket_fd, int fd, void *data, size_t size);
/*
 * Doesn't wait. How many bytes came (0: the other end is closed), or -1; *fd, close-on-exec, is the
 * caller's, and -1 where none came.
 */
ssize_t fd_receive(int socket_fd, int *fd, void *data, size_t size);

#endif
