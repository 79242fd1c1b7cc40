/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network of a build's steps. Made once, when the first RUN needs it, and shared
 * by all its steps; `none` and `host` need no object.
 *
 * Kinds, in the order that they are tried: veth (a pair of interfaces and address translation, for
 * root), pasta, slirp4netns (a helper program that joins a network namespace of ours to the host's
 * network), then the host's network with a warning. A kind is a table of operations, so that
 * bridges can come later. CBUILD_NETWORK lists those that may be tried, as "pasta,slirp4netns".
 */
#ifndef CBUILD_RUNNER_NETWORK_H
#define CBUILD_RUNNER_NETWORK_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct network;

/*
 * *warning (free it) is NULL, or one sentence for the user: where no helper could be used, the
 * network is the host's. An error only for what must not be passed over: ERR_CANCELLED,
 * and ERR_USAGE for CBUILD_NETWORK.
 * reach_host: what listens on the host, on loopback too, is reached at network_gateway().
 */
int network_new(bool reach_host, struct network **ret, char **warning,
                struct error **err) WARN_UNUSED;
/* Ends the helper; call it when no step runs any more. Accepts NULL. */
void network_free(struct network *network);
DEFINE_AUTO(struct network, network_free)

/* "veth", "pasta", "slirp4netns", "host" */
const char *network_kind(const struct network *network);
bool network_is_host(const struct network *network);
/* Where the host is seen from in it; "127.0.0.1" in the host's own. NULL: nowhere. */
const char *network_gateway(const struct network *network);
/* The network namespace that steps enter; belongs to the network; -1: the host's. */
int network_namespace_fd(const struct network *network);

/*
 * Text of /etc/hosts: localhost in both families (and the host name, so that it resolves), then
 * `extra` lines as they are. Pure.
 */
void network_format_hosts(const char *hostname, const char *const *extra, size_t n_extra,
                          struct strbuf *buf);
/*
 * Text of /etc/resolv.conf: that of `host` (text of the host's file), with `dns` for its name
 * servers if any are given, else the helper's forwarder, which asks whom the host asks, stub
 * resolvers on loopback included. Where that leaves none: public ones.
 */
void network_format_resolv(const struct network *network, const char *host, const char *const *dns,
                           size_t n_dns, struct strbuf *buf);

#endif
