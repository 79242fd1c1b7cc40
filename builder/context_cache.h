/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stat records: which content a file of a build context had when it was last
 * read, so that an unchanged file isn't read again.
 *
 * One file per context, mapped: a header and records sorted by (device,
 * inode), each with a check sum of its own. It is a cache: a file that is
 * missing, cut, or of another version or byte order counts as empty, a damaged record
 * as absent.
 *
 * A record tells the truth only if a later change must move the file's ctime. The
 * clock that file systems stamp with ticks every 1 to 10 ms, so a file changed within a tick of
 * its reading could keep its ctime: such a record ("racy" in git's words) isn't
 * kept. File systems that count in seconds get two.
 *
 * Thread-safe.
 */
#ifndef CBUILD_BUILDER_CONTEXT_CACHE_H
#define CBUILD_BUILDER_CONTEXT_CACHE_H

#include "base/error.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct file_identity {
    uint64_t device, inode, size;
    int64_t mtime_ns, ctime_ns;
};

/* What a file was when it was read. */
struct file_content {
    struct file_identity file;
    const uint8_t *digest;
};

struct file_identity file_identity_of(const struct stat *st);
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);
/* Beyond the year 2262 it begins anew. */
int64_t file_time_ns(int64_t seconds, long nanoseconds);

struct context_cache;

/*
 * `name` beneath dir_fd (borrowed until free). Never fails: what can't be read is empty.
 * get_content: what an item that was put stands for; what it says doesn't change, and lasts until
 * free. So that nobody keeps it twice: there can be millions. By any thread.
 */
struct context_cache *context_cache_open(int dir_fd, const char *name,
                                         void (*get_content)(void *data, const void *item,
                                                             struct file_content *ret),
                                         void *data);
/* The digest, which lasts until free; NULL: not known. *near, 0 at first, is where the caller's
 * last one stood: files of a directory mostly stand side by side. */
const uint8_t *context_cache_get(struct context_cache *cache, const struct file_identity *file,
                                 size_t *near);
/* `item` is borrowed until free. started_ns: CLOCK_REALTIME before the first byte was read. */
void context_cache_put(struct context_cache *cache, const void *item, int64_t started_ns);
/* Replaces the file when there are new records. Old ones that nobody asked for stay while they are
 * few. */
int context_cache_write(struct context_cache *cache, struct error **err) WARN_UNUSED;
void context_cache_free(struct context_cache *cache);
DEFINE_AUTO(struct context_cache, context_cache_free)

#endif
