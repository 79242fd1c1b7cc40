/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place where one image is, or will be: a registry's repository, the store,
 * a layout on disk, an archive. registry/image_copy.h moves images between any two.
 *
 * Reading:  get_document(NULL), then get_document() and read_blob() by what it refers to.
 * Writing:  put_blob()s in any order and from several threads, put_document()s with children
 *           before parents, then commit() with the top: before it nothing of the image has a name.
 *
 * Kinds: transport_store.h, transport_layout.h, transport_dir.h (here),
 * registry/transport_registry.h, layers/transport_archive.h.
 */
#ifndef CBUILD_OCI_TRANSPORT_H
#define CBUILD_OCI_TRANSPORT_H

#include "base/sink.h"
#include "base/strvec.h"
#include "oci/document.h"
#include "oci/reference.h"
#include "oci/store.h"

#include <stdbool.h>

struct transport;

/* How a blob got there */
enum transport_result { TRANSPORT_PRESENT, TRANSPORT_MOUNTED, TRANSPORT_SENT };

struct transport_ops {
    const char *name; /* "docker", "oci": for people */

    /* What the place's name points to, where that is cheaper to learn than to get; or NULL. */
    int (*resolve)(struct transport *transport, struct descriptor *ret, struct error **err);
    /*
     * A manifest or index, verified. digest NULL: what the place's name points to. ERR_NOT_FOUND;
     * ERR_UNSUPPORTED: schema 1. On one thread.
     */
    int (*get_document)(struct transport *transport, const struct digest *digest,
                        struct document *ret, struct error **err);
    /*
     * Writes bytes [offset, offset + size) of a blob into `to` (not finished). Not verified: who
     * stores them does. Thread-safe. ERR_NOT_FOUND.
     */
    int (*read_blob)(struct transport *transport, const struct descriptor *blob, uint64_t offset,
                     uint64_t size, struct sink *to, struct error **err);
    /* Whether it is there, with its size. Thread-safe. */
    int (*has_blob)(struct transport *transport, const struct descriptor *blob, bool *ret,
                    struct error **err);
    /* The blob as a file, or NULL where blobs aren't files. Thread-safe. ERR_NOT_FOUND. */
    int (*open_blob)(struct transport *transport, const struct descriptor *blob,
                     struct error **err);
    /* Into a store, going on where an earlier attempt stopped; or NULL. Thread-safe. */
    int (*fetch_blob)(struct transport *transport, struct store *store,
                      const struct descriptor *blob, struct error **err);
    /*
     * What was read of this blob was wrong. True: it is read elsewhere from now on (at the registry
     * itself, no longer at its mirrors), so that another attempt may help. Or NULL. Thread-safe.
     */
    bool (*distrust)(struct transport *transport, const struct descriptor *blob);
    /* Where others may mount blobs from; or NULL. Borrowed. */
    const struct reference *(*repository)(struct transport *transport);

    /* Those below are NULL where nothing can be written. */

    /* Whether this document, and so all below it, is there already; top: under the place's name.
     * Or NULL: not known. */
    int (*has_document)(struct transport *transport, const struct digest *digest, bool top,
                        bool *ret, struct error **err);
    /* Brings a blob from another place, verified, unless it is there. Thread-safe. ERR_DIGEST. */
    int (*put_blob)(struct transport *transport, const struct descriptor *blob,
                    struct transport *from, enum transport_result *result, struct error **err);
    /* One below the top. */
    int (*put_document)(struct transport *transport, const struct document *document,
                        struct error **err);
    /* The top, under the place's name, and more tags (may be empty). The last call. */
    int (*commit)(struct transport *transport, const struct document *top,
                  const struct strvec *more_tags, struct error **err);
    /*
     * After a document was refused: the place had said that it has things which it lacks. True
     * (once): put_blob() sends all from now on, and nothing that has_document() said counts. Or
     * NULL.
     */
    bool (*was_mistaken)(struct transport *transport);
    void (*free)(struct transport *transport);
};

struct transport {
    const struct transport_ops *ops;
    unsigned vertex; /* progress of blobs is told on it */
};

void transport_free(struct transport *transport);
DEFINE_AUTO(struct transport, transport_free)

/* A child of an index, whose size is as the index says. ERR_DIGEST. */
int transport_get_child(struct transport *from, const struct descriptor *entry,
                        struct document *child, struct error **err) WARN_UNUSED;
/*
 * Of an index the platform's image (NULL: this machine's), through nested ones, takes the
 * document's place; a manifest stays. ERR_NOT_FOUND lists the platforms there are.
 */
int transport_choose_image(struct transport *from, const struct platform *platform,
                           struct document *document, struct error **err) WARN_UNUSED;
/* After ERR_DIGEST of a reading: whether another attempt makes sense. */
bool transport_distrust(struct transport *from, const struct descriptor *blob);
/* For who stores a blob in a file: the whole blob into `to`, finished and verified. ERR_DIGEST. */
int transport_read_verified(struct transport *from, const struct descriptor *blob, struct sink *to,
                            struct error **err) WARN_UNUSED;
/* ERR_DIGEST unless hash and size are those of the blob. */
int transport_check(const struct descriptor *blob, const uint8_t hash[SHA256_SIZE], uint64_t size,
                    struct error **err) WARN_UNUSED;
/* [offset, offset + size) of a file into `to`. */
int transport_send_file(int fd, uint64_t offset, uint64_t size, struct sink *to,
                        struct error **err) WARN_UNUSED;
/* A regular file to read, for transports whose blobs are files. ERR_NOT_FOUND, ERR_INVALID. */
int transport_open_file(int dir_fd, const char *name, struct error **err) WARN_UNUSED;
bool transport_has_file(int dir_fd, const char *name, uint64_t size);
/* A blob of another place as a file, which appears complete and verified. ERR_DIGEST. */
int transport_save_blob(struct transport *from, const struct descriptor *blob, int dir_fd,
                        const char *name, struct error **err) WARN_UNUSED;
/* A document from its file (owned fd): verified where digest isn't NULL. */
int transport_read_document(int fd, const struct digest *digest, const char *content_type,
                            struct document *ret, struct error **err) WARN_UNUSED;

#endif
