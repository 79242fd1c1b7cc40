/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command would have made of files if it had been allowed to: owners, and devices. By the
 * file itself, so that names may change and go: its handle, since numbers of inodes are used again.
 * All files are of one file system.
 *
 * Not thread-safe: who writes has ended before others read.
 */
#ifndef CBUILD_BASE_OWNER_RECORDS_H
#define CBUILD_BASE_OWNER_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"

struct owner_records;

#define OWNER_UNCHANGED UINT32_MAX /* as chown has it */

struct owner_record {
    uint32_t uid, gid;    /* or OWNER_UNCHANGED */
    bool is_restored;     /* somebody gave it the owner that all files seem to have */
    uint32_t device_type; /* S_IFCHR, S_IFBLK: an empty file stands for it; else 0 */
    uint32_t dev_major, dev_minor;
};

struct owner_records *owner_records_new(void);
void owner_records_free(struct owner_records *records);
DEFINE_AUTO(struct owner_records, owner_records_free)
size_t owner_records_n(const struct owner_records *records);

/* Whose new files are; root's, unless said otherwise. */
void owner_records_set_default(struct owner_records *records, uint32_t uid, uint32_t gid);
void owner_records_get_default(const struct owner_records *records, uint32_t *uid, uint32_t *gid);

/* Of dir_fd/name, or with "" of dir_fd itself. False: there is no such file. */
bool owner_records_chown(struct owner_records *records, int dir_fd, const char *name, uint32_t uid,
                         uint32_t gid);
/* A program that writes a file anew and gives it the owner that it saw. */
bool owner_records_restored(struct owner_records *records, int dir_fd, const char *name);
bool owner_records_device(struct owner_records *records, int dir_fd, const char *name,
                          uint32_t device_type, uint32_t dev_major, uint32_t dev_minor);
/* NULL: there is none. */
const struct owner_record *owner_records_find(const struct owner_records *records, int dir_fd,
                                              const char *name);

#endif
