/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry of a changeset: what a layer's tar says of one path.
 * image-spec v1.1, layer.md, "File attributes", "Representing changes"
 */
#ifndef CBUILD_LAYERS_ENTRY_H
#define CBUILD_LAYERS_ENTRY_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum entry_type {
    ENTRY_FILE,
    ENTRY_DIRECTORY,
    ENTRY_SYMLINK,
    ENTRY_HARDLINK, /* `link` is the path of an earlier file: of this layer, or of one below */
    ENTRY_CHAR,
    ENTRY_BLOCK,
    ENTRY_FIFO,
    ENTRY_WHITEOUT, /* `path` is what is hidden (without ".wh."); no other member counts */
    ENTRY_OPAQUE,   /* `path` is the directory whose lower children are hidden */
};

struct xattr {
    char *name; /* "security.capability", "user.x" */
    uint8_t *value;
    size_t size;
};

struct entry {
    char *path; /* relative, clean, no trailing slash; never "" in what we write */
    enum entry_type type;
    uint16_t mode; /* 07777 */
    uint32_t uid, gid;
    uint64_t size; /* of a file's content, else 0 */
    int64_t mtime; /* whole seconds */
    char *link;    /* of symlinks: as it is; of hard links: clean relative path; else NULL */
    uint32_t dev_major, dev_minor;
    struct xattr *xattrs; /* sorted by name */
    size_t n_xattrs;
    uint64_t content; /* where the content is: means something to the changeset's owner only */
};

void entry_release(struct entry *entry);
DEFINE_AUTO_STRUCT(struct entry, entry_release)
void entry_copy(struct entry *to, const struct entry *from);
void entry_add_xattr(struct entry *entry, const char *name, const void *value, size_t size);
const struct xattr *entry_find_xattr(const struct entry *entry, const char *name);
/* Same type, mode, owner, size, mtime, link, device, xattrs (not content, not path). */
bool entry_same_attributes(const struct entry *a, const struct entry *b);

/* The entries of one changeset in canonical order (path_compare(), whiteouts before their
 * siblings). */
struct entry_list {
    struct entry *entries;
    size_t n_entries, entries_capacity;
    /* Of a long list: the entries and their paths lie in it, none is added. Owned; NULL: each is
     * allocated by itself. */
    struct entry_memory *memory;
};

struct entry_memory {
    struct spill *spill; /* that the entries are from; borrowed, may be NULL */
    struct arena paths;
};

#define ENTRY_LIST_INIT                                                                            \
    {                                                                                              \
        NULL, 0, 0, NULL                                                                           \
    }

void entry_list_release(struct entry_list *list);
DEFINE_AUTO_STRUCT(struct entry_list, entry_list_release)
/* Canonical order: parents before children, per directory whiteouts first, then by bytes; hard
 * links after their file. */
void entry_list_sort(struct entry_list *list);

#endif
