/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress as lines on stderr, in the shape of BuildKit's plain progress:
 *
 *     #5 [build 2/4] RUN make
 *     #5 0.42 text
 *     #5 DONE 1.2s
 *
 * Nothing is ever clipped. Thread-safe.
 */
#ifndef CBUILD_CLI_RENDER_PLAIN_H
#define CBUILD_CLI_RENDER_PLAIN_H

#include "base/progress.h"

struct progress *render_plain_new(void);
void render_plain_free(struct progress *progress);

#endif
