/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owners, modes, times and extended attributes between entries and files. What
 * is written to lies in a directory that nobody else changes.
 */
#ifndef CBUILD_LAYERS_ATTRIBUTES_H
#define CBUILD_LAYERS_ATTRIBUTES_H

#include "base/error.h"
#include "layers/entry.h"

#include <sys/types.h>

#define ATTRIBUTE_OPAQUE "user.overlay.opaque"

/* What this process may give to files, asked once. */
struct rights {
    bool owners; /* root, here or in a user namespace: any owner, devices, whiteouts */
    bool
        single; /* in one that has a single id: all files are its, whoever owns them in the image */
    bool copies; /* all is to be the caller's: modes without set-id bits and times, no attributes */
    uid_t uid;   /* what files that we make have */
    gid_t gid;
};

struct rights rights_now(void);

/*
 * Gives an open file (written, just created by us with mode `made`) the attributes of entry.
 * Without owners only the time.
 */
int attributes_set_file(int fd, const struct entry *entry, const struct rights *rights, mode_t made,
                        struct error **err) WARN_UNUSED;
/* A directory; fd may be O_PATH. Without owners only attributes of ours and the time, and we keep
 * rwx. */
int attributes_set_directory(int fd, const struct entry *entry, const struct rights *rights,
                             struct error **err) WARN_UNUSED;
/* As if just made by us: what is made in it gets no group and no access list of it. Extended
 * attributes go, whoever gave them, but the label of SELinux, which all files have by themselves.
 * fd may be O_PATH. */
int attributes_clear_directory(int fd, struct error **err) WARN_UNUSED;
/* A symlink, device or FIFO. */
int attributes_set_node(int dir_fd, const char *name, const struct entry *entry,
                        const struct rights *rights, struct error **err) WARN_UNUSED;

/*
 * The attributes that may enter a layer (security.capability, user.*; never overlay's own) of the
 * file `name` in dir_fd, which must not be a symlink. security.capability bound to the root of our
 * map (version 3) is written as version 2, which means the same in every container.
 */
int attributes_get(int dir_fd, const char *name, struct entry *entry,
                   struct error **err) WARN_UNUSED;

/* The umask of this process, read without changing it. 0777 when that can't be told. */
mode_t attributes_umask(void);

#endif
