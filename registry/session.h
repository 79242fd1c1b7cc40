/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one command shares over all its transfers: connections, tokens,
 * credentials, what is known of each host. Settings come from cli as values;
 * this folder reads config.json, registries.conf, certs.d and proxies itself, when first needed.
 *
 * Errors of pull, push and download begin with what failed of the work ("layer 2 of 5: blob
 * sha256:...: GET https://..."): the image's name, which the caller knows, is put in front by the
 * caller. login says its registry, since it normalises the name.
 *
 * Thread-safe: pull, push, resolve and download may be called from several
 * threads at once; one event loop drives all connections.
 */
#ifndef CBUILD_REGISTRY_SESSION_H
#define CBUILD_REGISTRY_SESSION_H

#include "base/error.h"
#include "base/progress.h"
#include "base/strvec.h"

#include <stdbool.h>

struct registry_options {
    const char *docker_config; /* directory of config.json; NULL: $DOCKER_CONFIG, ~/.docker */
    const char *credentials;   /* "user:password" of --creds for any host; NULL: look up */
    const char *auth_file;     /* --authfile: the only file of credentials; NULL: look up */
    bool no_credentials;       /* --no-creds */
    const struct strvec
        *insecure;             /* hosts that may be plain http or have a bad certificate; or NULL */
    bool no_tls_verify;        /* --tls-verify=false: as if every host were listed */
    const char *cert_dir;      /* --cert-dir; NULL: certs.d of docker and containers */
    struct progress *progress; /* or NULL; warnings go there too */
    unsigned max_connections;  /* per host; 0: 6 */
};

struct registry_session;

/* Opens no socket and reads no file. options and what it points to must outlive the session. */
struct registry_session *registry_session_new(const struct registry_options *options);
void registry_session_free(struct registry_session *session);
DEFINE_AUTO(struct registry_session, registry_session_free)
/*
 * Ends all that is under way, and waits before another attempt too, with ERR_CANCELLED; nothing can
 * be asked for any more. From any thread.
 */
void registry_session_abort(struct registry_session *session);

#endif
