/* SPDX-License-Identifier: Apache-2.0 */
/* What a step's program may call, as the kernel tells it: the architecture by the first byte. */
#include "runner/owner_calls.h"

#include "base/array.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t archs[] = { SCMP_ARCH_X86_64,  SCMP_ARCH_X86, SCMP_ARCH_X32,
                                      SCMP_ARCH_AARCH64, SCMP_ARCH_ARM, 0xffffffff };
    struct {
        uint8_t arch;
        uint16_t number;
        uint64_t args[6];
    } __attribute__((packed)) input = { 0 };
    memcpy(&input, data, size < sizeof(input) ? size : sizeof(input));
    struct seccomp_data call = { .nr = input.number,
                                 .arch = archs[input.arch % ARRAY_SIZE(archs)] };
    if (input.arch & 0x80)
        call.nr |= 0x40000000; /* of x32 */
    memcpy(call.args, input.args, sizeof(call.args));
    struct owner_call parsed;
    memset(&parsed, 0x5a, sizeof(parsed));
    if (!owner_call_parse(&call, &parsed))
        return 0;
    if (parsed.kind != OWNER_CALL_CHOWN && parsed.kind != OWNER_CALL_MKNOD)
        abort();
    if (!parsed.has_path && (parsed.kind == OWNER_CALL_MKNOD || parsed.dir_fd != (int)call.args[0]))
        abort();
    return 0;
}
