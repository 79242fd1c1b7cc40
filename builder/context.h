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
struct dockerignore;

/*
 * A local directory. `ignore` (consumed, also on failure; may be NULL): its rules.
 * ERR_NOT_FOUND, ERR_INVALID (not a directory). `store` keeps the stat records
 * (STORE_CACHE_CONTEXTS).
 */
struct context *context_open(struct store *store, const char *path, struct dockerignore *ignore,
                             struct error **err);
/*
 * A directory that this process made for itself (an unpacked archive, a checkout): no ignore rules,
 * and no stat records, since they would be of no use to the next build. Consumes fd; `name` is for
 * messages.
 */
struct context *context_adopt(struct store *store, const char *name, int fd);
/* No files at all: Dockerfile on stdin. */
struct context *context_empty(struct store *store);
/* Writes new stat records; drops the context. */
void context_free(struct context *context);
DEFINE_AUTO(struct context, context_free)

/* When what is in it was made, where that is known; before anybody else asks. */
void context_set_time(struct context *context, int64_t seconds);
bool context_time(const struct context *context, int64_t *seconds);
/* How many threads a walk may use; 0, as it is at first: one for each CPU. What it tells doesn't
 * depend on it. */
void context_set_threads(struct context *context, unsigned n);
/*
 * Modes as git keeps them: files are 0755 where their owner may execute them, else 0644,
 * directories 0755. So neither keys nor layers depend on the umask of a checkout. Before anybody
 * asks for entries.
 */
void context_use_git_modes(struct context *context);

const char *context_path(const struct context *context); /* as given; "-" for the empty one */
int context_fd(const struct context *context);           /* -1 for the empty one */
struct store *context_store(const struct context *context);
/* Its rules; NULL: none. */
const struct dockerignore *context_ignore(const struct context *context);

enum context_found {
    CONTEXT_ABSENT,
    CONTEXT_FOUND,
    CONTEXT_EXCLUDED, /* is there, but an ignore rule hides it (of a directory: and all below) */
};

/*
 * What is at a clean relative path ("" is the root), links not followed. Owner is 0:0 as copies
 * have it, mtime whole seconds, mode as on disk, xattrs security.capability only (of files that can
 * be executed: elsewhere it means nothing). `ret` is filled when found or excluded; its `content`
 * is the number under which this context remembers it. *why (free it; `why` may be NULL) says for
 * an excluded path "excluded by line 3 of .dockerignore (node_modules)", for a socket (ABSENT) that
 * it is one.
 */
int context_stat(struct context *context, const char *path, enum context_found *found,
                 struct entry *ret, char **why, struct error **err) WARN_UNUSED;
/* Sorted names in a directory, excluded ones left out (but not directories that may hold
 * re-included files). Sockets are listed. */
int context_list(struct context *context, const char *path, struct strvec *names,
                 struct error **err) WARN_UNUSED;

/*
 * Told each entry below a directory: parents first, the names of a directory sorted by bytes. An
 * excluded directory is told only when something below it isn't, just before that. Sockets are left
 * out. What the entry points to is the context's and stays as long. The visitor returns 0, -1, or 1
 * for "don't enter this directory".
 */
typedef int (*context_visit)(void *data, const struct entry *entry, struct error **err);
int context_walk(struct context *context, const char *path, context_visit visit, void *data,
                 struct error **err) WARN_UNUSED;

/* The entry with this `content`, as context_walk() told it: what it points to is the context's. */
void context_entry(struct context *context, uint64_t number, struct entry *ret);

/* Adds to `hash` what tells a regular file as it was seen from every other: equal for the same file
 * that didn't change in between. For this process only. */
void context_identify(struct context *context, const struct entry *entry, struct sha256 *hash);

/* SHA-256 of a regular file's content if that is known without reading it, else NULL. It lasts as
 * long as the context. */
const uint8_t *context_known_digest(struct context *context, const struct entry *entry);
/* The same, from the stat record or by reading. ERR_INVALID "changed during the build". */
int context_digest(struct context *context, const struct entry *entry, uint8_t out[SHA256_SIZE],
                   struct error **err) WARN_UNUSED;
/* Its content: exactly entry->size bytes; ERR_INVALID "changed during the build" when size, mtime
 * or ctime moved since context_stat() or context_walk(), which is found at the end. */
struct source *context_open_file(struct context *context, const struct entry *entry,
                                 struct error **err);
/* The same; what was read to its end is hashed on the way, where that isn't known: context_digest()
 * then needn't read it again. */
struct source *context_open_learning(struct context *context, const struct entry *entry,
                                     struct error **err);
/* It will be opened soon: its content begins to come from the disk, if those opened before weren't
 * in memory. False: they were. Nothing is said of a file that can't be opened. */
bool context_read_ahead(struct context *context, const struct entry *entry);
/* The file itself, with the same check; an fd. */
int context_open_fd(struct context *context, const struct entry *entry,
                    struct error **err) WARN_UNUSED;
/* ERR_INVALID "changed during the build": to be asked after an fd was read. */
int context_check_unchanged(struct context *context, const struct entry *entry, int fd,
                            struct error **err) WARN_UNUSED;

/* Whether a regular file has other names (on this disk), and then what all of them have in common:
 * free() it. NULL: it has no others. */
char *context_link_key(struct context *context, const struct entry *entry);

#endif
