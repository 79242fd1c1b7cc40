/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/referrers.h"

#include "base/array.h"
#include "oci/media_type.h"
#include "registry/manifests.h"
#include "registry/pages.h"

#include <string.h>

#define ADD_ATTEMPTS 5

static void add_entry(struct index *to, const struct descriptor *entry)
{
    descriptor_copy(ARRAY_PUSH(to, manifests), entry);
}

static bool has_entry(const struct index *index, const struct digest *digest)
{
    for (size_t i = 0; i < index->n_manifests; i++)
        if (digest_equal(&index->manifests[i].digest, digest))
            return true;
    return false;
}

/* Asking the registry */

struct question {
    struct index *found;
    const char *artifact_type;
    bool by_tag;
};

static int read_page(void *data, const struct reply *reply, struct error **err)
{
    struct question *question = data;
    AUTO(index_release) struct index index = { 0 };
    const char *type = reply_header(reply, "Content-Type");
    /* a page for people, or the registry's front: it doesn't know the question */
    if (media_type_kind(type) != MEDIA_KIND_INDEX) {
        question->by_tag = true;
        return 0;
    }
    if (index_parse(reply->body.data, reply->body.size, type, &index, err) < 0)
        return -1;
    for (size_t i = 0; i < index.n_manifests; i++)
        if (!has_entry(question->found, &index.manifests[i].digest))
            add_entry(question->found, &index.manifests[i]);
    return 0;
}

static int ask(struct registry_session *session, const struct reference *subject,
               struct question *question, struct error **err)
{
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    AUTO(strvec_release) struct strvec headers = STRVEC_INIT;
    AUTO(pages_release)
    struct pages pages = { .session = session,
                           .host = session_host(session, subject->domain),
                           .scope = { .path = subject->path, .actions = SCOPE_PULL },
                           .headers = &headers,
                           .read = read_page,
                           .data = question };
    char text[DIGEST_TEXT_SIZE];
    digest_format(&subject->digest, text);
    strvec_push(&headers, "Accept: " MEDIA_TYPE_OCI_INDEX);
    if (request_url(pages.host, &pages.url, err, "/v2/%s/referrers/%s", subject->path, text) < 0)
        return -1;
    if (question->artifact_type)
        url_add_query(&pages.url, "artifactType", question->artifact_type);
    if (pages_run(&pages, &reply, err) < 0)
        return -1;
    int status = reply_status(&reply);
    if (status == 404 || status == 405)
        question->by_tag = true;
    else if (status != 200)
        return pages_error(&pages, &reply, err);
    return 0;
}

/* The tag */

static void name_tag(const struct reference *subject, struct reference *ret)
{
    char text[DIGEST_TEXT_SIZE];
    digest_format(&subject->digest, text);
    *strchr(text, ':') = '-';
    reference_copy(ret, subject);
    free(ret->tag);
    ret->tag = xstrdup(text);
    ret->digest = (struct digest){ 0 };
}

/* Nothing under that tag is an empty index. */
static int read_tag(struct registry_session *session, const struct reference *subject,
                    struct index *ret, struct error **err)
{
    AUTO(reference_release) struct reference name = { 0 };
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
    name_tag(subject, &name);
    if (manifest_fetch_here(session, &name, &body, &desc, err) < 0) {
        if (!error_is(*err, ERR_NOT_FOUND))
            return -1;
        error_clear(err);
        return 0;
    }
    if (index_parse(body.data, body.size, desc.media_type, ret, err) < 0)
        return error_wrap(err, "tag %s", name.tag);
    return 0;
}

static int list_at(struct registry_session *session, const struct reference *subject, void *data,
                   struct error **err)
{
    struct question *question = data;
    index_release(question->found);
    question->by_tag = false;
    if (ask(session, subject, question, err) < 0)
        return -1;
    return question->by_tag ? read_tag(session, subject, question->found, err) : 0;
}

int referrers_list(struct registry_session *session, const struct reference *subject,
                   const char *artifact_type, struct index *ret, bool *by_tag, struct error **err)
{
    AUTO(index_release) struct index found = { 0 };
    struct question question = { .found = &found, .artifact_type = artifact_type };
    if (registries_try(session, subject, list_at, &question, err) < 0)
        return -1;
    /* OCI-Filters-Applied may say that it was done; to do it again costs nothing */
    for (size_t i = 0; i < found.n_manifests; i++) {
        const char *type = found.manifests[i].artifact_type;
        if (!artifact_type || (type && strcmp(type, artifact_type) == 0))
            add_entry(ret, &found.manifests[i]);
    }
    *by_tag = question.by_tag;
    return 0;
}

int referrers_are_served(struct registry_session *session, const struct reference *subject,
                         bool *ret, struct error **err)
{
    AUTO(index_release) struct index ignored = { 0 };
    struct question question = { .found = &ignored };
    if (ask(session, subject, &question, err) < 0)
        return -1;
    *ret = !question.by_tag;
    return 0;
}

static int put_tag(struct registry_session *session, const struct reference *name,
                   struct index *index, struct error **err)
{
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    bool lacks_blob;
    if (!index->media_type)
        index->media_type = xstrdup(MEDIA_TYPE_OCI_INDEX);
    index_format(index, &body);
    struct digest digest = digest_of(body.data, body.size);
    descriptor_set(&desc, index->media_type, &digest, body.size);
    return manifest_put(session, name, name->tag, &desc, &body, &lacks_blob, err);
}

int referrers_add_to_tag(struct registry_session *session, const struct reference *subject,
                         const struct descriptor *entry, struct error **err)
{
    AUTO(reference_release) struct reference name = { 0 };
    name_tag(subject, &name);
    for (unsigned i = 0; i < ADD_ATTEMPTS; i++) {
        AUTO(index_release) struct index index = { 0 };
        if (read_tag(session, subject, &index, err) < 0)
            return -1;
        if (has_entry(&index, &entry->digest))
            return 0;
        add_entry(&index, entry);
        if (put_tag(session, &name, &index, err) < 0)
            return -1;
    }
    return error_set(err, ERR_REFUSED, "tag %s: the registry doesn't keep what is added to it",
                     name.tag);
}
