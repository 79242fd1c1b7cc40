/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a chain of layers shows, copied into one directory: the root of a RUN where no overlay can
 * be mounted. Afterwards diff_copy() compares it with the chain. Costs what the tree holds; the
 * next RUN gets the same copy, renewed, and that costs a look at each file and what was changed.
 *
 * What stands untouched is known without reading it: the copy notes the inode of every path, and
 * ends by waiting until the file system's clock has moved on. A file that has still its inode and a
 * change time from before (which nobody can set) is as it was. So a rename of a directory is seen,
 * though its files keep their times.
 *
 * Devices that may not be made here (a user namespace) are missing in the copy, and that isn't
 * taken for a removal.
 * On tmpfs, where a write through memory may change no time, the content of files is compared.
 */
#ifndef CBUILD_LAYERS_TREE_COPY_H
#define CBUILD_LAYERS_TREE_COPY_H

#include "layers/tree.h"

#include <sys/stat.h>

struct tree_copy;

struct tree_copy *tree_copy_new(struct store *store, struct tree *tree, struct error **err);
/* One more owner; any thread, as free. */
struct tree_copy *tree_copy_ref(struct tree_copy *copy);
/* With the last owner it is removed. */
void tree_copy_free(struct tree_copy *copy);
DEFINE_AUTO(struct tree_copy, tree_copy_free)

/* O_PATH|O_DIRECTORY; belong to the copy: the root, and an empty directory beside it. */
int tree_copy_root_fd(const struct tree_copy *copy);
int tree_copy_work_fd(const struct tree_copy *copy);
/* The RUN is over: the work directory goes. */
int tree_copy_seal(struct tree_copy *copy, struct error **err) WARN_UNUSED;
/* Whether a copy of this tree can come of it: the tree stands on the one that it was made of. */
bool tree_copy_serves(const struct tree_copy *copy, struct tree *tree);
/*
 * After seal: a copy of `tree`, which it serves, as tree_copy_new() makes it. Waits until the
 * caller is the only owner: the layer of what the RUN changed is read from it. On failure it is
 * good for nothing more.
 */
int tree_copy_renew(struct tree_copy *copy, struct tree *tree, struct error **err) WARN_UNUSED;

/* Whether there was something at this path (clean, relative) when it was made. */
bool tree_copy_had(const struct tree_copy *copy, const char *path);
/*
 * Whether the thing dir_fd/name at this path, whose `st` it is, is the one that was made there,
 * written to or not: not one that got its inode since.
 */
bool tree_copy_has_kept(const struct tree_copy *copy, const char *path, const struct stat *st,
                        int dir_fd, const char *name);
/* Whether `st`, which is there now and no directory, is what was there. */
bool tree_copy_is_untouched(const struct tree_copy *copy, const char *path, const struct stat *st);

#endif
