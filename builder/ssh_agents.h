/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agents that --ssh gives to a build: "ID" is $SSH_AUTH_SOCK's, "ID=SOCKET" another one,
 * "ID=KEY[,KEY...]" one of our own that holds the keys of these files. Ours is an ssh-agent,
 * started when somebody first asks, in a directory that only the user can enter, and ended with the
 * build.
 */
#ifndef CBUILD_BUILDER_SSH_AGENTS_H
#define CBUILD_BUILDER_SSH_AGENTS_H

#include "builder/executor.h"

/*
 * 1 and *socket (the build's own), 0: none of that id was given. ERR_NOT_FOUND: no such file, no
 * $SSH_AUTH_SOCK, no program ssh-agent; ERR_UNSUPPORTED: a key with a passphrase; ERR_INVALID: no
 * key. Any thread.
 */
int ssh_agents_socket(struct build *build, const char *id, const char **socket,
                      struct error **err) WARN_UNUSED;
void ssh_agents_release(struct build *build);

#endif
