/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other programs that cbuild may call: git, ssh, credential helpers,
 * newuidmap/newgidmap, pasta/slirp4netns. posix_spawn, so safe with threads.
 * Output is captured with a limit; waiting is cancellable and timed.
 */
#ifndef CBUILD_BASE_SPAWN_H
#define CBUILD_BASE_SPAWN_H

#include "base/error.h"
#include "base/strbuf.h"

struct spawn_spec {
    const char *const *argv; /* argv[0] is looked up in PATH */
    const char *const *env;  /* NULL: ours */
    const char *dir;         /* NULL: ours */
    const void *input;       /* bytes for stdin; NULL: /dev/null */
    size_t input_size;
    size_t max_output; /* of stdout; ERR_LIMIT above */
    int timeout_ms;    /* 0: none; the process group is killed, ERR_FAILED */
    int pass_fd;       /* inherited, under its number; 0: none */
};

#define SPAWN_SPEC_INIT                                                                            \
    {                                                                                              \
        NULL, NULL, NULL, NULL, 0, 1 << 20, 0, 0                                                   \
    }

struct spawn_result {
    int status; /* exit status, or 128 + signal */
    struct strbuf out;
    struct strbuf error_out; /* at most 64 KiB kept */
};

void spawn_result_init(struct spawn_result *result);
void spawn_result_release(struct spawn_result *result);
DEFINE_AUTO_STRUCT(struct spawn_result, spawn_result_release)

/*
 * Runs it to its end. -1 only when it could not be run (ERR_NOT_FOUND: no such
 * program), timed out, or was cancelled; a non-zero status is a result.
 */
int spawn_run(const struct spawn_spec *spec, struct spawn_result *result,
              struct error **err) WARN_UNUSED;

#endif
