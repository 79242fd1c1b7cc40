/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private network through a helper program: a network namespace of ours, and pasta or slirp4netns
 * that joins it to the host's network from outside. The helper ends when we do (keeper.h).
 */
#ifndef CBUILD_RUNNER_NETWORK_HELPER_H
#define CBUILD_RUNNER_NETWORK_HELPER_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct network_helper {
    int namespace_fd;
    int control_fd; /* the keeper's, -1: none runs */
    pid_t pid;
    const char *name_server; /* address that forwards to the host's name servers */
    const char *gateway;     /* address that leads to the host; NULL: none does */
};

#define NETWORK_HELPER_INIT                                                                        \
    {                                                                                              \
        -1, -1, 0, NULL, NULL                                                                      \
    }

struct network_kind {
    const char *name;
    /*
     * Returns when the network works. ERR_NOT_FOUND: no such program. Fills helper even on failure.
     * reach_host: what listens on the host's loopback is reached at helper->gateway.
     */
    int (*start)(struct network_helper *helper, bool reach_host, struct error **err);
};

extern const struct network_kind network_pasta, network_slirp4netns;

/* Ends the helper; ready to be used again. */
void network_helper_release(struct network_helper *helper);

#endif
