/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's setgroups() and setresuid() signal all threads of the process that we are a copy of. */
static int set_ids(const struct caps_ids *ids, struct report *report)
{
    if (!ids->keep_groups && syscall(SYS_setgroups, ids->n_groups, ids->groups) < 0)
        return report_errno(report, "setting the supplementary groups", NULL);
    if (syscall(SYS_setresgid, ids->gid, ids->gid, ids->gid) < 0)
        return report_errno(report, "changing to the group", NULL);
    if (syscall(SYS_setresuid, ids->uid, ids->uid, ids->uid) < 0)
        return report_errno(report, "changing to the user", NULL);
    return 0;
}

/* EINVAL: this kernel's last capability came before. */
static int drop_bounding(uint64_t keep, struct report *report)
{
    for (unsigned long cap = 0; cap < 64; cap++) {
        if (keep >> cap & 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return errno == EINVAL ? 0 : report_errno(report, "dropping capabilities", NULL);
    }
    return 0;
}

static int set_caps(uint64_t permitted, struct report *report)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = { 0 };
    for (int i = 0; i < 2; i++)
        data[i].permitted = data[i].effective = (uint32_t)(permitted >> (32 * i));
    if (syscall(SYS_capset, &header, data) < 0)
        return report_errno(report, "setting capabilities", NULL);
    return 0;
}

/* What there is of `wanted`: a container around us may have taken some away. */
static int available_caps(uint64_t wanted, uint64_t *ret, struct report *report)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return report_errno(report, "reading capabilities", NULL);
    *ret = wanted & (data[0].permitted | (uint64_t)data[1].permitted << 32);
    return 0;
}

int caps_become(const struct caps_ids *ids, uint64_t wanted, struct report *report)
{
    uint64_t keep = 0;
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* none are raised by capset */
    if (available_caps(wanted, &keep, report) < 0)
        return -1;
    if (wanted != CAPS_ALL && drop_bounding(wanted, report) < 0)
        return -1;
    if (set_ids(ids, report) < 0)
        return -1;
    return ids->uid == 0 ? set_caps(keep, report) : set_caps(0, report);
}
