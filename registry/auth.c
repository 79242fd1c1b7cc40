/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/auth.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "registry/base64.h"
#include "registry/request.h"

#include <string.h>

#define TOKENS_MAX 3 /* per request without progress */
#define TOKEN_ANSWER_MAX (1u << 20)
#define TOKEN_DEFAULT_LIFE_S 60
#define TOKEN_MAX_LIFE_S 86400
#define CLIENT_ID "cbuild"

struct token {
    char *text;
    char *who;
    uint64_t until_ms; /* monotonic */
};

void auth_token_free(void *p)
{
    struct token *token = p;
    if (!token)
        return;
    free(token->text);
    free(token->who);
    free(token);
}

void auth_try_release(struct auth_try *try)
{
    free(try->sent);
    free(try->who);
    free(try->wanted_scope);
    *try = (struct auth_try){ 0 };
}

char *auth_basic(const char *username, const char *password)
{
    AUTO(free) char *plain = xasprintf("%s:%s", username, password);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "Basic ");
    base64_encode(&text, plain, strlen(plain));
    return strbuf_detach(&text);
}

static char *describe(const struct credential *credential)
{
    if (!credential->source)
        return NULL;
    if (credential->username && *credential->username)
        return xasprintf("user \"%s\" of %s", credential->username, credential->source);
    return xasprintf("token of %s", credential->source);
}

/* Asking for a token */

struct token_request {
    struct host *host;
    const struct challenge *challenge;
    const struct strvec *scopes;
    struct credential credential;
    char *who;
    struct url realm;
};

/* RELIABILITY 1: where a password may go */
static int check_realm(struct token_request *ask, struct error **err)
{
    AUTO(url_release) struct url base = { 0 };
    if (host_base(ask->host, &base, err) < 0)
        return -1;
    if (url_parse(ask->challenge->realm, &ask->realm, err) < 0)
        return error_wrap(err, "token server of %s", ask->host->endpoint.domain);
    AUTO(free) char *authority = url_authority(&ask->realm);
    AUTO(free) char *text = url_format(&ask->realm);
    AUTO(free) char *shown = url_redact(text);
    bool is_plain = !url_is_https(&ask->realm);
    if (is_plain && url_is_https(&base))
        return error_set(err, ERR_REFUSED, "%s names a token server without TLS: %.300s",
                         ask->host->endpoint.domain, shown);
    bool may_be_plain =
        url_host_is_loopback(ask->realm.host) || session_is_insecure(ask->host->session, authority);
    if (is_plain && ask->credential.source && !may_be_plain)
        return error_set(
            err, ERR_REFUSED,
            "%s names a token server without TLS, which isn't listed as insecure: %.300s",
            ask->host->endpoint.domain, shown);
    if (is_plain && ask->credential.source && !url_host_is_loopback(ask->realm.host))
        session_warn(ask->host->session, 0, "credentials for %s go to %s unencrypted",
                     ask->host->endpoint.domain, authority);
    return 0;
}

static void add_form(struct strbuf *form, const char *name, const char *value)
{
    strbuf_addf(form, "%s%s=", form->size ? "&" : "", name);
    url_encode(form, value);
}

static int ask_by_get(struct token_request *ask, struct reply *reply, struct error **err)
{
    const struct credential *credential = &ask->credential;
    AUTO(url_release) struct url url = { 0 };
    AUTO(free) char *authorization = NULL;
    url_copy(&url, &ask->realm);
    if (ask->challenge->service)
        url_add_query(&url, "service", ask->challenge->service);
    for (size_t i = 0; i < ask->scopes->n; i++)
        url_add_query(&url, "scope", ask->scopes->items[i]);
    if (credential->source) {
        const char *user = credential->username ? credential->username : "<token>";
        const char *secret =
            credential->identity_token ? credential->identity_token : credential->password;
        authorization = auth_basic(user, secret ? secret : "");
        url_add_query(&url, "account", user);
    }
    url_add_query(&url, "client_id", CLIENT_ID);
    struct request request = { .method = "GET",
                               .url = &url,
                               .authorization = authorization,
                               .who = ask->who,
                               .max_body = TOKEN_ANSWER_MAX };
    if (request_run(ask->host->session, &request, reply, err) < 0)
        return -1;
    return reply_status(reply) == 200 ? 0 : request_error(&request, reply, err);
}

