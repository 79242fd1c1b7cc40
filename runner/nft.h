/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of the kernel's packet filter (nf_tables) for one veth pair: a table of our own, which goes
 * when the socket that made it is closed, in whatever way this process ends. Kernels before 5.12
 * don't know that: there the table has a name that tells whose it is (owner_name.h), and the next
 * one to make one sweeps those of the dead.
 *
 * A table of our own can't allow what another one forbids: nft_probe_passed() tells.
 */
#ifndef CBUILD_RUNNER_NFT_H
#define CBUILD_RUNNER_NFT_H

#include "base/error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* TEST-NET-2 (RFC 5737): nobody's. What is sent there from inside is counted and goes nowhere. */
#define NFT_PROBE_ADDRESS 0xc6336401u

struct nft_rules {
    uint32_t interface;     /* index of the host's end */
    struct in_addr inside;  /* address of the other end: translated to the host's */
    struct in_addr gateway; /* of the host's end */
    /* What listens on the host's loopback is reached at the gateway; else nothing but DNS is. */
    bool reach_host;
};

/* A socket: closing it removes the table where the kernel can do that. */
int nft_open(const struct nft_rules *rules, struct error **err) WARN_UNUSED;
/* Whether a packet to NFT_PROBE_ADDRESS has come as far as to the way out. */
int nft_probe_passed(int fd, bool *passed, struct error **err) WARN_UNUSED;
/* Removes the table in any case. */
void nft_close(int *fd);

#endif
