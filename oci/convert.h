/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests and indexes in the other of the two formats: OCI's and Docker's
 * schema 2. Configs and layers keep their bytes; only what names them changes, so
 * the image's digest does.
 */
#ifndef CBUILD_OCI_CONVERT_H
#define CBUILD_OCI_CONVERT_H

#include "oci/document.h"

enum image_format { IMAGE_FORMAT_KEEP, IMAGE_FORMAT_OCI, IMAGE_FORMAT_DOCKER };

/* "oci", "v2s2" and what else tools call them. ERR_USAGE. */
int image_format_parse(const char *text, enum image_format *ret, struct error **err) WARN_UNUSED;

/*
 * The new form of a child that was converted: NULL where it stays as it is.
 */
typedef const struct descriptor *(*convert_child)(void *data, const struct digest *digest);

/*
 * Replaces the document by its other form; untouched where it has it. `child` is asked for those
 * of an index. ERR_UNSUPPORTED: Docker's format has no word for a part of it (zstd, artifacts).
 */
int document_convert(struct document *document, enum image_format format, convert_child child,
                     void *data, struct error **err) WARN_UNUSED;

#endif
