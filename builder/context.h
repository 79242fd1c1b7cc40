/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A build context: a directory read in place (never copied), seen through its
 * ignore rules. Files are hashed through stat records that last between builds
 * (context_cache.h), and not at all where nobody asks.
 *
 * Hostile input: FIFOs, sockets and devices never block or are read; links
 * that leave the directory are not followed. RELIABILITY.md 21. Thread-safe.
 */
#ifndef CBUILD_BUILDER_CONTEXT_H
#define CBUILD_BUILDER_CONTEXT_H

#include "base/sha256.h"
#include "base/source.h"
#include "base/strvec.h"
#include "layers/entry.h"
#include "oci/store.h"

struct context;
struct pattern_list;

/*
 * A local directory. `ignore` (owned; may be NULL): its rules; `ignore_name`: the file they came from, for messages.
 * ERR_NOT_FOUND, ERR_INVALID (not a directory). `store` keeps the stat records (STORE_CACHE_CONTEXTS).
 */
struct context *context_open(struct store *store, const char *path, struct pattern_list *ignore,
                             const char *ignore_name, struct error **err);
/* No files at all: Dockerfile on stdin. */
struct context *context_empty(struct store *store);
/* Writes new stat records; drops the context. */
void context_free(struct context *context);
DEFINE_AUTO(struct context, context_free)

const char *context_path(const struct context *context); /* as given; "-" for the empty one */
int context_fd(const struct context *context);           /* -1 for the empty one */

enum context_found {
    CONTEXT_ABSENT,
    CONTEXT_FOUND,
    CONTEXT_EXCLUDED, /* is there, but an ignore rule hides it */
};

/*
 * What is at a clean relative path ("" is the root), links not followed. Owner is 0:0 as copies have it, mtime whole
 * seconds, mode as on disk, xattrs security.capability only. When excluded, *why (free it; may be NULL) tells
 * ".dockerignore:3: node_modules".
 */
int context_stat(struct context *context, const char *path, enum context_found *found, struct entry *ret, char **why,
                 struct error **err) WARN_UNUSED;
/* Sorted names in a directory, excluded ones left out (but not directories that may hold re-included files). */
int context_list(struct context *context, const char *path, struct strvec *names, struct error **err) WARN_UNUSED;
/* SHA-256 of a regular file's content, from the stat record or by reading it. */
int context_digest(struct context *context, const struct entry *entry, uint8_t out[SHA256_SIZE],
                   struct error **err) WARN_UNUSED;
/* Its content: exactly entry->size bytes; ERR_INVALID "changed during the build" when size, mtime or ctime moved since its digest. */
struct source *context_open_file(struct context *context, const struct entry *entry, struct error **err);

#endif
