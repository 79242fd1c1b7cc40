/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether layers can be stacked here, by doing it: a directory of a lower layer is removed and made
 * again, which takes a whiteout and an opaque mark. An overlay that can't keep marks mounts all the
 * same, and fails there (EIO).
 */
#ifndef CBUILD_RUNNER_OVERLAY_PROBE_H
#define CBUILD_RUNNER_OVERLAY_PROBE_H

#include "base/error.h"

/*
 * dir: absolute, empty, on the file system where layers and uppers are; the caller removes what is
 * left in it. "/proc/self/fd/N" will do. ERR_UNSUPPORTED says what went wrong. Takes a process of
 * less than a millisecond.
 */
int overlay_probe(const char *dir, struct error **err) WARN_UNUSED;

#endif
