/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images as one file: `save`, `load`, `import`. What is written by default is
 * both an OCI layout and a docker archive (oci-layout, index.json, blobs/ and a manifest.json that
 * points into blobs/); deterministic: sorted, times 0.
 * FORMATS.md section 5; image-spec v1.1 image-layout.md
 */
#ifndef CBUILD_LAYERS_ARCHIVE_H
#define CBUILD_LAYERS_ARCHIVE_H

#include "base/sink.h"
#include "base/source.h"
#include "layers/compress.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "oci/store.h"

enum archive_format { ARCHIVE_BOTH, ARCHIVE_OCI, ARCHIVE_DOCKER };

struct archive_image {
    struct descriptor descriptor; /* manifest or index of the store */
    char *name;                   /* normalised with tag, or NULL */
    char *tag; /* what its entry in an OCI archive is called; NULL: by the name's tag */
};

struct archive_images {
    struct archive_image *images;
    size_t n_images, images_capacity;
};

void archive_images_release(struct archive_images *images);
DEFINE_AUTO_STRUCT(struct archive_images, archive_images_release)

/*
 * Doesn't finish `to`. Every blob must be in the store (ERR_NOT_FOUND), of an index at least one
 * platform's. ARCHIVE_DOCKER: the classic docker archive, layers not compressed, of an index this
 * machine's platform.
 */
int archive_save(struct store *store, const struct archive_image *images, size_t n_images,
                 enum archive_format format, struct sink *to, struct error **err) WARN_UNUSED;

/*
 * Reads (and owns) an archive of either kind (any compression, any order of members, also from a
 * pipe; also a docker archive with ID/layer.tar names), verifies everything, stores the images,
 * tags nothing: `loaded` is told each image in order, once per name. What no image of the archive
 * refers to stays in the store as garbage.
 */
int archive_load(struct store *store, struct source *from,
                 int (*loaded)(void *data, const struct archive_image *image, struct error **err),
                 void *data, struct error **err) WARN_UNUSED;

struct import_options {
    struct compression compression;
    struct platform *platform; /* NULL: the host's */
    int64_t created;           /* seconds */
    const char *message;       /* history comment, or NULL */
};

/*
 * A root file system tar (any compression) becomes an image of one layer: entries sorted and
 * written anew by our writer. Owns tar. `ret` gets the manifest's descriptor.
 */
int archive_import(struct store *store, struct source *tar, const struct import_options *options,
                   struct descriptor *ret, struct error **err) WARN_UNUSED;

#endif
