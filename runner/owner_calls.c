/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/owner_calls.h"

#include "base/array.h"
#include "base/auto.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#define X32_BIT 0x40000000u

const char *const owner_calls[] = {
    "chown",  "chown32",  "fchown", "fchown32", "fchownat",
    "lchown", "lchown32", "mknod",  "mknodat",  NULL,
};

/* Of the architectures that have both, the one without "32" takes ids of 16 bits. */
static bool has_small_ids(uint32_t arch, const char *name)
{
    return (arch == SCMP_ARCH_X86 || arch == SCMP_ARCH_ARM) && !strstr(name, "32") &&
           strcmp(name, "fchownat") != 0;
}

static uint32_t id_of(uint64_t argument, bool is_small)
{
    if (is_small)
        return (uint16_t)argument == UINT16_MAX ? UINT32_MAX : (uint16_t)argument;
    return (uint32_t)argument;
}

static bool parse_chown(const char *name, bool is_small, const uint64_t *args,
                        struct owner_call *call)
{
    const bool is_at = strcmp(name, "fchownat") == 0;
    const bool is_fd = !is_at && name[0] == 'f';
    const uint64_t *ids = args + (is_at ? 2 : 1);
    call->kind = OWNER_CALL_CHOWN;
    call->dir_fd = is_at || is_fd ? (int)args[0] : AT_FDCWD;
    call->has_path = !is_fd;
    call->path = args[is_at];
    call->uid = id_of(ids[0], is_small);
    call->gid = id_of(ids[1], is_small);
    call->is_nofollow = name[0] == 'l';
    if (!is_at)
        return true;
    const int flags = (int)args[4];
    call->is_nofollow = flags & AT_SYMLINK_NOFOLLOW;
    call->is_empty_allowed = flags & AT_EMPTY_PATH;
    return !(flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
}

static bool parse_mknod(const char *name, const uint64_t *args, struct owner_call *call)
{
    const bool is_at = strcmp(name, "mknodat") == 0;
    call->kind = OWNER_CALL_MKNOD;
    call->dir_fd = is_at ? (int)args[0] : AT_FDCWD;
    call->has_path = true;
    call->path = args[is_at];
    call->mode = (mode_t)args[1 + is_at];
    call->device = (uint32_t)args[2 + is_at];
    return true;
}

bool owner_call_parse(const struct seccomp_data *data, struct owner_call *ret)
{
    uint32_t arch = data->arch; /* the library's names of architectures are the kernel's ... */
    if (arch == AUDIT_ARCH_X86_64 && (uint32_t)data->nr & X32_BIT)
        arch = SCMP_ARCH_X32; /* ... but for this one */
    AUTO(free) char *name = seccomp_syscall_resolve_num_arch(arch, data->nr);
    uint64_t args[6];
    *ret = (struct owner_call){ .uid = UINT32_MAX, .gid = UINT32_MAX };
    for (size_t i = 0; i < ARRAY_SIZE(args); i++)
        args[i] = (uint64_t)data->args[i];
    if (!name)
        return false;
    for (size_t i = 0; owner_calls[i]; i++)
        if (!strcmp(owner_calls[i], name))
            return strstr(name, "mknod") ? parse_mknod(name, args, ret)
                                         : parse_chown(name, has_small_ids(arch, name), args, ret);
    return false;
}
