/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: an OCI image layout that any number of processes share, plus what
 * cbuild keeps beside it. docs/FORMAT.md describes the files; DESIGN.md
 * section 2 the rules:
 *
 * 1. A blob appears under its name only complete and verified (store_ingest.h).
 * 2. Children before parents, then records, then tags; what a tag names is synced before it.
 * 3. Who wants to rely on a thing writes its lease before looking whether the
 *    thing exists, so that collecting (store_gc.h) can't take it away.
 * 4. Readers of blobs take no lock.
 *
 * A struct store may be used by any thread; the fds and paths it hands out
 * belong to it.
 */
#ifndef CBUILD_OCI_STORE_H
#define CBUILD_OCI_STORE_H

#include "base/lockfile.h"
#include "base/spill.h"
#include "base/strbuf.h"
#include "oci/descriptor.h"

#include <stdbool.h>

struct store;

/* Folders of the store, for the floors above. */
enum store_dir {
    STORE_ROOT,
    STORE_BLOBS,   /* blobs/sha256 */
    STORE_ENTRIES, /* entries: per layer digest, its entry list (layers/entries.h) */
    STORE_PARTIAL, /* interrupted downloads; work on partial/HEX holds store_lock("blob-HEX") */
    STORE_LAYERS,  /* directory forms */
    STORE_CACHE_RECORDS,  /* cache/records */
    STORE_CACHE_CONTEXTS, /* cache/contexts */
    STORE_CACHE_MOUNTS,   /* cache/mounts */
    STORE_LEASES,
    STORE_TMP, /* this process's own folder in tmp/: swept when it is dead */
    STORE_TAGS,
    STORE_SOURCES, /* sources: per blob, the repositories it is known from (registry/sources.h) */
    STORE_N_DIRS,
};

/* $CBUILD_ROOT, else /var/lib/cbuild for root, else $XDG_DATA_HOME/cbuild or ~/.local/share/cbuild.
 */
char *store_default_path(struct error **err);

/*
 * Opens, makes it when missing. path NULL: store_default_path(). Left-overs of dead
 * processes in tmp/ and leases/ are removed; what stands in unsynced/ of an earlier boot is
 * verified first. Works on a full disk (so that it can be emptied), and for reading where it may
 * not be written. ERR_STORE: a newer format, or not a store (and not empty): the message says the
 * way out.
 */
struct store *store_open(const char *path, struct error **err);
/* The left-overs that store_open() had no right to remove: once we are in the user namespace whose
 * ids they have. Where it removed all of them nothing is done. */
int store_sweep_rest(struct store *store, struct error **err) WARN_UNUSED;
void store_close(struct store *store);
DEFINE_AUTO(struct store, store_close)

const char *store_path(const struct store *store);
int store_dir_fd(const struct store *store, enum store_dir dir);
/* The id of this boot; NULL where it can't be told. What isn't synced is to be trusted in it alone.
 */
const char *store_boot(const struct store *store);

/* Long waits for locks are told here (progress is built on it); NULL: silence. Set before threads
 * start. */
void store_set_wait(struct store *store, const struct lock_wait *wait);
const struct lock_wait *store_wait(const struct store *store);

/* Blobs. size (may be NULL): as stored. */
bool store_has_blob(const struct store *store, const struct digest *digest, uint64_t *size);
/* A read-only fd. ERR_NOT_FOUND. */
int store_open_blob(const struct store *store, const struct digest *digest,
                    struct error **err) WARN_UNUSED;
/*
 * Appends the whole content of a small blob (a document), verified against the digest: ERR_DIGEST,
 * ERR_LIMIT, ERR_NOT_FOUND.
 */
int store_read_blob(const struct store *store, const struct digest *digest, size_t max,
                    struct strbuf *buf, struct error **err) WARN_UNUSED;

/* Memory for what there can be millions of; its files are in STORE_TMP. NULL, ordinary memory,
 * where there is no store. */
struct spill *store_spill(struct store *store);

/*
 * Bytes that this process put on the store's disk; store_gc_is_due() (store_gc.h) goes by the sum
 * of all processes. Ingesting counts by itself; for who makes directory forms.
 */
void store_grew(struct store *store, uint64_t size);

/*
 * Leases: a name (any digest's hex: blob, diff_id, chain_id, record) that this process relies on.
 * Kept until store_close() or the process's death. store_ingest_commit() leases what it stores.
 */
int store_lease(struct store *store, const struct digest *digest, struct error **err) WARN_UNUSED;

/* Serialises work on one thing between processes and threads ("step-HEX", "blob-HEX"). */
struct lockfile *store_lock(struct store *store, const char *name, struct error **err);
/* As store_lock(), asking `check` while it waits: -1 gives up with its error. */
struct lockfile *store_lock_unless(struct store *store, const char *name,
                                   int (*check)(void *data, struct error **err), void *data,
                                   struct error **err);
/* *lock NULL and 0 when another holds it. */
int store_try_lock(struct store *store, const char *name, struct lockfile **lock,
                   struct error **err) WARN_UNUSED;

/*
 * Durability. Nothing is synced when it is written. Who renames something into place whose damage
 * nobody would notice later (a blob, a directory form) brackets the rename:
 *
 *     store_rename_begin(store, &digest, &lock, err)     its name stands in unsynced/
 *     renameat(...)
 *     lockfile_release(lock)
 *
 * A name of an image (store_tags.h) makes the blobs durable that it needs. All else stays listed
 * until somebody calls store_sync(), which makes everything named so far durable, of all processes,
 * and other programs' data on that file system too. After a crash of the machine the next
 * store_open() verifies the blobs that stood there and weren't synced, and removes the forms (d-HEX
 * and c-HEX) that carry such a name.
 */
int store_rename_begin(struct store *store, const struct digest *digest, struct lockfile **lock,
                       struct error **err) WARN_UNUSED;
int store_sync(struct store *store, struct error **err) WARN_UNUSED;
/* store_sync() where it costs next to nothing: the kernel has written it all, and little else
 * waits. */
int store_sync_settled(struct store *store, struct error **err) WARN_UNUSED;
/* For who has renamed already: a crash in between leaves the thing unnamed. */
int store_mark_unsynced(struct store *store, const struct digest *digest,
                        struct error **err) WARN_UNUSED;

#endif
