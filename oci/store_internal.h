/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct store, for the store_*.c files. */
#ifndef CBUILD_OCI_STORE_INTERNAL_H
#define CBUILD_OCI_STORE_INTERNAL_H

#include "base/hashmap.h"
#include "base/strvec.h"
#include "oci/store.h"

#include <pthread.h>
#include <stdatomic.h>

/* Files in locks/ that the store itself uses, in the order in which they may be taken. */
#define STORE_LOCK_RECOVER "recover"
#define STORE_LOCK_STORE "store"
#define STORE_LOCK_TAGS "tags"
#define STORE_LOCK_SYNC "sync"
#define STORE_LOCK_UNSYNCED "unsynced"

#define UNKNOWN_BOOT "unknown"

/* Of index.json's entries; store_index.c says what they hold. */
#define STORE_ANNOTATION_REF_NAME "org.opencontainers.image.ref.name"
#define STORE_ANNOTATION_IMAGE_NAME "io.containerd.image.name"

struct store {
    char *path;
    int dir_fds[STORE_N_DIRS];
    int tmp_fd; /* tmp/ itself: dir_fds[STORE_TMP] is this process's folder in it, where there is
                   one */
    int locks_fd;
    int unsynced_fd;
    char *boot;     /* name of this boot's file in unsynced/ */
    bool read_only; /* we may not write here: locks that only keep others from writing are left out
                     */
    struct lock_wait wait;

    char *process; /* name of our file in leases/ and our folder in tmp/; NULL: neither could be
                      made */
    int lease_fd;
    bool has_rest;               /* of a dead process, which we weren't allowed to remove */
    pthread_mutex_t lease_mutex; /* guards leased and writes to lease_fd */
    struct hashmap leased;       /* hex names in our lease file */

    struct spill spill;

    atomic_uint_fast64_t grown; /* bytes since open */
    atomic_bool dirty;          /* we renamed something since our last store_sync() */
};

/* As many bytes as MiB were stored since the last collecting: appending adds, without a lock. */
#define STORE_GROWTH_FILE "growth"

/* Takes one of the store's own locks. */
struct lockfile *store_lock_internal(const struct store *store, const char *name,
                                     enum lock_mode mode, struct error **err);

/* store_lease.c */
int store_process_register(struct store *store, struct error **err) WARN_UNUSED;
void store_process_unregister(struct store *store);
/* Removes leases and tmp folders of dead processes. */
int store_sweep_processes(struct store *store, struct error **err) WARN_UNUSED;
/* Appends the names that living processes (this one included) rely on. */
int store_leased_names(struct store *store, struct strvec *names, struct error **err) WARN_UNUSED;

/*
 * store_durable.c: makes the blobs among `names` (hex) durable, and other things only where that is
 * cheaper. A blob that couldn't be written is removed.
 */
int store_sync_names(struct store *store, const struct hashmap *names,
                     struct error **err) WARN_UNUSED;

/* 1: something of this boot may not be on the disk yet; 0: nothing; -1: an error. */
int store_has_unsynced(struct store *store, struct error **err) WARN_UNUSED;
/* What unsynced/BOOTID.synced says; after a syncfs there is none. */
#define STORE_SYNCED_SUFFIX ".synced"
struct store_synced {
    struct hashmap unsynced; /* blobs among the list's first `size` bytes that aren't synced */
    uint64_t size;
    int64_t since; /* when it was made: blobs younger than that count as unsynced */
};
char *store_synced_name(const char *boot);
/*
 * After a syncfs: removes the blobs among these names whose bytes couldn't be written, and fails if
 * there are any. *err may be set already: it then stays.
 */
int store_check_written(struct store *store, const struct strvec *names,
                        struct error **err) WARN_UNUSED;
/* 1 read; 0 there is none that counts, and *ret stands for that */
int store_synced_read(const struct store *store, const char *boot, struct store_synced *ret,
                      struct error **err) WARN_UNUSED;
void store_synced_release(struct store_synced *synced);
DEFINE_AUTO_STRUCT(struct store_synced, store_synced_release)

/* store_recover.c */
int store_recover(struct store *store, struct error **err) WARN_UNUSED;

/* store_fsck.c: whether a blob is what its name says; `why` gets a static text when it isn't */
int store_check_blob(const struct store *store, const struct digest *digest, bool *good,
                     const char **why, struct error **err) WARN_UNUSED;

/* store_mark.c: adds the hex names that an image needs: documents, layers, diff_ids, chain_ids */
int store_mark_image(const struct store *store, const struct descriptor *desc,
                     struct hashmap *names, struct error **err) WARN_UNUSED;
/* ERR_NOT_FOUND names a blob that an image lacks. Of an index what is there must be whole. */
int store_check_image(const struct store *store, const struct descriptor *desc,
                      struct error **err) WARN_UNUSED;

/*
 * store_index.c: index.json, derived from tags/. Who changes tags holds the tags lock, and says
 * what it does to tags/: begin before its first change, put and remove, finish. What was begun and
 * not finished is put right by the next who looks.
 */
struct store_index;
struct store_index *store_index_new(struct store *store);
void store_index_free(struct store_index *index);
DEFINE_AUTO(struct store_index, store_index_free)
/* 1: the image has a name other than `except` (may be NULL) or, unless `named`, an untagged entry.
 */
int store_index_has(struct store_index *index, const struct digest *digest, const char *except,
                    bool named, struct error **err) WARN_UNUSED;
int store_index_begin(struct store_index *index, struct error **err) WARN_UNUSED;
bool store_index_has_begun(const struct store_index *index);
/* There was no name when it began. */
bool store_index_was_empty(const struct store_index *index);
/* name NULL: the untagged entry of the image. One with a name has no such entry. */
int store_index_put(struct store_index *index, const char *name, const struct descriptor *desc,
                    struct error **err) WARN_UNUSED;
void store_index_remove(struct store_index *index, const char *name, const struct digest *digest);
int store_index_finish(struct store_index *index, struct error **err) WARN_UNUSED;
/* Writes it where it is missing, empty or older than tags/. */
int store_index_refresh(struct store *store, struct error **err) WARN_UNUSED;

/* "HEX\n": leases and unsynced files are made of these, so that a write is one record. */
#define STORE_NAME_SIZE DIGEST_HEX_SIZE
#define STORE_NAMES_MAX_SIZE ((size_t)64 << 20)
/* Appends the valid names of such a file to `names`. */
int store_read_names(int dir_fd, const char *file, struct strvec *names,
                     struct error **err) WARN_UNUSED;

#endif
