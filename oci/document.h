/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest or index as it was received: bytes, and what describes them. */
#ifndef CBUILD_OCI_DOCUMENT_H
#define CBUILD_OCI_DOCUMENT_H

#include "base/strbuf.h"
#include "oci/descriptor.h"
#include "oci/index.h"
#include "oci/media_type.h"

struct document {
    struct descriptor descriptor;
    struct strbuf body;
};

#define DOCUMENT_INIT                                                                              \
    {                                                                                              \
        .body = STRBUF_INIT                                                                        \
    }

void document_release(struct document *document);
DEFINE_AUTO_STRUCT(struct document, document_release)

/*
 * Describes the body, whose digest the caller knows: under the media type that it names itself,
 * else `content_type` (NULL: nobody said). ERR_INVALID; ERR_UNSUPPORTED: schema 1, with the remedy.
 */
int document_describe(struct document *document, const char *content_type,
                      const struct digest *digest, enum media_kind *kind,
                      struct error **err) WARN_UNUSED;
/* Schema 1, with the remedy. `who` serves it. */
int document_refuse_schema1(const char *who, struct error **err);

/* index_parse() of one that has `depth` indexes above it. ERR_LIMIT: what it lists is too deep. */
int document_parse_index(const struct document *document, unsigned depth, struct index *ret,
                         struct error **err) WARN_UNUSED;

#endif
