/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps cbuild's own executable out of the sandbox. Until exec, /proc/self/exe is cbuild on the
 * host's file system: a script or program of the image that names it as its interpreter would
 * execute it, and could hold on to the host's file by /proc/1/exe (CVE-2019-5736).
 * Async-signal-safe.
 */
#ifndef CBUILD_RUNNER_EXEC_GUARD_H
#define CBUILD_RUNNER_EXEC_GUARD_H

#include <stdbool.h>

/* Executing file would execute what we are: itself, by its #! line, or as its ELF interpreter. */
bool exec_guard_refuses(const char *file);

#endif
