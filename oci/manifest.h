/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image manifest, OCI or Docker schema 2. What was parsed keeps its received
 * bytes, so that it can be stored and pushed unchanged; what was made is
 * written canonically.
 *
 * image-spec v1.1, manifest.md
 */
#ifndef CBUILD_OCI_MANIFEST_H
#define CBUILD_OCI_MANIFEST_H

#include "base/strbuf.h"
#include "oci/descriptor.h"
#include "oci/media_type.h"

#define MANIFEST_MAX_SIZE (4u << 20) /* of manifests and indexes, RELIABILITY 2 */
#define MANIFEST_MAX_LAYERS 500      /* overlayfs takes no more lowers */

struct manifest {
    char *media_type;
    char *artifact_type; /* NULL: none */
    struct descriptor config;
    struct descriptor *layers; /* lowest first */
    size_t n_layers, layers_capacity;
    json_t *annotations; /* object, or NULL */
    struct descriptor subject; /* media_type NULL: none */
};

void manifest_release(struct manifest *manifest);
DEFINE_AUTO_STRUCT(struct manifest, manifest_release)

/*
 * content_type: what the registry or descriptor called it, NULL if nobody did.
 * ERR_INVALID: not a manifest, both index and manifest, mediaType against content_type.
 * ERR_UNSUPPORTED: schema 1. ERR_LIMIT: too many layers.
 */
int manifest_parse(const char *data, size_t size, const char *content_type, struct manifest *ret,
                   struct error **err) WARN_UNUSED;
/* Canonical bytes. */
void manifest_format(const struct manifest *manifest, struct strbuf *buf);
void manifest_annotate(struct manifest *manifest, const char *key, const char *value);

/*
 * What a document is, without parsing it as that: by mediaType, else content_type, else by
 * shape ("manifests" is an index, "config" a manifest). ERR_INVALID when it is both or neither.
 */
int manifest_sniff(const char *data, size_t size, const char *content_type, enum media_kind *kind,
                   struct error **err) WARN_UNUSED;

#endif
