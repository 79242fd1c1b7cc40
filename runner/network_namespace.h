/* SPDX-License-Identifier: Apache-2.0 */
/* A network namespace of our own, which nobody is in yet. */
#ifndef CBUILD_RUNNER_NETWORK_NAMESPACE_H
#define CBUILD_RUNNER_NETWORK_NAMESPACE_H

#include "base/error.h"

/* A new one with loopback up: an fd. It goes when nothing refers to it any more. */
int network_namespace_new(struct error **err) WARN_UNUSED;
/* socket(2) in it. */
int network_namespace_socket(int namespace_fd, int domain, int type, int protocol,
                             struct error **err) WARN_UNUSED;

#endif
