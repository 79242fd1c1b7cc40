/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/push_compatible.h"

#include "base/mem.h"
#include "oci/transport_store.h"
#include "registry/image_copy.h"
#include "registry/session_parts.h"
#include "registry/transport_registry.h"

static int push_converted(struct registry_session *session, struct store *store,
                          const struct push_request *request, struct descriptor *pushed,
                          struct error **err)
{
    const struct reference *reference = request->reference;
    AUTO(transport_free) struct transport *from = transport_store_of(store, request->image);
    AUTO(transport_free) struct transport *to = transport_registry_new(session, reference);
    AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
    AUTO(strvec_release) struct strvec more_tags = STRVEC_INIT;
    AUTO(free) char *name = reference_familiar(reference);
    AUTO(free) char *title = xasprintf("pushing %s in Docker's format", name);
    for (size_t i = 0; i < request->n_extra; i++)
        strvec_push(&more_tags, request->extra[i].tag);
    const struct image_copy_request copy = { .from = from,
                                             .to = to,
                                             .scope = IMAGE_COPY_ALL,
                                             .format = IMAGE_FORMAT_DOCKER,
                                             .more_tags = &more_tags,
                                             .progress = session_progress(session),
                                             .title = title };
    if (image_copy(&copy, &result, err) < 0)
        return -1;
    char old[DIGEST_TEXT_SIZE], new[DIGEST_TEXT_SIZE];
    digest_format(&request->image->digest, old);
    digest_format(&result.image.digest, new);
    session_warn(session, request->vertex,
                 "%s takes no OCI manifests: %s was pushed in Docker's format, as %s",
                 reference->domain, old, new);
    if (pushed)
        descriptor_copy(pushed, &result.image);
    return 0;
}

int registry_push_compatible(struct registry_session *session, struct store *store,
                             const struct push_request *request, struct descriptor *pushed,
                             struct error **err)
{
    AUTO(error_free) struct error *refused = NULL;
    AUTO(error_free) struct error *ignored = NULL; /* why the registry refused it says more */
    if (registry_push(session, store, request, NULL, &refused) == 0) {
        if (pushed)
            descriptor_copy(pushed, request->image);
        return 0;
    }
    if (error_is(refused, ERR_UNSUPPORTED) &&
        push_converted(session, store, request, pushed, &ignored) == 0)
        return 0;
    error_move(err, TAKE(refused));
    return -1;
}
