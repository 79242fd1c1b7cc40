/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/request.h"

#include "base/mem.h"
#include "registry/api_error.h"
#include "registry/auth.h"
#include "registry/certs.h"
#include "registry/retry.h"

#include <stdarg.h>
#include <string.h>

void reply_release(struct reply *reply)
{
    http_response_release(&reply->response);
    url_release(&reply->url);
    strbuf_release(&reply->body);
    free(reply->who);
    *reply = (struct reply)REPLY_INIT;
}

const char *reply_header(const struct reply *reply, const char *name)
{
    return headers_get(&reply->response.headers, name, 0);
}

int reply_status(const struct reply *reply)
{
    return reply->response.status;
}

int reply_admit(const struct reply *reply, struct url *next, struct error **err)
{
    const char *ip = reply->response.peer_ip[0] ? reply->response.peer_ip : NULL;
    if (url_is_https(&reply->url) && !url_is_https(next) &&
        strcmp(next->host, reply->url.host) == 0) {
        free(next->scheme);
        next->scheme = xstrdup("https");
        next->port = next->port == 80 ? reply->url.port : next->port;
    }
    free(next->userinfo); /* nobody sends us elsewhere with credentials */
    next->userinfo = NULL;
    return url_check_hop(&reply->url, ip, next, err);
}

int request_url(struct host *host, struct url *ret, struct error **err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO(free) char *target = xvasprintf(format, args);
    va_end(args);
    if (host_base(host, ret, err) < 0)
        return -1;
    free(ret->target);
    ret->target = TAKE(target);
    return 0;
}

/* One exchange: where its body goes */

struct delivery {
    const struct request *request;
    struct reply *reply;
    bool is_success;
    bool is_enough; /* an error's body is longer than what we read of it */
};

static int on_head(void *data, const struct http_response *response, struct error **err)
{
    struct delivery *delivery = data;
    const struct request *request = delivery->request;
    delivery->is_success = response->status >= 200 && response->status < 300;
    if (delivery->is_success && request->on_head)
        return request->on_head(request->data, response, err);
    return 0;
}

static int on_data(void *data, const void *bytes, size_t size, struct error **err)
{
    struct delivery *delivery = data;
    const struct request *request = delivery->request;
    struct strbuf *body = &delivery->reply->body;
    if (delivery->is_success && request->on_data)
        return request->on_data(request->data, bytes, size, err);
    size_t max = delivery->is_success ? request->max_body : API_ERROR_BODY_MAX;
    if (!max)
        max = REQUEST_MAX_BODY;
    if (size <= max - body->size) {
        strbuf_add(body, bytes, size);
        return 0;
    }
    delivery->is_enough = !delivery->is_success;
    if (delivery->is_enough)
        strbuf_add(body, bytes, max - body->size);
    return error_set(err, ERR_LIMIT, "an answer of more than %zu bytes", max);
}

static void show_warnings(struct registry_session *session, const struct reply *reply)
{
    for (size_t i = 0; i < 8; i++) {
        AUTO(free) char *text = headers_warning(&reply->response.headers, i);
        if (!text)
            return;
        session_warn(session, 0, "%s: %s", reply->url.host, text);
    }
}

static int fail_at(const struct request *request, const struct reply *reply, struct error **err)
{
    AUTO(free) char *text = url_format(&reply->url);
    AUTO(free) char *shown = url_redact(text);
    error_wrap_(err, "%s %.300s", request->method, shown);
    certs_hint(reply->response.failure, &reply->url, err);
    return -1;
}

static void on_sent(void *data, uint64_t size)
{
    const struct delivery *delivery = data;
    if (delivery->request->on_sent)
        delivery->request->on_sent(delivery->request->data, size);
}

/* Of one request through its redirects and challenges */
struct course {
    struct registry_session *session;
    const struct request *request;
    struct reply *reply;
    struct url home; /* where credentials may go; scheme NULL: nowhere */
    char *own;       /* the value of Authorization there, where it is fixed */
    struct auth_try try;
    const char *method;
    unsigned n_hops;
};

