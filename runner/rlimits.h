/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits of the command. Async-signal-safe. */
#ifndef CBUILD_RUNNER_RLIMITS_H
#define CBUILD_RUNNER_RLIMITS_H

#include "runner/report.h"
#include "runner/sandbox.h"

/*
 * RLIMIT_NOFILE 1024:524288, no core files (a core would hold secrets, and be handled outside), and
 * what `ulimits` says instead. A hard limit that we may not raise stays as it is, with the soft
 * limit as near as it allows.
 */
int rlimits_apply(const struct sandbox_ulimit *ulimits, size_t n, struct report *report);

#endif
