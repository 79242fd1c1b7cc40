/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a context share: context.c (what is at a path), context_walk.c (what the rules
 * leave), context_read.c (content). Internal to them. */
#ifndef CBUILD_BUILDER_CONTEXT_INTERNAL_H
#define CBUILD_BUILDER_CONTEXT_INTERNAL_H

#include "base/array.h"
#include "builder/context.h"
#include "builder/context_cache.h"
#include "builder/dockerignore.h"

#include <pthread.h>

/* A regular file as it was seen. */
struct context_file {
    char *path;
    struct file_identity identity;
    bool has_other_names;
    bool has_digest; /* under the context's lock, like the digest */
    uint8_t digest[SHA256_SIZE];
};

struct context {
    char *path;
    int fd; /* -1: the empty one */
    struct store *store;
    struct dockerignore *ignore;
    struct context_cache *cache;

    pthread_mutex_t lock;
    struct context_file **files; /* entry->content - 1 is the index */
    size_t n_files, files_capacity;
    bool has_time, git_modes;
    int64_t time;                /* context_set_time() */
    dev_t device_without_xattrs; /* 0: none is known */
};

struct context_file *context_file_of(struct context *context, const struct entry *entry);
/* path "" is the root. */
int context_open_dir(struct context *context, const char *path, struct error **err);
/* `path` is consumed. Not for sockets. */
int context_entry(struct context *context, int dir_fd, const char *name, char *path,
                  const struct stat *st, struct entry *ret, struct error **err);
/* A directory is excluded when nothing below it is left either. */
int context_is_excluded(struct context *context, const char *path, bool is_directory, bool *ret,
                        struct error **err);

#endif
