/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves an image between any two places (oci/transport.h). Manifests are passed on byte for byte,
 * unless another format is asked for. Blobs go through memory in parallel, each verified on the
 * way; what is there already isn't read. Children before parents, the name last.
 */
#ifndef CBUILD_REGISTRY_IMAGE_COPY_H
#define CBUILD_REGISTRY_IMAGE_COPY_H

#include "base/progress.h"
#include "oci/convert.h"
#include "oci/platform.h"
#include "oci/transport.h"

enum image_copy_scope {
    IMAGE_COPY_ALL,        /* an index whole */
    IMAGE_COPY_PLATFORM,   /* of an index the platform's image alone */
    IMAGE_COPY_INDEX_ONLY, /* an index without its images, which are there */
};

struct image_copy_request {
    struct transport *from, *to;
    enum image_copy_scope scope;
    const struct platform *platform; /* NULL: the host's */
    enum image_format format;
    bool preserve_digests; /* a change of the image's digest is an error */
    bool sparse; /* images of an index that the source lacks are passed over, though not all */
    const struct strvec *more_tags; /* or NULL */
    struct progress *progress;      /* or NULL */
    const char *title;              /* of its progress */
    unsigned n_parallel;            /* blobs at once; 0: 6 */
};

struct image_copy_result {
    struct descriptor image; /* as it is at the destination */
    uint64_t n_sent, n_mounted, n_present, size_sent;
};

void image_copy_result_release(struct image_copy_result *result);
DEFINE_AUTO_STRUCT(struct image_copy_result, image_copy_result_release)

/* What the transports say, and ERR_UNSUPPORTED of a conversion. `ret` starts zeroed. */
int image_copy(const struct image_copy_request *request, struct image_copy_result *ret,
               struct error **err) WARN_UNUSED;

#endif
