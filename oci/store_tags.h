/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images in the store. A tag is one file under tags/ (atomic replace);
 * index.json is derived from them under the tags lock, so that every OCI tool
 * sees the same names.
 */
#ifndef CBUILD_OCI_STORE_TAGS_H
#define CBUILD_OCI_STORE_TAGS_H

#include "oci/reference.h"
#include "oci/store.h"

struct store_tag {
    char *name; /* normalised: docker.io/user/app:1.0; NULL: an image without name */
    struct descriptor descriptor; /* of the manifest or index */
    int64_t tagged;               /* when, seconds */
};

struct store_tags {
    struct store_tag *tags; /* sorted by name */
    size_t n_tags, tags_capacity;
};

void store_tags_release(struct store_tags *tags);
DEFINE_AUTO_STRUCT(struct store_tags, store_tags_release)

/* A name to be given; an image that isn't to have one is kept (a build without -t). */
struct store_naming {
    const struct reference *reference; /* tag required: reference_default_tag(). NULL: none */
    const struct descriptor *image;
};

/*
 * Points names at images whose blobs are all there (ERR_NOT_FOUND names what isn't; of an index
 * some platforms may be absent). What they need is synced before, once for all of them, and the
 * names are durable on return. Nothing is written for those that point there already, and for an
 * image to be kept that has a name. An image that loses its last name this way stays as an untagged
 * entry
 * ("dangling") until rmi or prune.
 */
int store_tags_set(struct store *store, const struct store_naming *names, size_t n_names,
                   struct error **err) WARN_UNUSED;
/* One of them. */
int store_tag_set(struct store *store, const struct reference *reference,
                  const struct descriptor *desc, struct error **err) WARN_UNUSED;
int store_tag_keep(struct store *store, const struct descriptor *desc,
                   struct error **err) WARN_UNUSED;
/* ERR_NOT_FOUND */
int store_tag_get(struct store *store, const struct reference *reference, struct descriptor *ret,
                  struct error **err) WARN_UNUSED;
/* Removes one name; ERR_NOT_FOUND. keep_image: the last name gone, the image stays as untagged. */
int store_tag_remove(struct store *store, const struct reference *reference, bool keep_image,
                     struct error **err) WARN_UNUSED;
/* Removes the untagged entry of an image. */
int store_tag_remove_untagged(struct store *store, const struct digest *digest,
                              struct error **err) WARN_UNUSED;
/* All names and untagged images. ERR_STORE: a tag's file is damaged. */
int store_tags_list(struct store *store, struct store_tags *ret, struct error **err) WARN_UNUSED;

/* Removes files in tags/ that are no tags; remove false: counts them. For fsck. */
int store_tags_sweep(struct store *store, bool remove, size_t *n_damaged,
                     struct error **err) WARN_UNUSED;

/*
 * An image by name (default tag latest), name@digest, digest ("sha256:..." or hex) of manifest,
 * index or config, or a unique prefix of at least 4 hex digits of one of them. A name wins over an
 * id. The id of a config gives the image's tagged manifest or index; of an index that isn't its
 * choice for this host, the manifest. With name@digest the digest decides. ERR_NOT_FOUND (with the
 * nearest name as hint), ERR_INVALID: several images have that prefix. *reference (may be NULL)
 * gets the name where text was one (path NULL otherwise).
 */
int store_resolve(struct store *store, const char *text, struct descriptor *ret,
                  struct reference *reference, struct error **err) WARN_UNUSED;

#endif
