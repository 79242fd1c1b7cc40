/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket of our own in front of an ssh agent's, for RUN --mount=type=ssh: with the owner and mode
 * that the mount asks for, which aren't ours to change on the agent's. The agent sees this process
 * as its peer (OpenSSH's answers only root and its own user), never one of the sandbox.
 *
 *     start → mount ssh_forward_path() → free, when the command has ended
 *
 * A thread moves bytes between the two until then. DOCKERFILE.md section 7, "ssh".
 */
#ifndef CBUILD_BUILDER_SSH_FORWARD_H
#define CBUILD_BUILDER_SSH_FORWARD_H

#include "base/error.h"

#include <stdint.h>

struct ssh_forward;

struct ssh_forward_options {
    const char *agent; /* socket of the agent */
    int dir_fd;        /* where ours is made; borrowed, kept open by the caller until the end */
    uint32_t uid, gid, mode;
};

/* ERR_NOT_FOUND, ERR_IO: the agent's socket isn't there, or ours can't be made. */
struct ssh_forward *ssh_forward_start(const struct ssh_forward_options *options,
                                      struct error **err);
/* Absolute; the forward's own. */
const char *ssh_forward_path(const struct ssh_forward *forward);
/* Ends the thread and all connections, and removes the socket. */
void ssh_forward_free(struct ssh_forward *forward);
DEFINE_AUTO(struct ssh_forward, ssh_forward_free)

#endif
