/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/attach.h"

#include "base/array.h"
#include "oci/transport.h"
#include "registry/blobs.h"
#include "registry/manifests.h"
#include "registry/referrers.h"
#include "registry/scope.h"
#include "registry/uploads.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char empty[] = "{}"; /* image-spec manifest.md, "Guidance for an Empty Descriptor" */

static int put_blob(struct registry_session *session, const struct attach_request *request,
                    struct upload_request *upload, struct error **err)
{
    bool there = false;
    enum upload_result ignored; /* that it is there counts */
    if (blob_exists(session, request->repository, &upload->blob->digest, SCOPE_PULL | SCOPE_PUSH,
                    &there, err) < 0)
        return -1;
    if (there)
        return 0;
    upload->repository = request->repository;
    upload->vertex = request->vertex;
    return upload_blob(session, upload, &ignored, err);
}

static int write_empty(void *data UNUSED, uint64_t offset, uint64_t size, struct sink *to,
                       struct error **err)
{
    return sink_write(to, empty + offset, (size_t)size, err);
}

static int put_empty(struct registry_session *session, const struct attach_request *request,
                     struct descriptor *ret, struct error **err)
{
    struct digest digest = digest_of(empty, strlen(empty));
    descriptor_set(ret, MEDIA_TYPE_OCI_EMPTY, &digest, strlen(empty));
    struct upload_request upload = { .blob = ret, .fd = -1, .produce = write_empty };
    return put_blob(session, request, &upload, err);
}

static int hash_file(int fd, const char *path, struct descriptor *layer, struct error **err)
{
    struct stat st;
    uint8_t hash[SHA256_SIZE];
    if (fstat(fd, &st) < 0)
        return error_errno(err, "%s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_INVALID, "%s: not a file", path);
    AUTO(sink_free) struct sink *sink = sink_sha256_new(NULL, hash, &layer->size);
    if (transport_send_file(fd, 0, (uint64_t)st.st_size, sink, err) < 0 ||
        sink_finish(sink, err) < 0)
        return error_wrap(err, "%s", path);
    layer->digest = digest_from_sha256(hash);
    return 0;
}

static int put_file(struct registry_session *session, const struct attach_request *request,
                    const char *path, struct descriptor *layer, struct error **err)
{
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, "%s", path);
    if (hash_file(fd, path, layer, err) < 0)
        return -1;
    struct upload_request upload = { .blob = layer, .fd = fd };
    return put_blob(session, request, &upload, err) < 0 ? error_wrap(err, "%s", path) : 0;
}

static int put_content(struct registry_session *session, const struct attach_request *request,
                       struct error **err)
{
    struct manifest *artifact = request->artifact;
    for (size_t i = 0; i < artifact->n_layers; i++)
        if (put_file(session, request, request->files[i], &artifact->layers[i], err) < 0)
            return -1;
    if (put_empty(session, request, &artifact->config, err) < 0)
        return -1;
    if (!artifact->n_layers) /* for who insists on one; it says nothing */
        descriptor_copy(ARRAY_PUSH(artifact, layers), &artifact->config);
    return 0;
}

/* A registry may say OCI-Subject and yet list nothing (ECR): it is asked. */
static int list_it(struct registry_session *session, const struct attach_request *request,
                   const struct descriptor *artifact, bool knows_subject, bool *by_tag,
                   struct error **err)
{
    AUTO(reference_release) struct reference subject = { 0 };
    reference_copy(&subject, request->repository);
    subject.digest = request->subject->digest;
    bool served = false;
    if (knows_subject && referrers_are_served(session, &subject, &served, err) < 0)
        return -1;
    *by_tag = !served;
    return served ? 0 : referrers_add_to_tag(session, &subject, artifact, err);
}

int registry_attach(struct registry_session *session, const struct attach_request *request,
                    struct descriptor *ret, bool *by_tag, struct error **err)
{
    struct manifest *artifact = request->artifact;
    AUTO(strbuf_release) struct strbuf body = STRBUF_INIT;
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    bool knows_subject = false;
    if (registries_check_push(session, request->repository, err) < 0 ||
        put_content(session, request, err) < 0)
        return -1;
    free(artifact->media_type);
    artifact->media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST);
    descriptor_set(&artifact->subject, request->subject->media_type, &request->subject->digest,
                   request->subject->size);
    manifest_format(artifact, &body);
    struct digest digest = digest_of(body.data, body.size);
    descriptor_set(&desc, MEDIA_TYPE_OCI_MANIFEST, &digest, body.size);
    desc.artifact_type = xstrdup(artifact->artifact_type);
    desc.annotations = json_deep_copy(artifact->annotations);
    if (manifest_put_artifact(session, request->repository, &desc, &body, &knows_subject, err) <
            0 ||
        list_it(session, request, &desc, knows_subject, by_tag, err) < 0)
        return -1;
    descriptor_copy(ret, &desc);
    return 0;
}
