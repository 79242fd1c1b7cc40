/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/userns.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    unsigned cap;
    const char *name, *use;
} needed[] = {
    { CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "namespaces and mounts" },
    { CAP_SETUID, "CAP_SETUID", "USER" },
    { CAP_SETGID, "CAP_SETGID", "USER" },
    { CAP_SETPCAP, "CAP_SETPCAP", "dropping capabilities" },
};

int userns_check_privilege(struct error **err)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = { 0 };
    if (syscall(SYS_capget, &header, data) < 0)
        return error_errno(err, "reading capabilities");
    uint64_t effective = data[0].effective | (uint64_t)data[1].effective << 32;
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        if (effective >> needed[i].cap & 1)
            continue;
        if (geteuid() != 0) {
            (void)error_set(err, ERR_UNSUPPORTED, "RUN without root isn't supported yet");
            error_hint(err, "run cbuild as root, for example with sudo");
        } else {
            (void)error_set(err, ERR_UNSUPPORTED,
                            "RUN needs %s for %s: this container has taken it away", needed[i].name,
                            needed[i].use);
            error_hint(err, "run the container with --privileged, or cbuild outside of it");
        }
        return -1;
    }
    return 0;
}