/* OAuth2. 1: an answer; 0: try GET instead */
static int ask_by_post(struct token_request *ask, struct reply *reply, struct error **err)
{
    AUTO(strbuf_release) struct strbuf form = STRBUF_INIT, scopes = STRBUF_INIT;
    AUTO(strvec_release) struct strvec headers = STRVEC_INIT;
    for (size_t i = 0; i < ask->scopes->n; i++)
        strbuf_addf(&scopes, "%s%s", i ? " " : "", ask->scopes->items[i]);
    add_form(&form, "grant_type", "refresh_token");
    if (ask->challenge->service)
        add_form(&form, "service", ask->challenge->service);
    add_form(&form, "client_id", CLIENT_ID);
    if (scopes.size)
        add_form(&form, "scope", scopes.data);
    add_form(&form, "refresh_token", ask->credential.identity_token);
    strvec_push(&headers, "Content-Type: application/x-www-form-urlencoded");
    struct http_body body = { .data = form.data, .size = form.size };
    struct request request = { .method = "POST",
                               .url = &ask->realm,
                               .headers = &headers,
                               .body = &body,
                               .who = ask->who,
                               .no_redirect = true, /* the body is a secret */
                               .max_body = TOKEN_ANSWER_MAX };
    if (request_run(ask->host->session, &request, reply, err) < 0)
        return -1;
    return reply_status(reply) == 200;
}

