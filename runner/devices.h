/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's /dev: a tmpfs on which no device node opens, with harmless nodes bound into it, so
 * that a node that the command makes itself stays dead wherever it is made. The nodes are our own;
 * where we may make none, the host's, read-only. Async-signal-safe.
 */
#ifndef CBUILD_RUNNER_DEVICES_H
#define CBUILD_RUNNER_DEVICES_H

#include "runner/lookup.h"
#include "runner/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct devices_spec {
    const char *shm_options; /* "mode=1777,size=N" */
    int aside_fd;            /* a directory that the sandbox won't see: "nodes" is made there */
    bool insecure;           /* nodes open everywhere */
    bool bind_by_path;       /* as for mounts_bind() */
};

/* Those of a container's /dev that are harmless. */
size_t devices_count(void);
dev_t devices_node(size_t index, const char **name);

/* null zero full random urandom tty, fd stdin stdout stderr, pts ptmx, shm, mqueue. */
int devices_mount(const struct devices_spec *spec, struct lookup *dev, struct report *report);

#endif
