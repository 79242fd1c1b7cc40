/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a RUN's upper, read when its layer is streamed. */
#ifndef CBUILD_LAYERS_UPPER_CONTENT_H
#define CBUILD_LAYERS_UPPER_CONTENT_H

#include "layers/changeset.h"

struct tree_copy;

/* For reading, beneath dir_fd, without following links, blocking or touching the access time. */
int upper_open(int dir_fd, const char *path, struct error **err) WARN_UNUSED;
/*
 * The content of the entries lies under their paths in root_fd (duplicated), which is `copy`'s
 * where that is given: owned on success, and removed with the changeset.
 */
int upper_content_set(struct changeset *changeset, int root_fd, struct tree_copy *copy,
                      struct error **err) WARN_UNUSED;

#endif
