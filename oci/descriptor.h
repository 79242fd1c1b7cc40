/* SPDX-License-Identifier: Apache-2.0 */
/* What a document says of a blob: media type, digest, size. image-spec v1.1, descriptor.md */
#ifndef CBUILD_OCI_DESCRIPTOR_H
#define CBUILD_OCI_DESCRIPTOR_H

#include "base/error.h"
#include "oci/digest.h"
#include "oci/platform.h"

#include <jansson.h>

struct descriptor {
    char *media_type;
    struct digest digest;
    uint64_t size;
    struct platform platform; /* os NULL: none */
    char *artifact_type;      /* NULL: none */
    json_t *annotations;      /* object of strings, or NULL */
    json_t *urls;             /* array of strings, or NULL */
    json_t *other;            /* members we don't know (data, ...), kept when written; or NULL */
};

void descriptor_release(struct descriptor *descriptor);
DEFINE_AUTO_STRUCT(struct descriptor, descriptor_release)
void descriptor_copy(struct descriptor *to, const struct descriptor *from);
void descriptor_set(struct descriptor *descriptor, const char *media_type,
                    const struct digest *digest, uint64_t size);
/* NULL when absent; borrowed */
const char *descriptor_annotation(const struct descriptor *descriptor, const char *key);
void descriptor_annotate(struct descriptor *descriptor, const char *key, const char *value);

/* Strict: negative or fractional sizes, bad digests, wrong types are ERR_INVALID with a JSON
 * pointer. */
int descriptor_from_json(const json_t *object, const char *pointer, struct descriptor *ret,
                         struct error **err) WARN_UNUSED;
json_t *descriptor_to_json(const struct descriptor *descriptor) WARN_UNUSED;

#endif
