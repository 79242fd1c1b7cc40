/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities and ids of the command. Async-signal-safe.
 *
 * Root gets the 14 capabilities of a default container, another user none, with those
 * 14 as the bounding set; nothing inheritable or ambient.
 */
#ifndef CBUILD_RUNNER_CAPS_H
#define CBUILD_RUNNER_CAPS_H

#include "runner/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CAPS_DEFAULT UINT64_C(0xa80425fb)
/* Of those without KILL, NET_RAW, SYS_CHROOT, MKNOD and AUDIT_WRITE: harmless without namespaces.
 */
#define CAPS_CHROOT UINT64_C(0x800005db)
#define CAPS_ALL UINT64_MAX

struct caps_ids {
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t n_groups;
    bool keep_groups; /* where nobody may set them: in a namespace of a single id */
};

/*
 * Drops what is not in `wanted`, one of the sets above, then becomes the user.
 * The last step before exec: afterwards little is permitted.
 */
int caps_become(const struct caps_ids *ids, uint64_t wanted, struct report *report);

#endif
