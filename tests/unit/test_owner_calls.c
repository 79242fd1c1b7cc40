/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/owner_calls.h"

#include "base/array.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <sys/stat.h>

#define NONE UINT32_MAX
#define PATH 0x1000

static const struct {
    const char *name;
    uint32_t arch; /* the library's */
    uint64_t args[5];
    bool is_known;
    struct owner_call call;
} cases[] = {
    { "chown",
      SCMP_ARCH_X86_64,
      { PATH, 33, 44 },
      true,
      { .kind = OWNER_CALL_CHOWN,
        .dir_fd = AT_FDCWD,
        .has_path = true,
        .path = PATH,
        .uid = 33,
        .gid = 44 } },
    { "lchown",
      SCMP_ARCH_X86_64,
      { PATH, 33, 0xffffffff },
      true,
      { .kind = OWNER_CALL_CHOWN,
        .dir_fd = AT_FDCWD,
        .has_path = true,
        .path = PATH,
        .is_nofollow = true,
        .uid = 33,
        .gid = NONE } },
    { "fchown",
      SCMP_ARCH_AARCH64,
      { 7, 1, 2 },
      true,
      { .kind = OWNER_CALL_CHOWN, .dir_fd = 7, .uid = 1, .gid = 2 } },
    { "fchownat",
      SCMP_ARCH_AARCH64,
      { 5, PATH, 1, 2, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH },
      true,
      { .kind = OWNER_CALL_CHOWN,
        .dir_fd = 5,
        .has_path = true,
        .path = PATH,
        .uid = 1,
        .gid = 2,
        .is_nofollow = true,
        .is_empty_allowed = true } },
    /* flags that the kernel refuses itself */
    { "fchownat", SCMP_ARCH_X86_64, { 5, PATH, 1, 2, 1 }, false, { .uid = 0 } },
    /* old calls have ids of 16 bits */
    { "chown",
      SCMP_ARCH_X86,
      { PATH, 0xffff, 0x12345 },
      true,
      { .kind = OWNER_CALL_CHOWN,
        .dir_fd = AT_FDCWD,
        .has_path = true,
        .path = PATH,
        .uid = NONE,
        .gid = 0x2345 } },
    { "chown32",
      SCMP_ARCH_X86,
      { PATH, 0xffff, 70000 },
      true,
      { .kind = OWNER_CALL_CHOWN,
        .dir_fd = AT_FDCWD,
        .has_path = true,
        .path = PATH,
        .uid = 0xffff,
        .gid = 70000 } },
    { "fchownat",
      SCMP_ARCH_ARM,
      { (uint32_t)AT_FDCWD, PATH, 70000, 2, 0 },
      true,
      { .kind = OWNER_CALL_CHOWN,
        .dir_fd = AT_FDCWD,
        .has_path = true,
        .path = PATH,
        .uid = 70000,
        .gid = 2 } },
    { "chown",
      SCMP_ARCH_X32,
      { PATH, 3, 4 },
      true,
      { .kind = OWNER_CALL_CHOWN,
        .dir_fd = AT_FDCWD,
        .has_path = true,
        .path = PATH,
        .uid = 3,
        .gid = 4 } },
    { "mknod",
      SCMP_ARCH_X86_64,
      { PATH, S_IFCHR | 0666, 0x103 },
      true,
      { .kind = OWNER_CALL_MKNOD,
        .dir_fd = AT_FDCWD,
        .has_path = true,
        .path = PATH,
        .uid = NONE,
        .gid = NONE,
        .mode = S_IFCHR | 0666,
        .device = 0x103 } },
    { "mknodat",
      SCMP_ARCH_AARCH64,
      { 3, PATH, S_IFBLK | 0600, 0x801 },
      true,
      { .kind = OWNER_CALL_MKNOD,
        .dir_fd = 3,
        .has_path = true,
        .path = PATH,
        .uid = NONE,
        .gid = NONE,
        .mode = S_IFBLK | 0600,
        .device = 0x801 } },
    { "open", SCMP_ARCH_X86_64, { PATH, 0, 0 }, false, { .uid = 0 } },
};

static struct seccomp_data data_of(size_t i)
{
    const int number = seccomp_syscall_resolve_name_arch(cases[i].arch, cases[i].name);
    assert_true(number >= 0);
    struct seccomp_data data = { .nr = number, .arch = cases[i].arch };
    if (cases[i].arch == SCMP_ARCH_X32)
        data.arch = AUDIT_ARCH_X86_64;
    for (size_t k = 0; k < ARRAY_SIZE(cases[i].args); k++)
        data.args[k] = cases[i].args[k];
    return data;
}

static void calls_are_read_as_each_architecture_has_them(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct seccomp_data data = data_of(i);
        const struct owner_call *wanted = &cases[i].call;
        struct owner_call call;
        if (owner_call_parse(&data, &call) != cases[i].is_known)
            fail_msg("%zu: %s", i, cases[i].name);
        if (!cases[i].is_known)
            continue;
        if (call.kind != wanted->kind || call.dir_fd != wanted->dir_fd ||
            call.has_path != wanted->has_path || (wanted->has_path && call.path != wanted->path) ||
            call.is_nofollow != wanted->is_nofollow ||
            call.is_empty_allowed != wanted->is_empty_allowed || call.uid != wanted->uid ||
            call.gid != wanted->gid || call.mode != wanted->mode || call.device != wanted->device)
            fail_msg("%zu: %s: fd %d, %u:%u, mode %o, device %x", i, cases[i].name, call.dir_fd,
                     call.uid, call.gid, call.mode, call.device);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_read_as_each_architecture_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
