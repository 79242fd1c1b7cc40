/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer: a promise of bytes. Its entries are known at once, its digests when
 * the stream is through, its directory form when somebody needs it.
 *
 *     changeset → tar → sha256 (diff_id) → members compressed on all cores → sha256 (digest) →
 * ingest └→ directory form, when asked for
 *
 * Reference-counted, thread-safe.
 */
#ifndef CBUILD_LAYERS_LAYER_H
#define CBUILD_LAYERS_LAYER_H

#include "base/pool.h"
#include "layers/changeset.h"
#include "layers/compress.h"
#include "oci/store.h"

struct layer;
struct snapshot;

/* Fetches the blob of a lazily pulled layer into the store. Called at most once at a time per
 * layer. */
struct layer_fetcher {
    int (*fetch)(void *data, const struct descriptor *blob, struct error **err);
    /*
     * The blob is there: a fetch that brought it and is still under way, having more to make of it
     * (its entries, its form), is waited for. NULL: there is no such thing.
     */
    void (*settle)(void *data);
    void *data;
};

/* A layer of an image: the blob is in the store, or `fetcher` (may be NULL; copied) brings it when
 * it is first read. */
struct layer *layer_from_blob(struct store *store, const struct descriptor *blob,
                              const struct digest *diff_id, const struct layer_fetcher *fetcher);

struct layer_options {
    struct compression compression;
    struct pool *pool; /* compression of members */
    struct pool_group
        *group; /* the stream's task is submitted here: its wait reports a failure too */
    /*
     * A previous version of this layer (digest of its blob; unset: none): members with the same
     * input are taken from it instead of being compressed again.
     */
    struct digest previous;
    /* A later step is going to mount it: its directory form is made on the same pass. */
    bool wants_form;
    /* Asked again and again while it is made; -1: it isn't wanted any more. NULL: it always is. */
    int (*check)(void *data, struct error **err);
    void *check_data;
};

/*
 * Starts to make a layer from a changeset (consumed, also on failure); returns at once. `form`
 * (consumed; may be NULL): the tree that a RUN left, which serves as directory form on this chain.
 */
struct layer *layer_make(struct store *store, const struct layer_options *options,
                         struct changeset *changeset, struct snapshot *form);

struct layer *layer_ref(struct layer *layer);
void layer_unref(struct layer *layer);
DEFINE_AUTO(struct layer, layer_unref)

/*
 * Its entries in canonical order (for a blob: read from entries/, else by scanning the blob; then
 * the order is the tar's). Belong to the layer.
 */
const struct entry_list *layer_entries(struct layer *layer, struct error **err);
/*
 * A blob's: whether its content has the diff_id that the image says, else ERR_DIGEST. Reads the
 * blob only where entries/ doesn't know it, and no list.
 */
int layer_check(struct layer *layer, struct error **err) WARN_UNUSED;
/*
 * Waits for the stream. `blob` (an initialised descriptor, its content is replaced) and `diff_id`
 * may be NULL. A failed stream gives its error to every caller. Not from a task of the stream's
 * pool: see pool.h.
 */
int layer_wait(struct layer *layer, struct descriptor *blob, struct digest *diff_id,
               struct error **err) WARN_UNUSED;
/* True when layer_wait() wouldn't block. */
bool layer_is_done(struct layer *layer);
/*
 * How many members it has, and how many of them were taken from its previous version. False: it
 * wasn't made here, or from nothing earlier, or isn't done.
 */
bool layer_reused(struct layer *layer, size_t *n_members, size_t *n_taken);
/* Makes sure that the blob is in the store (fetches a lazy one). */
int layer_fetch(struct layer *layer, struct error **err) WARN_UNUSED;

/*
 * SHA-256 of what a file holds (`entry`: of its list), where that is known: from this process or
 * from an earlier one.
 */
bool layer_known_content(struct layer *layer, const struct entry *entry, uint8_t out[SHA256_SIZE]);
void layer_learn_content(struct layer *layer, const struct entry *entry,
                         const uint8_t digest[SHA256_SIZE]);
/* Keeps what was learnt for later processes, if anything was. Waits for the stream. */
int layer_keep_contents(struct layer *layer, struct error **err) WARN_UNUSED;
/* The upper that a RUN left, borrowed; NULL for others. */
struct snapshot *layer_snapshot(struct layer *layer);

#endif
