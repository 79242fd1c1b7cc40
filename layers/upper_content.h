/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a RUN's upper, read when its layer is streamed. */
#ifndef CBUILD_LAYERS_UPPER_CONTENT_H
#define CBUILD_LAYERS_UPPER_CONTENT_H

#include "layers/changeset.h"

/* For reading, beneath dir_fd, without following links, blocking or touching the access time. */
int upper_open(int dir_fd, const char *path, struct error **err) WARN_UNUSED;
/* The content of the entries lies under their paths in root_fd (duplicated). */
int upper_content_set(struct changeset *changeset, int root_fd, struct error **err) WARN_UNUSED;

#endif
