/* SPDX-License-Identifier: Apache-2.0 */
/* How much ordinary memory something takes for each of many things: no more than was promised. */
#ifndef CBUILD_TESTS_UNIT_MEMORY_GROWTH_H
#define CBUILD_TESTS_UNIT_MEMORY_GROWTH_H

#include "base/spill.h"

#include <linux/magic.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/vfs.h>

#define PER_ENTRY 64
#define XFS_MAGIC 0x58465342

/* Whether a spill uses files there: its file system keeps what it gave, and has room for `size`. */
static inline bool memory_has_files(int dir_fd, size_t size)
{
    struct statfs fs;
    return fstatfs(dir_fd, &fs) == 0 && (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_MAGIC) &&
           (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize > ((uint64_t)1 << 30) + size;
}

/* Bytes that malloc() gave out; 0 where a sanitizer counts them. */
static inline size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

#endif
