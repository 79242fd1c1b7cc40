/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/document.h"

#include "base/json.h"
#include "oci/manifest.h"

void document_release(struct document *document)
{
    descriptor_release(&document->descriptor);
    strbuf_release(&document->body);
}

int document_parse_index(const struct document *document, unsigned depth, struct index *ret,
                         struct error **err)
{
    return index_check_depth(depth + 1, err) < 0
               ? -1
               : index_parse(document->body.data, document->body.size,
                             document->descriptor.media_type, ret, err);
}

int document_refuse_schema1(const char *who, struct error **err)
{
    error_set_(err, ERR_UNSUPPORTED, "%s serves a schema 1 manifest, a format that ended in 2019",
               who);
    error_hint(
        err,
        "push the image again with a newer docker, or copy it with `skopeo copy --format v2s2`");
    return -1;
}

int document_describe(struct document *document, const char *content_type,
                      const struct digest *digest, enum media_kind *kind, struct error **err)
{
    const struct strbuf *body = &document->body;
    AUTO(json_decref) json_t *json = json_parse_object(body->data, body->size, err);
    if (!json || manifest_classify(json, content_type, kind, err) < 0)
        return -1;
    if (*kind == MEDIA_KIND_SCHEMA1)
        return document_refuse_schema1("the source", err);
    AUTO(free) char *media_type = manifest_name_type(json, content_type, *kind);
    descriptor_set(&document->descriptor, media_type, digest, body->size);
    return 0;
}
