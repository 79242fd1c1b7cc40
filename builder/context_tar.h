/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar as build context: its files beneath a directory of our own, with their
 * modes and times; owners don't matter, since a context's files are 0:0.
 *
 * Everything hostile in names is refused by the reader (layers/tar_read.h); a name is
 * followed through links that came with the archive, inside the directory. Later entries replace
 * earlier ones. Devices are refused: they can't be made in a directory that isn't nodev.
 * RELIABILITY.md 11, 12
 */
#ifndef CBUILD_BUILDER_CONTEXT_TAR_H
#define CBUILD_BUILDER_CONTEXT_TAR_H

#include "base/source.h"

/*
 * Owns tar (any compression). dir_fd: an empty directory. Parents that the archive leaves out are
 * 0755 with time 0, so is dir_fd itself where it has no entry. *newest (may be NULL) gets the
 * latest time of an entry.
 */
int context_tar_unpack(struct source *tar, int dir_fd, int64_t *newest,
                       struct error **err) WARN_UNUSED;

#endif
