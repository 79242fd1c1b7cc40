/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a blob: bytes in, hashed as they pass, renamed into place when
 * complete and verified. store_ingest_free() without commit discards.
 *
 *     AUTO(store_ingest_free) struct store_ingest *ingest = store_ingest_new(store, &expected,
 * err); sink_write(store_ingest_sink(ingest), ...) store_ingest_commit(ingest, &digest, &size, err)
 *
 * Two processes that ingest the same blob both succeed; one file stays.
 */
#ifndef CBUILD_OCI_STORE_INGEST_H
#define CBUILD_OCI_STORE_INGEST_H

#include "base/sink.h"
#include "oci/store.h"

struct store_ingest;

/*
 * expected NULL: any content. Else its size caps what is written (one byte more is
 * ERR_DIGEST at once) and commit compares digest and size.
 */
struct store_ingest *store_ingest_new(struct store *store, const struct descriptor *expected,
                                      struct error **err);
/* Belongs to the ingest: finish it or not. Freeing it does nothing, so it may be another sink's
 * `next`. */
struct sink *store_ingest_sink(struct store_ingest *ingest);
/*
 * ERR_DIGEST names both digests. `digest` and `size` may be NULL. The blob is leased to this
 * process until the store is closed; it is durable after store_sync() (a tag does that).
 */
int store_ingest_commit(struct store_ingest *ingest, struct digest *digest, uint64_t *size,
                        struct error **err) WARN_UNUSED;
void store_ingest_free(struct store_ingest *ingest);
DEFINE_AUTO(struct store_ingest, store_ingest_free)

/* A small blob at once (config, manifest); fills digest and size of desc, keeps its other members.
 */
int store_put_blob(struct store *store, const void *data, size_t size, struct descriptor *desc,
                   struct error **err) WARN_UNUSED;

/*
 * Moves a complete file, whose digest the caller has verified, from a folder of the store into
 * place (a finished download in partial/); where the blob is there already, the file is removed.
 * Leases the blob.
 */
int store_adopt_blob(struct store *store, int dir_fd, const char *name, const struct digest *digest,
                     struct error **err) WARN_UNUSED;

#endif
