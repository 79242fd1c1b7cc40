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
    json_t *annotations;       /* object, or NULL */
    struct descriptor subject; /* media_type NULL: none */
};

void manifest_release(struct manifest *manifest);
DEFINE_AUTO_STRUCT(struct manifest, manifest_release)

/*
 * content_type: what the registry or descriptor called it, NULL if nobody did.
 * ERR_INVALID: not a manifest, both index and manifest, mediaType against content_type.
 * ERR_UNSUPPORTED: schema 1. ERR_LIMIT: too many layers. A list of layers may be empty (an image
 * from scratch that has only settings): image-spec v1.1 says SHOULD where v1.0 said MUST.
 * media_type is that of the body, else content_type where it says manifest, else OCI's.
 */
int manifest_parse(const char *data, size_t size, const char *content_type, struct manifest *ret,
                   struct error **err) WARN_UNUSED;
/* Canonical bytes. */
void manifest_format(const struct manifest *manifest, struct strbuf *buf);
void manifest_annotate(struct manifest *manifest, const char *key, const char *value);

/*
 * What a document is, without parsing it as that: by mediaType, else content_type, else by
 * shape ("manifests" is an index, "config" a manifest). MEDIA_KIND_INDEX, MANIFEST or SCHEMA1;
 * ERR_INVALID when it is both or neither, or when mediaType and content_type disagree.
 */
int manifest_classify(const json_t *document, const char *content_type, enum media_kind *kind,
                      struct error **err) WARN_UNUSED;
int manifest_sniff(const char *data, size_t size, const char *content_type, enum media_kind *kind,
                   struct error **err) WARN_UNUSED;

/* Parts that an index has as well; pointers are those of the document's top level. */
int manifest_check_version(const json_t *document, struct error **err) WARN_UNUSED;
char *manifest_name_type(const json_t *document, const char *content_type,
                         enum media_kind kind) WARN_UNUSED;
int manifest_get_artifact_type(const json_t *document, char **ret, struct error **err) WARN_UNUSED;
int manifest_get_subject(const json_t *document, struct descriptor *ret,
                         struct error **err) WARN_UNUSED;

#endif
