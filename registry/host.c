/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/host.h"

#include "base/mem.h"
#include "registry/auth.h"
#include "registry/certs.h"
#include "registry/session_parts.h"

#include <string.h>

/* States of host->blobs */
static char blob_in_work[] = "in work", blob_there[] = "there";

static void free_challenge(void *challenge)
{
    challenge_release(challenge);
    free(challenge);
}

struct host *host_new(struct registry_session *session, const char *domain)
{
    struct host *host = NEW(struct host);
    host->session = session;
    endpoint_init(&host->endpoint, domain);
    host->endpoint.insecure = session_is_insecure(session, host->endpoint.host);
    pthread_mutex_init(&host->mutex, NULL);
    pthread_mutex_init(&host->token_mutex, NULL);
    pthread_cond_init(&host->blob_changed, NULL);
    hashmap_init(&host->tokens, auth_token_free);
    hashmap_init(&host->blobs, NULL);
    hashmap_init(&host->challenges, free_challenge);
    return host;
}

void host_free(struct host *host)
{
    if (!host)
        return;
    endpoint_release(&host->endpoint);
    url_release(&host->base);
    challenge_release(&host->challenge);
    hashmap_release(&host->tokens);
    hashmap_release(&host->blobs);
    hashmap_release(&host->challenges);
    pthread_cond_destroy(&host->blob_changed);
    pthread_mutex_destroy(&host->token_mutex);
    pthread_mutex_destroy(&host->mutex);
    free(host);
}

/* GET /v2/ with a scheme; any answer will do. */
static int ask(struct host *host, const char *scheme, struct http_response *response,
               struct error **err)
{
    AUTO(free) char *text = xasprintf("%s://%s/v2/", scheme, host->endpoint.host);
    AUTO(url_release) struct url url = { 0 };
    const struct http_tls *tls = NULL;
    if (url_parse(text, &url, err) < 0 || session_tls(host->session, &url, &tls, err) < 0)
        return -1;
    struct http_request request = { .method = "GET", .url = text, .tls = tls };
    if (http_perform(session_http(host->session), &request, response, err) == 0)
        return 0;
    certs_hint(response->failure, &url, err);
    return error_wrap(err, "GET %s", text);
}

/* "Doesn't answer TLS": only then may plain http be tried; a bad certificate is no reason. */
static bool may_be_plain(enum http_failure failure)
{
    return failure == HTTP_FAILURE_TLS || failure == HTTP_FAILURE_CUT ||
           failure == HTTP_FAILURE_CONNECT || failure == HTTP_FAILURE_PROTOCOL ||
           failure == HTTP_FAILURE_TIMEOUT;
}

/* https was in vain, which *err says; it stands unless http answers. */
static int ask_plain(struct host *host, struct http_response *response, struct error **err)
{
    AUTO(error_free) struct error *trouble = NULL;
    int result = ask(host, "http", response, &trouble);
    /* so say servers of TLS (Go's, nginx) to who speaks plainly: https failed for another reason */
    if (result == 0 && response->status == 400)
        return -1;
    if (result == 0 || error_is(trouble, ERR_CANCELLED))
        error_clear(err);
    if (error_is(trouble, ERR_CANCELLED))
        return error_set(err, ERR_CANCELLED, "%s", error_message(trouble));
    return result;
}

static int probe(struct host *host, const char **scheme, struct challenge *challenge,
                 struct error **err)
{
    AUTO(http_response_release) struct http_response response = { 0 };
    *scheme = "https";
    if (ask(host, "https", &response, err) < 0) {
        if (!may_be_plain(response.failure) || ask_plain(host, &response, err) < 0)
            return -1;
        *scheme = "http";
    }
    if (response.status == 401)
        challenge_from_headers(&response.headers, challenge);
    return 0;
}

static int locked_find_base(struct host *host, struct error **err)
{
    const char *scheme = "https";
    AUTO(challenge_release) struct challenge challenge = { 0 };
    bool may_probe = host->endpoint.loopback || host->endpoint.insecure;
    if (may_probe && probe(host, &scheme, &challenge, err) < 0)
        return -1;
    AUTO(free) char *text = xasprintf("%s://%s/", scheme, host->endpoint.host);
    if (url_parse(text, &host->base, err) < 0)
        return -1;
    challenge_copy(&host->challenge, &challenge);
    host->is_probed = true;
    return 0;
}

int host_base(struct host *host, struct url *ret, struct error **err)
{
    pthread_mutex_lock(&host->mutex);
    int result = host->is_probed ? 0 : locked_find_base(host, err);
    if (result == 0)
        url_copy(ret, &host->base);
    pthread_mutex_unlock(&host->mutex);
    return result;
}

void host_challenge(struct host *host, const char *path, struct challenge *ret, bool *is_guess)
{
    pthread_mutex_lock(&host->mutex);
    const struct challenge *own = hashmap_get(&host->challenges, path ? path : "");
    challenge_copy(ret, own ? own : &host->challenge);
    *is_guess = own == NULL;
    pthread_mutex_unlock(&host->mutex);
}

void host_set_challenge(struct host *host, const char *path, const struct challenge *challenge)
{
    struct challenge *own = NEW(struct challenge);
    challenge_copy(own, challenge);
    pthread_mutex_lock(&host->mutex);
    challenge_copy(&host->challenge, challenge);
    hashmap_put(&host->challenges, path ? path : "", own);
    pthread_mutex_unlock(&host->mutex);
}

static char *blob_key(const char *path, const struct digest *digest)
{
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    return xasprintf("%s@%s", path, text);
}

bool host_blob_begin(struct host *host, const char *path, const struct digest *digest)
{
    AUTO(free) char *key = blob_key(path, digest);
    pthread_mutex_lock(&host->mutex);
    while (hashmap_get(&host->blobs, key) == blob_in_work)
        pthread_cond_wait(&host->blob_changed, &host->mutex);
    bool is_there = hashmap_get(&host->blobs, key) == blob_there;
    if (!is_there)
        hashmap_put(&host->blobs, key, blob_in_work);
    pthread_mutex_unlock(&host->mutex);
    return !is_there;
}

void host_blob_end(struct host *host, const char *path, const struct digest *digest, bool is_there)
{
    AUTO(free) char *key = blob_key(path, digest);
    pthread_mutex_lock(&host->mutex);
    if (is_there)
        hashmap_put(&host->blobs, key, blob_there);
    else
        (void)hashmap_remove(&host->blobs, key);
    pthread_cond_broadcast(&host->blob_changed);
    pthread_mutex_unlock(&host->mutex);
}

void host_blob_forget(struct host *host, const char *path, const struct digest *digest)
{
    AUTO(free) char *key = blob_key(path, digest);
    pthread_mutex_lock(&host->mutex);
    if (hashmap_get(&host->blobs, key) == blob_there)
        (void)hashmap_remove(&host->blobs, key);
    pthread_mutex_unlock(&host->mutex);
}
