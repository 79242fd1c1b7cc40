/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits of the command. */
#ifndef CBUILD_RUNNER_RLIMITS_H
#define CBUILD_RUNNER_RLIMITS_H

#include "base/error.h"
#include "runner/limits.h"
#include "runner/report.h"

/*
 * RLIMIT_NOFILE 1024:524288, no core files (a core would hold secrets, and be handled outside), and
 * what `limits` (may be NULL) says instead. Of the first two a hard limit that we may not raise
 * stays as it is, with the soft limit as near as it allows. One that was asked for is then
 * a REPORT_LIMIT; with best_effort it is treated as the others are, and REPORT_NOTEs go to
 * `note_fd`. Async-signal-safe.
 */
int rlimits_apply(const struct sandbox_limits *limits, int note_fd, struct report *report);

/* The names that --ulimit takes. */
const char *const *rlimit_names(size_t *n);
/* RLIMIT_... of a name; -1: there is none. */
int rlimit_find(const char *name);

/* What a REPORT_LIMIT or REPORT_NOTE that names a resource means: ERR_UNSUPPORTED. Always -1. */
int rlimit_refusal(const char *name, struct error **err);

#endif
