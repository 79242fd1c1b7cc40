/* SPDX-License-Identifier: Apache-2.0 */
/* An image index (Docker: manifest list). image-spec v1.1, image-index.md */
#ifndef CBUILD_OCI_INDEX_H
#define CBUILD_OCI_INDEX_H

#include "base/strbuf.h"
#include "oci/descriptor.h"

struct index {
    char *media_type;
    char *artifact_type;
    struct descriptor *manifests;
    size_t n_manifests, manifests_capacity;
    json_t *annotations;
    struct descriptor subject;
};

void index_release(struct index *index);
DEFINE_AUTO_STRUCT(struct index, index_release)

int index_parse(const char *data, size_t size, const char *content_type, struct index *ret,
                struct error **err) WARN_UNUSED;
/* Indexes above a manifest: more is an attack, or a mistake. */
#define INDEX_MAX_DEPTH 4
/* ERR_LIMIT: `depth` indexes above a document are too many. */
int index_check_depth(unsigned depth, struct error **err) WARN_UNUSED;
void index_annotate(struct index *index, const char *key, const char *value);
void index_format(const struct index *index, struct strbuf *buf);
/*
 * The best entry for a platform (never unknown/unknown, never a nested artifact); NULL with
 * ERR_NOT_FOUND listing the platforms there are. Borrowed from the index. An only candidate that
 * names no platform is taken: its config decides. The result may be a nested index.
 */
const struct descriptor *index_select(const struct index *index, const struct platform *want,
                                      struct error **err);
/* An image or an index of images: no attestation, no artifact. */
bool index_is_candidate(const struct descriptor *entry);

#endif
