/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree that a COPY writes to: what the layers below show, and what has changed since. It is
 * a model in memory; the layer is what is left different at the end.
 *
 * 1. Making or replacing a name gives its directory the time `now`, as a file system does.
 * 2. At the end a file, link or device is in the layer unless type, mode, owner, time, xattrs and
 * content are what the layers below show; a directory unless type, mode, owner and xattrs are (its
 * time alone is no change).
 * 3. Whatever is in the layer has its parent directories there too, with what they are by then; the
 *    root never is.
 * 4. A directory in place of another (its content removed) hides the old content by one whiteout
 * per name.
 *
 * That is what other builders get by comparing an overlay's upper directory: DOCKERFILE.md
 * section 11.
 *
 * Paths are clean, relative to the root, and literal, unless a function says that it follows links.
 * Internal to copy*.c.
 */
#ifndef CBUILD_BUILDER_COPY_DEST_H
#define CBUILD_BUILDER_COPY_DEST_H

#include "builder/copy_content.h"
#include "layers/file_times.h"

struct copy_dest;

/* below: NULL or borrowed until free. `content`: borrowed. */
struct copy_dest *copy_dest_new(struct tree *below, struct copy_content *content, int64_t now,
                                struct spill *spill);
void copy_dest_free(struct copy_dest *dest);
DEFINE_AUTO(struct copy_dest, copy_dest_free)

/* What directories are made with. */
struct copy_made {
    uint16_t mode;
    uint32_t uid, gid;
    void (*made)(void *data, const char *path); /* told each one; may be NULL */
    void *data;
};

/* 1 and *ret (the dest's own; valid until the next call), 0 nothing there, -1. */
int copy_dest_find(struct copy_dest *dest, const char *path, const struct entry **ret,
                   struct error **err) WARN_UNUSED;
/* All links followed as far as the path exists, inside the root; the rest is appended. free()
 * *real. */
int copy_dest_real_path(struct copy_dest *dest, const char *path, bool follow_last, char **real,
                        struct error **err) WARN_UNUSED;
/* mkdir -p. ERR_EXISTS: something else than a directory is in the way. */
int copy_dest_make_dirs(struct copy_dest *dest, const char *path, const struct copy_made *made,
                        struct error **err) WARN_UNUSED;

/*
 * Puts an entry (consumed) at entry->path, in a directory that exists. A directory onto a directory
 * changes its attributes only; other things replace other things. ERR_EXISTS: a directory
 * onto something else, or something else onto a directory; ERR_INVALID: a name that no layer can
 * hold. link_key (may be NULL): entries put with one key are names of one file.
 */
int copy_dest_put(struct copy_dest *dest, struct entry *entry, const char *link_key,
                  struct error **err) WARN_UNUSED;
/* Makes `entry` (consumed; all but its path is ignored) another name of what is at `target`. */
int copy_dest_put_link(struct copy_dest *dest, struct entry *entry, const char *target,
                       struct error **err) WARN_UNUSED;
/* rm -rf; nothing there is no error. */
int copy_dest_remove(struct copy_dest *dest, const char *path, struct error **err) WARN_UNUSED;
void copy_dest_set_mtime(struct copy_dest *dest, const char *path, int64_t mtime);
/* A short name of a path that copy_dest_find() was asked for, there or not. A directory that was
 * removed with the one it is in has lost it. */
uint32_t copy_dest_number(const struct copy_dest *dest, const char *path);
/* Nothing is done where there is no directory any more. */
void copy_dest_set_directory_mtime(struct copy_dest *dest, uint32_t number, int64_t mtime);
void copy_dest_set_mode(struct copy_dest *dest, const char *path, uint16_t mode);

/* The layer, in canonical order; then there is nothing to do but free. FILE_TIMES_SET is for what
 * was put there, not for what was below. */
int copy_dest_finish(struct copy_dest *dest, const struct file_times *times, struct entry_list *ret,
                     struct error **err) WARN_UNUSED;

#endif