/* is_own: headers for the registry itself may go there, too */
static int perform(const struct course *course, const char *authorization, bool is_own,
                   struct error **err)
{
    struct registry_session *session = course->session;
    const struct request *request = course->request;
    struct reply *reply = course->reply;
    AUTO(strvec_release) struct strvec headers = STRVEC_INIT;
    AUTO(free) char *text = url_format(&reply->url);
    const struct http_tls *tls = NULL;
    struct delivery delivery = { .request = request, .reply = reply };
    strbuf_reset(&reply->body);
    http_response_release(&reply->response);
    reply->response.failure = HTTP_FAILURE_LOCAL;
    if (session_tls(session, &reply->url, &tls, err) < 0)
        return -1;
    if (request->headers)
        strvec_append(&headers, request->headers);
    if (is_own)
        credentials_headers(session_credentials(session), &headers);
    if (authorization)
        strvec_pushf(&headers, "Authorization: %s", authorization);
    bool same_method = strcmp(course->method, request->method) == 0;
    struct http_request http_request = { .method = course->method,
                                         .url = text,
                                         .headers = &headers,
                                         .tls = tls,
                                         .body = same_method ? request->body : NULL,
                                         .bulk = request->bulk,
                                         .on_head = on_head,
                                         .on_data = on_data,
                                         .on_sent = on_sent,
                                         .data = &delivery };
    int result = http_perform(session_http(session), &http_request, &reply->response, err);
    if (result < 0 && delivery.is_enough) { /* we hung up ourselves */
        error_clear(err);
        reply->response.failure = HTTP_FAILURE_NONE;
        result = 0;
    }
    if (result < 0)
        return fail_at(request, reply, err);
    show_warnings(session, reply);
    return 0;
}

/* Redirects and challenges */

static void course_release(struct course *course)
{
    url_release(&course->home);
    free(course->own);
    auth_try_release(&course->try);
}
DEFINE_AUTO_STRUCT(struct course, course_release)

/* user:password of the URL itself; the user gave them, for that host */
static char *userinfo_authorization(const char *userinfo)
{
    size_t size = strcspn(userinfo, ":");
    const char *rest = userinfo + size;
    AUTO(free) char *user = url_decode(userinfo, size);
    AUTO(free) char *password = *rest ? url_decode(rest + 1, strlen(rest + 1)) : xstrdup("");
    return auth_basic(user, password);
}

