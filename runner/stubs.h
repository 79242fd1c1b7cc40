/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount points that the image lacks. They are made in a directory of their own that is
 * stacked above all layers, below the upper: so they are there to mount on, never in the upper, and
 * no whiteout of a layer hides them. What is made is missing in the layers, so nothing is hidden by
 * it either; the directories on the way down are given the attributes that they have in the
 * layers, since a stacked directory shows those of its topmost layer.
 *
 * Async-signal-safe.
 */
#ifndef CBUILD_RUNNER_STUBS_H
#define CBUILD_RUNNER_STUBS_H

#include "runner/lookup.h"
#include "runner/report.h"

enum stubs_flags {
    STUBS_ALL_XATTRS = 1, /* an attribute that stubs_fd's file system can't hold is an error */
};

/*
 * `missing` is a lookup beneath root_fd that found nothing. Makes it below stubs_fd, as a directory
 * or a file, dated 1970.
 */
int stubs_add(int stubs_fd, int root_fd, const struct lookup *missing, bool dir, unsigned flags,
              struct report *report);

#endif
