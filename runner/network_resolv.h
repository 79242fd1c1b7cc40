/* SPDX-License-Identifier: Apache-2.0 */
/* resolv.conf as text. Pure. */
#ifndef CBUILD_RUNNER_NETWORK_RESOLV_H
#define CBUILD_RUNNER_NETWORK_RESOLV_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The host's text for somebody with another (IPv4) address: without name servers on loopback and of
 * IPv6. Where that leaves none, `systemd` gives them: the list that systemd-resolved keeps of those
 * behind its stub on 127.0.0.53. false: those that there are are no good; none at all will do, as
 * public ones are taken then.
 */
bool network_resolv_of_others(const char *host, const char *systemd, struct strbuf *ret);
/* The lines of `host`, name servers only with `keep_servers`; true when it kept one. */
bool network_resolv_copy(const char *host, bool keep_servers, struct strbuf *buf);

#endif
