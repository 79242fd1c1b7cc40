/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/place.h"

#include "base/mem.h"
#include "layers/image_check.h"
#include "layers/transport_archive.h"
#include "oci/store_tags.h"
#include "oci/transport_dir.h"
#include "oci/transport_layout.h"
#include "oci/transport_store.h"
#include "registry/transport_registry.h"

#include <string.h>
#include <unistd.h>

void place_release(struct place *place)
{
    transport_free(place->transport);
    registry_session_free(place->session);
    transport_name_release(&place->name);
    place->transport = NULL;
    place->session = NULL;
}

/* A session for each side: transport_registry.h says why. */
int place_open_session(struct app *app, struct place *place, struct error **err)
{
    struct registry_options *options = &place->registry;
    *options = app->registry;
    options->insecure = &app->insecure;
    options->no_tls_verify = !app->tls_verify || !place->tls_verify;
    options->progress = app->progress;
    options->no_credentials = place->no_creds;
    if (place->creds)
        options->credentials = place->creds;
    if (place->auth_file)
        options->auth_file = place->auth_file;
    if (place->cert_dir)
        options->cert_dir = place->cert_dir;
    if (place->auth_file && !place->creds)
        options->credentials = NULL; /* --creds is for both sides, this is for one */
    if (options->auth_file && access(options->auth_file, R_OK) < 0)
        return error_errno(err, "file of credentials %s", options->auth_file);
    place->session = registry_session_new(options);
    return 0;
}

static int open_registry(struct app *app, struct place *place, struct error **err)
{
    if (place_open_session(app, place, err) < 0)
        return -1;
    place->transport = transport_registry_new(place->session, &place->name.reference);
    return 0;
}

static int open_named(struct app *app, struct place *place, struct error **err)
{
    const struct transport_name *name = &place->name;
    switch (name->kind) {
    case TRANSPORT_REGISTRY:
        return open_registry(app, place, err);
    case TRANSPORT_STORE:
        if (app_store(app, err))
            place->transport = transport_store_open(app->store, name->path, err);
        break;
    case TRANSPORT_LAYOUT:
        place->transport = transport_layout_open(name->path, name->ref, &name->digest, err);
        break;
    case TRANSPORT_OCI_ARCHIVE:
    case TRANSPORT_DOCKER_ARCHIVE:
        if (app_store(app, err))
            place->transport = transport_archive_open(app->store, name->path, name->ref, err);
        break;
    case TRANSPORT_DIR:
        place->transport = transport_dir_open(name->path, err);
        break;
    }
    return place->transport ? 0 : -1;
}

int place_open(struct app *app, const char *text, struct place *place, struct error **err)
{
    if (transport_name_parse(text, &place->name, err) < 0)
        return -1;
    return open_named(app, place, err);
}

static bool store_knows(struct app *app, const char *text)
{
    AUTO(descriptor_release) struct descriptor found = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* then it is a registry's */
    return app_store(app, &ignored) && store_resolve(app->store, text, &found, NULL, &ignored) == 0;
}

int place_open_local_first(struct app *app, const char *text, struct place *place,
                           struct error **err)
{
    AUTO(error_free) struct error *no_name = NULL; /* an image's id, perhaps */
    bool is_id = transport_name_parse(text, &place->name, &no_name) < 0;
    if ((is_id || place->name.is_bare) && store_knows(app, text)) {
        place->transport = transport_store_open(app->store, text, err);
        return place->transport ? 0 : -1;
    }
    if (is_id) {
        error_move(err, TAKE(no_name));
        return -1;
    }
    return open_named(app, place, err);
}

static int create_in_store(struct app *app, struct place *place, struct error **err)
{
    struct reference *reference = &place->name.reference;
    if (reference_parse(place->name.path, reference, err) < 0) {
        error_recode(err, ERR_USAGE);
        return -1;
    }
    if (reference->digest.is_set)
        return error_set(err, ERR_USAGE, "store:%s: an image gets a tag in the store, no digest",
                         place->name.path);
    reference_default_tag(reference);
    if (!app_store(app, err))
        return -1;
    place->transport = transport_store_create(app->store, reference, image_check);
    return 0;
}

static int create_archive(struct app *app, struct place *place, enum archive_format format,
                          struct error **err)
{
    const struct transport_name *name = &place->name;
    if (app_store(app, err))
        place->transport = transport_archive_create(app->store, name->path, name->ref, format, err);
    return place->transport ? 0 : -1;
}

int place_create(struct app *app, const char *text, struct place *place, struct error **err)
{
    if (transport_name_parse(text, &place->name, err) < 0)
        return -1;
    const struct transport_name *name = &place->name;
    switch (name->kind) {
    case TRANSPORT_REGISTRY:
        return open_registry(app, place, err);
    case TRANSPORT_STORE:
        return create_in_store(app, place, err);
    case TRANSPORT_LAYOUT:
        if (name->digest.is_set)
            return error_set(err, ERR_USAGE, "%s: a layout gets a tag, no digest", text);
        place->transport = transport_layout_create(name->path, name->ref, err);
        break;
    case TRANSPORT_OCI_ARCHIVE:
        return create_archive(app, place, ARCHIVE_OCI, err);
    case TRANSPORT_DOCKER_ARCHIVE: /* both in one: docker's since 25, and it keeps the digest */
        return create_archive(app, place, ARCHIVE_BOTH, err);
    case TRANSPORT_DIR:
        place->transport = transport_dir_create(name->path, err);
        break;
    }
    return place->transport ? 0 : -1;
}
