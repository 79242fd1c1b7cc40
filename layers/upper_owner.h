/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a thing of an upper whose files all have the single id of a user namespace
 * (base/own_ids.h).
 *
 * 1. What overlay copied up keeps the owner that the chain below says: overlay marks copied files
 *    (user.overlay.origin), and a directory that took another's place (opaque). Things that can't
 *    be marked, and files with several names, count as copied when their time is still that of a
 *    directory form: whole seconds, and the same.
 *    In a copy of a tree it is what was made for the copy at that path.
 * 2. A file that was moved keeps its owner, too: where one of the same size and time is gone, it is
 *    that one. (Directories can't be moved in an overlay: programs copy them.)
 * 3. A file that took another's place and was given the owner that all files seem to have
 *    (owner_records.h) gets that one's, unless it has whole seconds: then it is of an archive,
 * which said so.
 * 4. What is new belongs to whom the command ran as; in a set-group-id directory to that one's
 *    group.
 */
#ifndef CBUILD_LAYERS_UPPER_OWNER_H
#define CBUILD_LAYERS_UPPER_OWNER_H

#include "base/error.h"
#include "layers/entry.h"
#include "layers/tree.h"

#include <stdbool.h>
#include <sys/stat.h>

struct upper_place {
    int dir_fd;
    const char *name;
    const struct stat *st;
    const struct entry *below;    /* the chain's at its path, of the same type; NULL: none */
    const struct entry *replaced; /* the same, whatever became of it */
    bool is_copy;                 /* of a tree_copy.h: `below` is what it was made from, or NULL */
    bool has_names;               /* and that is a file with several */
    bool is_restored;             /* a record says so */
    const struct entry *parent;   /* its directory, with the owner that it has in the layer */
};

/* 1 copied up, 0 new, -1 */
int upper_is_copied_up(const struct upper_place *place, struct error **err) WARN_UNUSED;
/* Sets uid and gid of entry, which has its mode; new things are uid:gid's. */
int upper_owner_set(const struct upper_place *place, uint32_t uid, uint32_t gid,
                    struct entry *entry, struct error **err) WARN_UNUSED;

/* An entry of a changeset that has no file below at its path, but the time of a form's. */
struct moved_file {
    size_t index; /* in the list */
    uint64_t size;
    int64_t mtime;             /* on disk; the entry's may be another */
    bool keeps_uid, keeps_gid; /* they were recorded */
};

/* Gives those which are gone from `below`, by the whiteouts of the list, their owners. */
int upper_owner_set_moved(struct entry_list *list, struct tree *below,
                          const struct moved_file *moved, size_t n_moved,
                          struct error **err) WARN_UNUSED;

#endif