static int course_init(struct course *course, struct error **err)
{
    const struct request *request = course->request;
    url_copy(&course->reply->url, request->url);
    course->method = request->method;
    if (request->host)
        return host_base(request->host, &course->home, err);
    course->own = xstrdup(request->authorization);
    if (!course->own && request->url->userinfo)
        course->own = userinfo_authorization(request->url->userinfo);
    if (course->own)
        url_copy(&course->home, request->url);
    return 0;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* 1: go on there; 0: the redirect is the answer */
static int follow(struct course *course, struct error **err)
{
    struct reply *reply = course->reply;
    const char *location = reply_header(reply, "Location");
    if (course->request->no_redirect || !is_redirect(reply_status(reply)) || !location)
        return 0;
    if (++course->n_hops > REQUEST_MAX_HOPS) {
        error_set_(err, ERR_NETWORK, "more than %d redirects", REQUEST_MAX_HOPS);
        return fail_at(course->request, reply, err);
    }
    AUTO(url_release) struct url next = { 0 };
    if (url_resolve(&reply->url, location, &next, err) < 0 ||
        url_check_hop(&reply->url, reply->response.peer_ip[0] ? reply->response.peer_ip : NULL,
                      &next, err) < 0) {
        reply->response.failure = HTTP_FAILURE_PROTOCOL;
        return fail_at(course->request, reply, err);
    }
    if (reply_status(reply) == 303 && strcmp(course->method, "HEAD") != 0)
        course->method = "GET";
    free(next.userinfo); /* nobody sends us elsewhere with credentials */
    next.userinfo = NULL;
    url_copy(&reply->url, &next);
    return 1;
}

/* One hop. 1: another is needed; 0: reply holds the answer */
static int step(struct course *course, struct error **err)
{
    const struct request *request = course->request;
    struct reply *reply = course->reply;
    bool at_home = course->home.scheme && url_same_origin(&course->home, &reply->url);
    const char *authorization = at_home ? course->own : NULL;
    if (at_home && request->host) {
        if (auth_header(request->host, &request->scope, &course->try, err) < 0)
            return -1;
        authorization = course->try.sent;
    }
    if (perform(course, authorization, at_home && request->host, err) < 0)
        return -1;
    if (reply_status(reply) == 401 && at_home && request->host)
        return auth_challenged(request->host, &request->scope, &reply->response.headers,
                               &course->try);
    return follow(course, err);
}

int request_once(struct registry_session *session, const struct request *request,
                 struct reply *reply, struct error **err)
{
    AUTO(course_release)
    struct course course = { .session = session, .request = request, .reply = reply };
    reply_release(reply);
    reply->response.failure = HTTP_FAILURE_LOCAL;
    int result = course_init(&course, err);
    while (result >= 0 && (result = step(&course, err)) > 0)
        ;
    reply->who = request->who ? xstrdup(request->who) : TAKE(course.try.who);
    return result;
}

/* Retries */

bool reply_is_transient(const struct reply *reply, const struct request *request)
{
    enum http_failure failure = reply->response.failure;
    if (failure == HTTP_FAILURE_NONE)
        return retry_status_is_transient(reply_status(reply));
    /* nobody listens on this machine: nobody will in a second */
    if (failure == HTTP_FAILURE_CONNECT && url_host_is_loopback(request->url->host))
        return false;
    return http_failure_is_transient(failure);
}

int request_run(struct registry_session *session, const struct request *request,
                struct reply *reply, struct error **err)
{
    struct retry retry;
    retry_init(&retry, session_abort_fd(session));
    for (;;) {
        int result = request_once(session, request, reply, err);
        /* the resolver has tried again itself: a name that is mistyped needn't cost 15 seconds */
        bool is_unknown = reply->response.failure == HTTP_FAILURE_RESOLVE && retry.n_attempts;
        if (is_unknown || !reply_is_transient(reply, request))
            return result;
        if (result == 0)
            (void)request_error(request, reply, err); /* sets *err, which the next line looks at */
        if (retry_wait(&retry, reply_header(reply, "Retry-After"), err) < 0)
            return -1;
    }
}

/* Messages */

/* "100;w=21600": 100 in 6 hours */
static void add_limit(struct strbuf *text, const char *what, const char *value)
{
    char *end;
    unsigned long n = value ? strtoul(value, &end, 10) : 0;
    if (!value || end == value)
        return;
    strbuf_addf(text, ", %s: %lu", what, n);
    const char *window = strstr(end, "w=");
    unsigned long seconds = window ? strtoul(window + 2, NULL, 10) : 0;
    if (seconds && seconds % 3600 == 0)
        strbuf_addf(text, " in %lu hours", seconds / 3600);
    else if (seconds)
        strbuf_addf(text, " in %lu seconds", seconds);
}

static void hint_rate(const struct request *request, const struct reply *reply, struct error **err)
{
    AUTO(strbuf_release) struct strbuf limits = STRBUF_INIT;
    const char *domain = request->host ? request->host->endpoint.domain : reply->url.host;
    add_limit(&limits, "allowed", reply_header(reply, "RateLimit-Limit"));
    add_limit(&limits, "left", reply_header(reply, "RateLimit-Remaining"));
    if (!reply->who && request->host)
        error_hint(err, "you are anonymous%s: log in with `cbuild login %s`, or use a mirror",
                   limits.data, domain);
    else
        error_hint(err, "the registry limits how often it is asked%s: try again later",
                   limits.data);
}

static void hint_access(const struct request *request, const struct reply *reply,
                        struct error **err)
{
    const char *domain = request->host->endpoint.domain;
    bool pushes = request->scope.actions & SCOPE_PUSH;
    if (!reply->who)
        error_hint(err,
                   "run `cbuild login %s`, or check the name: private and missing repositories "
                   "answer alike",
                   domain);
    else if (reply_status(reply) == 404 && pushes)
        error_hint(err, "the repository may have to be created first, or be another user's");
    else if (reply_status(reply) == 401)
        error_hint(err, "check the name, and the credentials: `cbuild login %s`", domain);
    else
        error_hint(err, "check the name, and whether this user may %s it",
                   pushes ? "push" : "pull");
}

static void add_hint(const struct request *request, const struct reply *reply, struct error **err)
{
    int status = reply_status(reply);
    const struct strbuf *body = &reply->body;
    bool unnamed = api_error_has_code(body->data, body->size, "NAME_UNKNOWN");
    if (status == 429 || api_error_has_code(body->data, body->size, "TOOMANYREQUESTS"))
        hint_rate(request, reply, err);
    else if (request->host && request->scope.path &&
             (status == 401 || status == 403 || (status == 404 && unnamed)))
        hint_access(request, reply, err);
    else if (status == 404 && request->host && request->scope.path && !reply->who)
        error_hint(err,
                   "check the name; some registries answer so of what only users who logged "
                   "in may see: `cbuild login %s`",
                   request->host->endpoint.domain);
    else if (status == 413)
        error_hint(err, "the registry, or a proxy before it, limits the size of what is sent");
}

/* " (as user ...)", or why nobody is known */
static char *describe_asker(const struct request *request, const struct reply *reply)
{
    if (reply->who)
        return xasprintf(" (as %s)", reply->who);
    if (!request->host)
        return NULL;
    AUTO(free)
    char *trouble = credentials_trouble(session_credentials(request->host->session),
                                        request->host->endpoint.domain);
    return trouble ? xasprintf(" (anonymous: %s)", trouble) : xstrdup(" (anonymous)");
}

int request_error(const struct request *request, const struct reply *reply, struct error **err)
{
    int status = reply_status(reply);
    AUTO(free) char *text = url_format(&reply->url);
    AUTO(free) char *shown = url_redact(text);
    AUTO(strbuf_release) struct strbuf said = STRBUF_INIT;
    bool is_about_access = status == 401 || status == 403 || status == 429;
    AUTO(free) char *who = is_about_access ? describe_asker(request, reply) : NULL;
    api_error_text(status, reply->body.data, reply->body.size, &said);
    error_set_(err, api_error_code(status), "%s %.300s: %d %s%s", request->method, shown, status,
               said.data, who ? who : "");
    add_hint(request, reply, err);
    return -1;
}
