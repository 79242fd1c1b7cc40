/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who looks at layers while they arrive, so that what has to be known of them (the
 * diff_id, the entries) needn't be read from disk afterwards. A table of functions, since
 * those who fetch blobs and those who understand them don't know each other.
 */
#ifndef CBUILD_OCI_BLOB_WATCHER_H
#define CBUILD_OCI_BLOB_WATCHER_H

#include "base/source.h"
#include "oci/store.h"

struct blob_watcher {
    /*
     * Reads a layer's bytes as they come, on a thread of its own, before anybody knows whether they
     * are right. *made gets what came of it. Its failing is no failure of the fetch: whoever needs
     * the result makes it from the stored blob, and reports what is wrong then.
     */
    int (*look)(void *data, const struct descriptor *blob, struct source *bytes, void **made,
                struct error **err);
    /* The blob is in the store, and is what its digest says. Consumes made. */
    void (*keep)(void *data, struct store *store, const struct descriptor *blob, void *made);
    void (*drop)(void *made);
    void *data; /* for look and keep, which several threads call */
};

#endif
