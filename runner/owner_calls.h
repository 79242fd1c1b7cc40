/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls that owner_watch.h answers, of all architectures of the filter: from what the kernel
 * tells of a call to what it asks for. Pure.
 */
#ifndef CBUILD_RUNNER_OWNER_CALLS_H
#define CBUILD_RUNNER_OWNER_CALLS_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct owner_call {
    enum { OWNER_CALL_CHOWN, OWNER_CALL_MKNOD } kind;
    int dir_fd; /* or AT_FDCWD; of a chown without a path the file itself */
    bool has_path;
    uint64_t path; /* address in the caller's memory */
    bool is_nofollow, is_empty_allowed;
    uint32_t uid, gid; /* UINT32_MAX: unchanged */
    mode_t mode;
    uint32_t device; /* as mknod(2) has it */
};

/* Names of the calls, for the filter; NULL-terminated. */
extern const char *const owner_calls[];

/* False: none of them, or with arguments that the kernel refuses itself. */
bool owner_call_parse(const struct seccomp_data *data, struct owner_call *ret);

#endif
