/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder ask of a session. All thread-safe; everything lives until the
 * session is freed. */
#ifndef CBUILD_REGISTRY_SESSION_PARTS_H
#define CBUILD_REGISTRY_SESSION_PARTS_H

#include "base/pool.h"
#include "registry/credentials.h"
#include "registry/host.h"
#include "registry/http.h"
#include "registry/registries.h"
#include "registry/session.h"
#include "registry/url.h"

const struct registry_options *session_options(const struct registry_session *session);
struct http *session_http(struct registry_session *session);
/* Readable once the session is aborted; -1: it can't be waited for. */
int session_abort_fd(const struct registry_session *session);
struct credentials *session_credentials(struct registry_session *session);
struct progress *session_progress(struct registry_session *session);
struct registries *session_registries(struct registry_session *session);
/* Threads for transfers side by side; tasks never wait for tasks. */
struct pool *session_pool(struct registry_session *session);
/* What is known of a registry, made at the first question. */
struct host *session_host(struct registry_session *session, const char *domain);
/* Certificates for connections to a URL's host. */
int session_tls(struct registry_session *session, const struct url *url,
                const struct http_tls **ret, struct error **err) WARN_UNUSED;
/* Whether the user said that this host[:port] may be plain http. */
bool session_is_insecure(struct registry_session *session, const char *host);
/* Each text once. */
void session_warn(struct registry_session *session, unsigned vertex, const char *format, ...)
    PRINTF(3, 4);

#endif
