/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for what there can be millions of, and what is looked at a few times only: records of a
 * context, entries of a layer. The first of it is ordinary memory. What comes above that lies in
 * files without a name, mapped: when memory is short, the kernel writes such pages to the disk and
 * takes them, which without swap it can't do with ordinary ones. Where it isn't short, they stay in
 * the page cache and are gone with the mapping.
 *
 *     struct spill spill = SPILL_INIT(dir_fd, 16 << 20);
 *     items = spill_resize(&spill, items, n * sizeof(*items));
 *     spill_free(&spill, items);
 *
 * A file is used only where its blocks can be had before it is mapped (ext4, XFS), so that a disk
 * which fills up later is nobody's SIGBUS, and while enough of the disk is left for what the
 * process is to write. Else it is ordinary memory again: no call fails. Thread-safe, but for two
 * threads with one piece of it.
 */
#ifndef CBUILD_BASE_SPILL_H
#define CBUILD_BASE_SPILL_H

#include "base/auto.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct spill {
    int dir_fd;  /* borrowed; -1: no files */
    size_t most; /* bytes of ordinary memory before files are used */
    atomic_size_t in_memory, in_files;
    atomic_bool is_refused; /* no file could be had: nobody tries again */
};

#define SPILL_INIT(fd, bytes)                                                                      \
    {                                                                                              \
        (fd), (bytes), 0, 0, false                                                                 \
    }
/* Of ordinary memory, in a build. */
#define SPILL_MOST ((size_t)24 << 20)

/* `spill` may be NULL: ordinary memory. The content isn't set; aligned for any struct. */
void *spill_alloc(struct spill *spill, size_t size) WARN_UNUSED;
/* As realloc(); p may be NULL. */
void *spill_resize(struct spill *spill, void *p, size_t size) WARN_UNUSED;
/* p may be NULL; the spill that it came from. */
void spill_free(struct spill *spill, void *p);
/* Whether there is no ordinary memory left for `size` bytes, but files are. */
bool spill_is_full(const struct spill *spill, size_t size);

#endif