static bool is_header_safe(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static int read_token(const struct token_request *ask, const struct strbuf *body, uint64_t asked_ms,
                      struct token **ret, struct error **err)
{
    AUTO(json_decref) json_t *answer = json_parse_object(body->data, body->size, err);
    const char *text = NULL;
    if (!answer)
        return -1;
    if (json_get_string(answer, "", "token", JSON_OPTIONAL, &text, err) < 0)
        return -1;
    if ((!text || !*text) &&
        json_get_string(answer, "", "access_token", JSON_OPTIONAL, &text, err) < 0)
        return -1;
    if (!text || !*text || !is_header_safe(text))
        return error_set(err, ERR_INVALID, "no token in the answer");
    const json_t *expires = json_object_get(answer, "expires_in");
    json_int_t seconds = json_is_integer(expires) ? json_integer_value(expires) : 0;
    if (seconds <= 0)
        seconds = TOKEN_DEFAULT_LIFE_S;
    if (seconds > TOKEN_MAX_LIFE_S)
        seconds = TOKEN_MAX_LIFE_S;
    uint64_t life_ms = (uint64_t)seconds * 1000;
    uint64_t margin_ms = life_ms / 10 < 10000 ? life_ms / 10 : 10000;
    struct token *token = NEW(struct token);
    token->text = xstrdup(text);
    token->who = xstrdup(ask->who);
    token->until_ms = asked_ms + life_ms - margin_ms;
    *ret = token;
    return 0;
}

static int fetch_token(struct token_request *ask, struct token **ret, struct error **err)
{
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    uint64_t asked_ms = clock_monotonic_ms();
    if (check_realm(ask, err) < 0)
        return -1;
    int answered = 0;
    if (ask->credential.identity_token)
        answered = ask_by_post(ask, &reply, err);
    if (answered < 0 || (!answered && ask_by_get(ask, &reply, err) < 0))
        return error_wrap(err, "token for %s", ask->host->endpoint.domain);
    if (read_token(ask, &reply.body, asked_ms, ret, err) < 0) {
        AUTO(free) char *text = url_format(&ask->realm);
        AUTO(free) char *shown = url_redact(text);
        return error_wrap(err, "token for %s: %.300s", ask->host->endpoint.domain, shown);
    }
    return 0;
}

/* Headers */

static int send_token(struct auth_try *try, const struct token *token)
{
    try->sent = xasprintf("Bearer %s", token->text);
    free(try->who);
    try->who = xstrdup(token->who);
    return 0;
}

static struct token *locked_find(struct host *host, const char *key)
{
    struct token *token = hashmap_get(&host->tokens, key);
    if (token && clock_monotonic_ms() < token->until_ms)
        return token;
    return NULL;
}

static int locked_bearer(struct host *host, const struct challenge *challenge,
                         const struct scope *scope, struct auth_try *try,
                         struct credential *credential, struct error **err)
{
    AUTO(strvec_release) struct strvec scopes = STRVEC_INIT;
    AUTO(strbuf_release) struct strbuf key = STRBUF_INIT;
    scope_format(scope, &scopes);
    for (size_t i = 0; i < scopes.n; i++)
        strbuf_addf(&key, "%s ", scopes.items[i]);
    struct token *token = locked_find(host, key.data);
    if (token)
        return send_token(try, token);
    (void)scope_merge(&scopes, try->wanted_scope,
                      try->widen); /* whether it grew was asked before */
    struct token_request ask = { .host = host, .challenge = challenge, .scopes = &scopes };
    ask.credential = *credential; /* borrowed: released by the caller */
    ask.who = describe(credential);
    int result = fetch_token(&ask, &token, err);
    url_release(&ask.realm);
    free(ask.who);
    if (result < 0)
        return -1;
    hashmap_put(&host->tokens, key.data, token);
    try->n_tokens++;
    try->is_fresh = true;
    return send_token(try, token);
}

static int send_basic(struct host *host, const struct credential *credential, struct auth_try *try,
                      struct error **err)
{
    AUTO(url_release) struct url base = { 0 };
    if (!credential->username)
        return 0;
    if (host_base(host, &base, err) < 0)
        return -1;
    if (!url_is_https(&base) && !host->endpoint.loopback)
        session_warn(host->session, 0, "credentials for %s go there unencrypted",
                     host->endpoint.domain);
    const char *secret = credential->password ? credential->password : credential->identity_token;
    try->sent = auth_basic(credential->username, secret ? secret : "");
    free(try->who);
    try->who = describe(credential);
    try->is_fresh = true;
    return 0;
}

static int answer(struct host *host, const struct challenge *challenge, const struct scope *scope,
                  struct auth_try *try, struct error **err)
{
    AUTO(credential_release) struct credential credential = { 0 };
    if (challenge->scheme != CHALLENGE_BASIC && challenge->scheme != CHALLENGE_BEARER)
        return 0;
    struct credentials *credentials = session_credentials(host->session);
    const char *domain = host->endpoint.domain;
    bool is_mirror = atomic_load(&host->is_mirror);
    if ((is_mirror ? credentials_look_up : credentials_find)(credentials, domain, scope->path,
                                                             &credential, err) < 0)
        return -1;
    if (challenge->scheme == CHALLENGE_BASIC)
        return send_basic(host, &credential, try, err);
    if (credential.registry_token && is_header_safe(credential.registry_token)) {
        try->sent = xasprintf("Bearer %s", credential.registry_token);
        try->is_fresh = true;
        free(try->who);
        try->who = describe(&credential);
        return 0;
    }
    if (!challenge->realm)
        return 0;
    pthread_mutex_lock(&host->token_mutex);
    int result = locked_bearer(host, challenge, scope, try, &credential, err);
    pthread_mutex_unlock(&host->token_mutex);
    return result;
}

int auth_header(struct host *host, const struct scope *scope, struct auth_try *try,
                struct error **err)
{
    AUTO(challenge_release) struct challenge challenge = { 0 };
    bool is_guess;
    free(try->sent);
    try->sent = NULL;
    try->is_fresh = false;
    host_challenge(host, scope->path, &challenge, &is_guess);
    if (answer(host, &challenge, scope, try, err) == 0)
        return 0;
    if (!is_guess || error_is(*err, ERR_CANCELLED))
        return -1;
    /* another repository's challenge: ask without, and hear this one's own */
    error_clear(err);
    return 0;
}

/* Forgets a token that was refused, unless another thread has replaced it already. */
static void drop_token(struct host *host, const struct scope *scope, const char *sent)
{
    AUTO(strvec_release) struct strvec scopes = STRVEC_INIT;
    AUTO(strbuf_release) struct strbuf key = STRBUF_INIT;
    scope_format(scope, &scopes);
    for (size_t i = 0; i < scopes.n; i++)
        strbuf_addf(&key, "%s ", scopes.items[i]);
    pthread_mutex_lock(&host->token_mutex);
    const struct token *token = hashmap_get(&host->tokens, key.data);
    if (token && sent && strncmp(sent, "Bearer ", 7) == 0 && strcmp(sent + 7, token->text) == 0)
        (void)hashmap_remove(&host->tokens, key.data);
    pthread_mutex_unlock(&host->token_mutex);
}

/* Whether a challenge asks for more than was asked of the token server already; then that is wanted
 * from now on. */
static bool wants_more(const struct scope *scope, const struct challenge *challenge,
                       struct auth_try *try)
{
    AUTO(strvec_release) struct strvec scopes = STRVEC_INIT;
    bool widen = challenge->error && strcmp(challenge->error, "insufficient_scope") == 0;
    scope_format(scope, &scopes);
    (void)scope_merge(&scopes, try->wanted_scope, try->widen); /* what was asked last */
    if (!scope_merge(&scopes, challenge->scope, widen))
        return false;
    free(try->wanted_scope);
    try->wanted_scope = xstrdup(challenge->scope);
    try->widen = widen;
    return true;
}

bool auth_challenged(struct host *host, const struct scope *scope, const struct headers *headers,
                     struct auth_try *try)
{
    AUTO(challenge_release) struct challenge known = { 0 };
    AUTO(challenge_release) struct challenge challenge = { 0 };
    bool ignored;
    challenge_from_headers(headers, &challenge);
    if (challenge.scheme != CHALLENGE_BASIC && challenge.scheme != CHALLENGE_BEARER)
        return false;
    host_challenge(host, scope->path, &known, &ignored);
    host_set_challenge(host, scope->path, &challenge);
    drop_token(host, scope, try->sent);
    if (challenge.scheme == CHALLENGE_BASIC)
        return !(known.scheme == CHALLENGE_BASIC && try->sent) && try->n_tokens++ < TOKENS_MAX;
    bool wider = wants_more(scope, &challenge, try);
    /* even a new one may have ended meanwhile: some live by the count of requests, which threads
     * share */
    bool ended = challenge.error && strcmp(challenge.error, "invalid_token") == 0;
    bool stale = try->sent && (!try->is_fresh || ended);
    /* a realm of its own, where the token came from another's */
    bool elsewhere = known.realm && challenge.realm && strcmp(known.realm, challenge.realm) != 0;
    return (!try->sent || stale || wider || elsewhere) && try->n_tokens < TOKENS_MAX;
}
