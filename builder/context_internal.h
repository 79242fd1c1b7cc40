/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a context share: context.c (what is at a path), context_walk.c (what the rules
 * leave), context_read.c (content). Internal to them. */
#ifndef CBUILD_BUILDER_CONTEXT_INTERNAL_H
#define CBUILD_BUILDER_CONTEXT_INTERNAL_H

#include "base/arena.h"
#include "base/array.h"
#include "builder/context.h"
#include "builder/context_cache.h"
#include "builder/dockerignore.h"

#include <pthread.h>

#define FILES_AT_ONCE 256

/* What was seen at a path. In blocks of the context: it and its strings last as long. */
struct context_file {
    const char *path;
    struct file_content content; /* the digest: under the context's lock, once has_digest */
    int64_t mtime; /* whole seconds: the identity's nanoseconds don't reach beyond 2262 */
    union {
        struct xattr *capability; /* of a file, NULL: none */
        const char *link;         /* of a symlink */
        uint32_t device[2];       /* of a device: major, minor */
    };
    uint16_t mode;
    uint8_t type; /* enum entry_type */
    bool has_other_names, has_digest;
};

struct context {
    char *path;
    int fd; /* -1: the empty one */
    struct store *store;
    struct dockerignore *ignore;
    struct context_cache *cache;

    pthread_mutex_t lock;
    struct arena arena;
    struct context_file **blocks; /* of FILES_AT_ONCE; entry->content - 1 is the number */
    size_t n_blocks, blocks_capacity, n_files;
    bool has_time, git_modes;
    int64_t time;                /* context_set_time() */
    dev_t device_without_xattrs; /* 0: none is known */
};

struct context_file *context_file_of(struct context *context, const struct entry *entry);
/* path "" is the root. */
int context_open_dir(struct context *context, const char *path, struct error **err);
/* Remembers what stands at `name` in dir_fd, whose path is `dir`; *ret is its number. `name` is "."
 * for the root. Not for sockets. */
int context_see(struct context *context, int dir_fd, const char *dir, const char *name,
                const struct stat *st, uint64_t *ret, struct error **err);
/* A directory is excluded when nothing below it is left either. */
int context_is_excluded(struct context *context, const char *path, bool is_directory, bool *ret,
                        struct error **err);

#endif
