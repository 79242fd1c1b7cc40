/* SPDX-License-Identifier: Apache-2.0 */
/* Where commands read an image from or write it to: a name with its transport (transport_name.h),
 * opened. */
#ifndef CBUILD_CLI_PLACE_H
#define CBUILD_CLI_PLACE_H

#include "cli/app.h"
#include "oci/transport.h"
#include "oci/transport_name.h"

struct place {
    /* set by options before it is opened; what isn't is taken from the app */
    const char *creds, *auth_file, *cert_dir;
    bool tls_verify, no_creds; /* tls_verify: true to begin with */

    struct transport_name name;
    struct registry_options registry;
    struct registry_session *session; /* of its own; NULL: no registry */
    struct transport *transport;
};

#define PLACE_INIT                                                                                 \
    {                                                                                              \
        .tls_verify = true                                                                         \
    }
/* Options of one side, "src" or "dest", to list in tables */
#define PLACE_OPTIONS(place, side)                                                                 \
    OPT_STRING(0, side "-creds", "USER:PASSWORD", &(place)->creds, "credentials there"),           \
        OPT_STRING(0, side "-authfile", "FILE", &(place)->auth_file, "file of credentials there"), \
        OPT_STRING(0, side "-cert-dir", "DIR", &(place)->cert_dir,                                 \
                   "folder of certificates for there"),                                            \
        OPT_FLAG(0, side "-tls-verify", &(place)->tls_verify,                                      \
                 "=false: plain http and any certificate will do there"),                          \
        OPT_FLAG(0, side "-no-creds", &(place)->no_creds, "be anonymous there")

void place_release(struct place *place);
DEFINE_AUTO_STRUCT(struct place, place_release)

/* The session of the place alone. */
int place_open_session(struct app *app, struct place *place, struct error **err) WARN_UNUSED;
/* To read. ERR_USAGE, ERR_NOT_FOUND. */
int place_open(struct app *app, const char *text, struct place *place,
               struct error **err) WARN_UNUSED;
/* As place_open(), but a name without transport is the store's where the store has it. */
int place_open_local_first(struct app *app, const char *text, struct place *place,
                           struct error **err) WARN_UNUSED;
/* To write. ERR_USAGE, ERR_EXISTS. */
int place_create(struct app *app, const char *text, struct place *place,
                 struct error **err) WARN_UNUSED;

#endif
