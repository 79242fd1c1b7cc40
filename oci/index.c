/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/index.h"

#include "base/array.h"
#include "base/json.h"
#include "oci/manifest.h"
#include "oci/members.h"

#include <string.h>

void index_release(struct index *index)
{
    free(index->media_type);
    free(index->artifact_type);
    for (size_t i = 0; i < index->n_manifests; i++)
        descriptor_release(&index->manifests[i]);
    free(index->manifests);
    json_decref(index->annotations);
    descriptor_release(&index->subject);
    *index = (struct index){ 0 };
}

static int get_manifests(const json_t *document, struct index *index, struct error **err)
{
    const json_t *manifests = NULL; /* null: an empty list as Go writes it */
    if (json_get_array(document, "", "manifests", JSON_OPTIONAL, &manifests, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(manifests); i++) {
        AUTO(free) char *pointer = xasprintf("/manifests/%zu", i);
        if (descriptor_from_json(json_array_get(manifests, i), pointer,
                                 ARRAY_PUSH(index, manifests), err) < 0)
            return -1;
    }
    return 0;
}

static int from_json(const json_t *document, const char *content_type, struct index *index,
                     struct error **err)
{
    enum media_kind kind;
    if (manifest_classify(document, content_type, &kind, err) < 0)
        return -1;
    if (kind != MEDIA_KIND_INDEX)
        return error_set(err, ERR_INVALID, "a manifest where an index is expected");
    if (manifest_check_version(document, err) < 0)
        return -1;
    index->media_type = manifest_name_type(document, content_type, MEDIA_KIND_INDEX);
    if (get_manifests(document, index, err) < 0 ||
        manifest_get_artifact_type(document, &index->artifact_type, err) < 0 ||
        members_get_map(document, "", "annotations", &index->annotations, err) < 0)
        return -1;
    return manifest_get_subject(document, &index->subject, err);
}

int index_check_depth(unsigned depth, struct error **err)
{
    if (depth > INDEX_MAX_DEPTH)
        return error_set(err, ERR_LIMIT, "indexes nested more than %d deep", INDEX_MAX_DEPTH);
    return 0;
}

int index_parse(const char *data, size_t size, const char *content_type, struct index *ret,
                struct error **err)
{
    if (size > MANIFEST_MAX_SIZE)
        return error_set(err, ERR_LIMIT, "index of %zu bytes: more than %u", size,
                         MANIFEST_MAX_SIZE);
    AUTO(json_decref) json_t *document = json_parse_object(data, size, err);
    if (!document)
        return error_wrap(err, "index");
    AUTO(index_release) struct index index = { 0 };
    if (from_json(document, content_type, &index, err) < 0)
        return error_wrap(err, "index");
    *ret = index;
    index = (struct index){ 0 };
    return 0;
}

void index_annotate(struct index *index, const char *key, const char *value)
{
    members_map_set(&index->annotations, key, value);
}

void index_format(const struct index *index, struct strbuf *buf)
{
    AUTO(json_decref) json_t *document = json_object();
    json_set(document, "schemaVersion", json_integer(2));
    members_set_text(document, "mediaType", index->media_type);
    members_set_text(document, "artifactType", index->artifact_type);
    json_t *manifests = json_array();
    for (size_t i = 0; i < index->n_manifests; i++)
        json_array_append_new(manifests, descriptor_to_json(&index->manifests[i]));
    json_set(document, "manifests", manifests);
    if (index->annotations)
        json_set(document, "annotations", json_deep_copy(index->annotations));
    if (index->subject.media_type)
        json_set(document, "subject", descriptor_to_json(&index->subject));
    json_format_canonical(document, buf);
}

bool index_is_candidate(const struct descriptor *entry)
{
    enum media_kind kind = media_type_kind(entry->media_type);
    if (kind != MEDIA_KIND_MANIFEST && kind != MEDIA_KIND_INDEX)
        return false;
    if (entry->artifact_type || descriptor_annotation(entry, "vnd.docker.reference.type"))
        return false;
    return !entry->platform.os || !platform_is_unknown(&entry->platform);
}

static int no_match(const struct index *index, const struct platform *want, struct error **err)
{
    AUTO(strbuf_release) struct strbuf wanted = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf there = STRBUF_INIT;
    platform_format(want, &wanted);
    for (size_t i = 0; i < index->n_manifests; i++) {
        const struct descriptor *entry = &index->manifests[i];
        if (!index_is_candidate(entry) || !entry->platform.os)
            continue;
        strbuf_adds(&there, there.size ? ", " : "");
        platform_format(&entry->platform, &there);
    }
    if (!there.size)
        return error_set(err, ERR_NOT_FOUND, "no image for platform %s", wanted.data);
    return error_set(err, ERR_NOT_FOUND, "no image for platform %s: there is one for %s",
                     wanted.data, there.data);
}

const struct descriptor *index_select(const struct index *index, const struct platform *want,
                                      struct error **err)
{
    const struct descriptor *best = NULL, *bare = NULL;
    int best_score = 0;
    size_t n_candidates = 0;
    for (size_t i = 0; i < index->n_manifests; i++) {
        const struct descriptor *entry = &index->manifests[i];
        if (!index_is_candidate(entry))
            continue;
        n_candidates++;
        if (!entry->platform.os) {
            bare = entry;
            continue;
        }
        int score = platform_match(want, &entry->platform);
        if (score > best_score) {
            best = entry;
            best_score = score;
        }
    }
    /* an only image without platform: its config says what it is for */
    if (!best && bare && n_candidates == 1)
        best = bare;
    if (!best)
        (void)no_match(index, want, err);
    return best;
}
