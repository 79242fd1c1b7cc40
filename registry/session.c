/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/session.h"

#include "base/mem.h"
#include "registry/certs.h"
#include "registry/session_parts.h"

#include <stdarg.h>
#include <sys/eventfd.h>

#define DEFAULT_CONNECTIONS 6

struct registry_session {
    struct registry_options options; /* immutable */
    struct http *http;
    int abort_fd; /* -1: none could be had, and a wait before a retry isn't cut short */
    struct credentials *credentials;
    struct registries *registries;

    pthread_mutex_t mutex;
    struct pool *pool;
    struct hashmap hosts;  /* domain → struct host */
    struct hashmap tls;    /* authority → struct http_tls */
    struct hashmap warned; /* texts */
};

static void free_host(void *host)
{
    host_free(host);
}

static void free_tls(void *tls)
{
    http_tls_release(tls);
    free(tls);
}

struct registry_session *registry_session_new(const struct registry_options *options)
{
    struct registry_session *session = NEW(struct registry_session);
    session->options = *options;
    if (!session->options.max_connections)
        session->options.max_connections = DEFAULT_CONNECTIONS;
    session->http = http_new(session->options.max_connections);
    session->abort_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    session->credentials =
        credentials_new(options->credentials, options->docker_config, options->progress);
    session->registries = registries_new();
    credentials_restrict(session->credentials, options->auth_file, options->no_credentials);
    pthread_mutex_init(&session->mutex, NULL);
    hashmap_init(&session->hosts, free_host);
    hashmap_init(&session->tls, free_tls);
    hashmap_init(&session->warned, NULL);
    return session;
}

void registry_session_free(struct registry_session *session)
{
    if (!session)
        return;
    pool_free(session->pool);
    http_free(session->http);
    close_auto(&session->abort_fd);
    hashmap_release(&session->hosts);
    hashmap_release(&session->tls);
    hashmap_release(&session->warned);
    credentials_free(session->credentials);
    registries_free(session->registries);
    pthread_mutex_destroy(&session->mutex);
    free(session);
}

void registry_session_abort(struct registry_session *session)
{
    http_abort(session->http);
    if (session->abort_fd >= 0)
        (void)eventfd_write(session->abort_fd, 1);
}

int session_abort_fd(const struct registry_session *session)
{
    return session->abort_fd;
}

const struct registry_options *session_options(const struct registry_session *session)
{
    return &session->options;
}

struct http *session_http(struct registry_session *session)
{
    return session->http;
}

struct credentials *session_credentials(struct registry_session *session)
{
    return session->credentials;
}

struct progress *session_progress(struct registry_session *session)
{
    return session->options.progress;
}

struct registries *session_registries(struct registry_session *session)
{
    return session->registries;
}

struct pool *session_pool(struct registry_session *session)
{
    pthread_mutex_lock(&session->mutex);
    if (!session->pool)
        session->pool = pool_new(session->options.max_connections);
    struct pool *pool = session->pool;
    pthread_mutex_unlock(&session->mutex);
    return pool;
}

struct host *session_host(struct registry_session *session, const char *domain)
{
    if (endpoint_is_hub(domain))
        domain = ENDPOINT_HUB;
    pthread_mutex_lock(&session->mutex);
    struct host *host = hashmap_get(&session->hosts, domain);
    if (!host) {
        host = host_new(session, domain);
        hashmap_put(&session->hosts, domain, host);
    }
    pthread_mutex_unlock(&session->mutex);
    return host;
}

bool session_is_insecure(struct registry_session *session, const char *host)
{
    return session->options.no_tls_verify || endpoint_is_listed(session->options.insecure, host) ||
           registries_is_insecure(session->registries, host);
}

static struct http_tls *tls_new(struct registry_session *session, const struct url *url,
                                const char *authority, struct error **err)
{
    struct http_tls *tls = NEW(struct http_tls);
    AUTO(free) char *with_port = xasprintf("%s:%u", url->host, url->port);
    if (certs_load(authority, session->options.cert_dir, tls, err) < 0) {
        free_tls(tls);
        return NULL;
    }
    tls->insecure =
        session_is_insecure(session, authority) || session_is_insecure(session, with_port);
    return tls;
}

int session_tls(struct registry_session *session, const struct url *url,
                const struct http_tls **ret, struct error **err)
{
    if (!url_is_https(url)) {
        *ret = NULL;
        return 0;
    }
    AUTO(free) char *authority = url_authority(url);
    pthread_mutex_lock(&session->mutex);
    struct http_tls *tls = hashmap_get(&session->tls, authority);
    if (!tls) {
        tls = tls_new(session, url, authority, err);
        if (tls)
            hashmap_put(&session->tls, authority, tls);
    }
    pthread_mutex_unlock(&session->mutex);
    if (!tls)
        return -1;
    *ret = tls;
    return 0;
}

void session_warn(struct registry_session *session, unsigned vertex, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO(free) char *text = xvasprintf(format, args);
    va_end(args);
    pthread_mutex_lock(&session->mutex);
    bool is_new = !hashmap_has(&session->warned, text);
    if (is_new)
        hashmap_put(&session->warned, text, session);
    pthread_mutex_unlock(&session->mutex);
    if (is_new)
        progress_warning(session->options.progress, vertex, "%s", text);
}
