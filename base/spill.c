/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spill.h"

#include "base/cancel.h"
#include "base/io.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FILE_LEAST ((size_t)64 << 10)  /* less isn't worth a file */
#define FREE_LEAST ((uint64_t)1 << 30) /* is left of the disk for others */
#define XFS_MAGIC 0x58465342           /* linux/magic.h lacks it on older systems */

/* In front of each piece. */
struct part {
    _Alignas(max_align_t) size_t size; /* with this */
    bool in_file;
};

/* Of what holds `size` bytes; SIZE_MAX, which xmalloc() refuses, where there is no such number. */
static size_t part_size(size_t size)
{
    return __builtin_add_overflow(size, sizeof(struct part), &size) ? SIZE_MAX : size;
}

static struct part *part_of(void *p)
{
    return (struct part *)p - 1;
}

bool spill_is_full(const struct spill *spill, size_t size)
{
    return spill && spill->dir_fd >= 0 && !atomic_load(&spill->is_refused) &&
           atomic_load(&spill->in_memory) + size > spill->most;
}

/* ext4 and XFS write to blocks that they gave before, whatever else fills the disk. Others copy on
 * write or only look whether there is room (btrfs, ZFS), are memory themselves (tmpfs), or aren't
 * ours to know (network, FUSE). */
static bool keeps_promises(int fd, size_t size)
{
    struct statfs fs;
    struct rlimit limit;
    if (fstatfs(fd, &fs) < 0 || (fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != XFS_MAGIC))
        return false;
    if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur < size)
        return false; /* SIGXFSZ */
    return (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= FREE_LEAST + size;
}

/* A signal cuts it short; one that ends us needs no file any more. */
static int allocate(int fd, size_t size)
{
    int result;
    do
        result = fallocate(fd, 0, 0, (off_t)size);
    while (result < 0 && errno == EINTR && !cancel_requested());
    return result;
}

static void *map_file(int dir_fd, size_t size)
{
    AUTO(close) int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 || !keeps_promises(fd, size) || allocate(fd, size) < 0)
        return NULL;
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return map == MAP_FAILED ? NULL : map;
}

/* NULL: it is to be ordinary memory, `more` of which it takes. */
static struct part *part_in_file(struct spill *spill, size_t size, size_t more)
{
    if (size < FILE_LEAST || !spill_is_full(spill, more))
        return NULL;
    struct part *part = map_file(spill->dir_fd, size);
    if (!part) {
        atomic_store(&spill->is_refused, true);
        return NULL;
    }
    *part = (struct part){ .size = size, .in_file = true };
    atomic_fetch_add(&spill->in_files, size);
    return part;
}

static void *in_memory(struct spill *spill, struct part *part, size_t size)
{
    *part = (struct part){ .size = size };
    if (spill)
        atomic_fetch_add(&spill->in_memory, size);
    return part + 1;
}

void *spill_alloc(struct spill *spill, size_t size)
{
    size = part_size(size);
    struct part *part = part_in_file(spill, size, size);
    return part ? part + 1 : in_memory(spill, xmalloc(size), size);
}

/* Ordinary memory becomes more of it. */
static void *grow(struct spill *spill, struct part *part, size_t size)
{
    if (spill)
        atomic_fetch_sub(&spill->in_memory, part->size);
    return in_memory(spill, xrealloc(part, size), size);
}

void *spill_resize(struct spill *spill, void *p, size_t size)
{
    if (!p)
        return spill_alloc(spill, size);
    struct part *old = part_of(p);
    size = part_size(size);
    if (old->in_file && size <= old->size)
        return p;
    struct part *part = NULL;
    if (size > old->size)
        part = part_in_file(spill, size, old->in_file ? size : size - old->size);
    if (!part && !old->in_file)
        return grow(spill, old, size);
    void *ret = part ? part + 1 : in_memory(spill, xmalloc(size), size);
    memcpy(ret, p, old->size - sizeof(*old));
    spill_free(spill, p);
    return ret;
}

void spill_free(struct spill *spill, void *p)
{
    if (!p)
        return;
    struct part *part = part_of(p);
    if (spill)
        atomic_fetch_sub(part->in_file ? &spill->in_files : &spill->in_memory, part->size);
    if (part->in_file)
        (void)munmap(part, part->size); /* can't fail: it is ours, and whole */
    else
        free(part);
}
