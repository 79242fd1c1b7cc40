/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private networks: a network namespace of ours, and what joins it to the host's network: a pair of
 * interfaces (network_veth.c), or pasta or slirp4netns from outside, which end when we do
 * (keeper.h).
 */
#ifndef CBUILD_RUNNER_NETWORK_HELPER_H
#define CBUILD_RUNNER_NETWORK_HELPER_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct network_helper {
    int namespace_fd;
    int control_fd; /* the keeper's, -1: none runs */
    struct keeper *keeper;
    char *interface; /* the host's end of a pair; NULL: there is none */
    int nft_fd;      /* nft.h; -1: none */
    char *resolv;    /* text of resolv.conf, in place of the host's; or NULL */
    char gateway_text[16];
    const char *name_server; /* address that forwards to the host's name servers */
    const char *gateway;     /* address that leads to the host; NULL: none does */
};

#define NETWORK_HELPER_INIT                                                                        \
    {                                                                                              \
        .namespace_fd = -1, .control_fd = -1, .nft_fd = -1                                         \
    }

struct network_kind {
    const char *name;
    /*
     * Returns when the network works. ERR_NOT_FOUND: no such program. Fills helper even on failure.
     * reach_host: what listens on the host's loopback is reached at helper->gateway.
     */
    int (*start)(struct network_helper *helper, bool reach_host, struct error **err);
};

extern const struct network_kind network_veth, network_pasta, network_slirp4netns;
/* Of network_veth. */
void network_veth_remove(const char *interface);

/* Ends the helper; ready to be used again. */
void network_helper_release(struct network_helper *helper);

#endif
