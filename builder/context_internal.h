/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a context share: context.c (what is at a path), context_walk.c (what the rules
 * leave), context_read.c (content). Internal to them. */
#ifndef CBUILD_BUILDER_CONTEXT_INTERNAL_H
#define CBUILD_BUILDER_CONTEXT_INTERNAL_H

#include "base/arena.h"
#include "base/array.h"
#include "base/hashmap.h"
#include "builder/context.h"
#include "builder/context_cache.h"
#include "builder/dockerignore.h"

#include <pthread.h>
#include <stdatomic.h>

#define FILES_AT_ONCE 256
#define SEGMENTS_MOST 40
#define DISKS_AT_ONCE 16
#define DISK_SEGMENTS_MOST 13

/*
 * What was seen at a path: 56 bytes, since there can be millions. It and its strings last as long
 * as the context. Written by the one thread that sees it, but for the digest.
 */
struct context_file {
    const char *path;
    /* of a regular file's content, NULL: not known (yet); set once: in the context, or in the map
     * of stat records */
    _Atomic(const uint8_t *) digest;
    union {
        uint64_t inode;
        const char *link;   /* of a symlink */
        uint32_t device[2]; /* of a device: major, minor */
    };
    uint64_t size;
    int64_t ctime_ns;
    int64_t mtime; /* whole seconds: a count of nanoseconds doesn't reach beyond 2262 */
    uint32_t mtime_ns : 30;
    uint32_t has_other_names : 1, has_capability : 1;
    uint16_t mode : 12, type : 4; /* enum entry_type */
    uint16_t disk;                /* which of the context's */
};

/* What one thread at a time sees things with: numbers and memory of its own. */
struct context_viewer {
    struct context_viewer *next; /* idle ones */
    struct context *context;
    struct arena arena;
    uint64_t next_number, last_number; /* next > last: none are left */
    dev_t device;                      /* of `disk`, when has_disk */
    uint16_t disk;
    bool has_disk;
    size_t near; /* among the stat records */
};

struct context {
    char *path;
    int fd; /* -1: the empty one */
    struct store *store;
    struct dockerignore *ignore;
    struct context_cache *cache;
    unsigned n_threads; /* that a walk may use; 0: as many as there are CPUs */
    bool has_time, git_modes;
    atomic_uint n_waits; /* first reads that would have waited for a disk; to WAITS_UNKNOWN */
    int64_t time;        /* context_set_time() */

    pthread_mutex_t lock; /* what follows */
    /* Segment k has room for FILES_AT_ONCE << k files, so that none ever moves: who was given a
     * number finds its file without the lock. entry->content is the number, from 1. */
    struct context_file *segments[SEGMENTS_MOST];
    atomic_uint_least64_t n_numbers; /* given to viewers */
    struct context_viewer *viewers;  /* idle */
    struct arena arena;              /* digests */
    struct hashmap capabilities; /* struct xattr, by the address of the file; in viewers' arenas */
    dev_t *disks[DISK_SEGMENTS_MOST]; /* likewise, of DISKS_AT_ONCE << k */
    size_t n_disks;
    atomic_ullong device_without_xattrs; /* 0: none is known */
};

struct context_file *context_file_of(struct context *context, const struct entry *entry);
struct file_identity context_file_identity(const struct context *context,
                                           const struct context_file *file);
/* A regular file's digest, if it is known without reading it; else NULL. near: as
 * context_cache_get(). */
const uint8_t *context_file_digest(struct context *context, struct context_file *file,
                                   size_t *near);
/* path "" is the root. */
int context_open_dir(struct context *context, const char *path, struct error **err);

struct context_viewer *context_viewer_take(struct context *context);
void context_viewer_return(struct context_viewer *viewer);
/* Remembers what stands at `name` in dir_fd, whose path is `dir`; *ret is its number. `name` is "."
 * for the root. Not for sockets. Its digest is looked up. */
int context_see(struct context_viewer *viewer, int dir_fd, const char *dir, const char *name,
                const struct stat *st, uint64_t *ret, struct error **err);
/* A directory is excluded when nothing below it is left either. */
int context_is_excluded(struct context *context, const char *path, bool is_directory, bool *ret,
                        struct error **err);

#endif
