/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/login.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "registry/auth_config.h"
#include "registry/base64.h"
#include "registry/request.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Asking the registry */

static int verify(struct registry_session *session, const char *domain, struct error **err)
{
    AUTO(url_release) struct url url = { 0 };
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    struct host *host = session_host(session, domain);
    if (request_url(host, &url, err, "/v2/") < 0)
        return -1;
    struct request request = { .method = "GET", .host = host, .url = &url };
    if (request_run(session, &request, &reply, err) < 0)
        return -1;
    int status = reply_status(&reply);
    if (status == 401 || status == 403)
        return request_error(&request, &reply, err);
    /* some registries have no /v2/ of its own: what counts is that they let us in */
    if (status != 200 && status != 404 && status != 405)
        return request_error(&request, &reply, err);
    if (!reply.who)
        session_warn(session, 0, "%s didn't ask for credentials: they couldn't be checked", domain);
    return 0;
}

/* With these credentials and no others */
static int verify_with(struct registry_session *session, const char *domain, const char *username,
                       const char *password, struct error **err)
{
    AUTO(free) char *pair = xasprintf("%s:%s", username, password);
    struct registry_options options = *session_options(session);
    options.credentials = pair;
    AUTO(registry_session_free) struct registry_session *probe = registry_session_new(&options);
    return verify(probe, domain, err);
}

/* The file */

struct config_file {
    char *name; /* links resolved: a linked config.json stays a link */
    json_t *document;
};

static void config_file_release(struct config_file *file)
{
    free(file->name);
    json_decref(file->document);
}
DEFINE_AUTO_STRUCT(struct config_file, config_file_release)

static int config_read(struct registry_session *session, struct config_file *file,
                       struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(free) char *name = credentials_login_file(session_options(session)->docker_config, err);
    if (!name)
        return -1;
    char *real = realpath(name, NULL);
    file->name = real ? real : TAKE(name);
    if (fs_read_file(AT_FDCWD, file->name, &text, AUTH_CONFIG_MAX_SIZE, err) < 0) {
        if (!error_is(*err, ERR_NOT_FOUND))
            return -1;
        error_clear(err);
    }
    AUTO(auth_config_release) struct auth_config ignored = { 0 };
    if (auth_config_parse(text.data, text.size, false, &ignored, err) < 0)
        return error_wrap(err, "%s", file->name);
    strbuf_rtrim(&text);
    file->document = text.size ? json_parse_object(text.data, text.size, err) : json_object();
    return file->document ? 0 : error_wrap(err, "%s", file->name);
}

static int make_dirs(const char *dir, struct error **err)
{
    AUTO(free) char *path = xstrdup(dir);
    for (char *p = path + (*path == '/'); *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return error_errno(err, "%s", path);
        *p = '/';
    }
    if (*path && mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "%s", path);
    return 0;
}

static int config_write(const struct config_file *file, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(free) char *dir = path_dir(file->name);
    if (make_dirs(dir, err) < 0)
        return -1;
    char *dumped = json_dumps(file->document, JSON_INDENT(8) | JSON_PRESERVE_ORDER);
    if (!dumped)
        return error_set(err, ERR_INVALID, "%s: its text can't be written as JSON", file->name);
    strbuf_addf(&text, "%s\n", dumped);
    free(dumped);
    return fs_write_file(AT_FDCWD, file->name, text.data, text.size, 0600, err);
}

static json_t *auths_of(struct config_file *file)
{
    json_t *auths = json_object_get(file->document, "auths");
    if (!auths) {
        json_set(file->document, "auths", json_object());
        auths = json_object_get(file->document, "auths");
    }
    return auths;
}

/* All spellings of a registry's key; true when there was one. */
static bool remove_entries(struct config_file *file, const char *domain)
{
    bool removed = false;
    json_t *auths = json_object_get(file->document, "auths");
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(auths, next, key, value)
    {
        AUTO(free) char *normal = auth_config_normalise_key(key);
        bool is_hub = endpoint_is_hub(domain) && endpoint_is_hub(normal);
        if (strcasecmp(normal, domain) != 0 && !is_hub)
            continue;
        (void)json_object_del(auths, key);
        removed = true;
    }
    return removed;
}

static char *helper_of(struct config_file *file, const char *domain)
{
    AUTO(auth_config_release) struct auth_config config = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* it was parsed before */
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    json_format_canonical(file->document, &text);
    if (auth_config_parse(text.data, text.size, false, &config, &ignored) < 0)
        return NULL;
    return xstrdup(auth_config_helper(&config, domain));
}

static int store_in_helper(const char *helper, const char *server, const char *username,
                           const char *password, struct error **err)
{
    AUTO(json_decref) json_t *document = json_object();
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    json_set(document, "ServerURL", json_from_string(server));
    json_set(document, "Username", json_from_string(username));
    json_set(document, "Secret", json_from_string(password));
    json_format_canonical(document, &text);
    return credentials_run_helper(helper, "store", text.data, NULL, err);
}

static int store_in_file(struct config_file *file, const char *server, const char *username,
                         const char *password, struct error **err)
{
    AUTO(strbuf_release) struct strbuf auth = STRBUF_INIT;
    AUTO(free) char *pair = xasprintf("%s:%s", username, password);
    base64_encode(&auth, pair, strlen(pair));
    json_t *entry = json_object();
    json_set(entry, "auth", json_from_string(auth.data));
    json_set(auths_of(file), server, entry);
    return config_write(file, err);
}

static int keep(struct registry_session *session, const char *domain, const char *username,
                const char *password, char **where, struct error **err)
{
    const char *server = endpoint_server_key(domain);
    AUTO(config_file_release) struct config_file file = { 0 };
    if (config_read(session, &file, err) < 0)
        return -1;
    AUTO(free) char *helper = helper_of(&file, domain);
    int result = helper ? store_in_helper(helper, server, username, password, err)
                        : store_in_file(&file, server, username, password, err);
    if (result < 0)
        return error_wrap(err, "keeping the credentials");
    if (where)
        *where = helper ? xasprintf("docker-credential-%s", helper) : TAKE(file.name);
    return 0;
}

int registry_login(struct registry_session *session, const char *registry, const char *username,
                   const char *password, char **where, struct error **err)
{
    AUTO(free) char *domain = endpoint_domain(registry ? registry : ENDPOINT_HUB);
    if (!*username || !*password)
        return error_set(err, ERR_USAGE, "logging in to %s: user name or password empty", domain);
    if (strchr(username, ':'))
        return error_set(err, ERR_USAGE, "logging in to %s: a user name can't hold \":\"", domain);
    if (verify_with(session, domain, username, password, err) < 0 ||
        keep(session, domain, username, password, where, err) < 0)
        return error_wrap(err, "logging in to %s", domain);
    return 0;
}

static int forget(struct registry_session *session, const char *domain, char **where,
                  struct error **err)
{
    AUTO(config_file_release) struct config_file file = { 0 };
    if (config_read(session, &file, err) < 0)
        return -1;
    AUTO(free) char *helper = helper_of(&file, domain);
    AUTO(free) char *erased = NULL;
    AUTO(error_free) struct error *trouble = NULL;
    if (helper) {
        /* erasing what isn't there succeeds with most helpers: so ask first */
        const char *server = endpoint_server_key(domain);
        AUTO(free) char *answer = NULL;
        if (credentials_run_helper(helper, "get", server, &answer, &trouble) == 0) {
            if (credentials_run_helper(helper, "erase", server, NULL, err) < 0)
                return -1;
            erased = xasprintf("docker-credential-%s", helper);
        } else if (!error_is(trouble, ERR_NOT_FOUND)) {
            error_move(err, TAKE(trouble));
            return -1;
        }
    }
    bool removed = remove_entries(&file, domain);
    if (removed && config_write(&file, err) < 0)
        return -1;
    if (!removed && !erased && error_errno_value(trouble)) /* nobody could ask the helper */
        return error_set(err, ERR_FAILED, "%s", error_message(trouble));
    if (!removed && !erased)
        return error_set(err, ERR_NOT_FOUND, "not logged in, as far as %s says", file.name);
    if (where)
        *where = erased ? TAKE(erased) : TAKE(file.name);
    return 0;
}

int registry_logout(struct registry_session *session, const char *registry, char **where,
                    struct error **err)
{
    AUTO(free) char *domain = endpoint_domain(registry ? registry : ENDPOINT_HUB);
    if (forget(session, domain, where, err) < 0)
        return error_wrap(err, "logging out of %s", domain);
    return 0;
}

char *registry_known_user(struct registry_session *session, const char *registry)
{
    AUTO(free) char *domain = endpoint_domain(registry ? registry : ENDPOINT_HUB);
    AUTO(credential_release) struct credential credential = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* interrupted: the prompt notices itself */
    if (credentials_find(session_credentials(session), domain, "", &credential, &ignored) < 0)
        return NULL;
    return credential.username && *credential.username ? TAKE(credential.username) : NULL;
}

/* Proxies for builds */

static int add_proxy(const json_t *proxies, const char *key, const char *name, struct strvec *args,
                     struct error **err)
{
    const char *value = NULL;
    if (json_get_string(proxies, "/proxies/default", key, JSON_OPTIONAL, &value, err) < 0)
        return -1;
    if (!value || !*value)
        return 0;
    strvec_pushf(args, "%s=%s", name, value);
    /* programs differ in the spelling that they read: Docker gives both */
    AUTO(free) char *lower = xstrdup(name);
    for (char *p = lower; *p; p++)
        *p = (char)(*p == '_' ? '_' : *p + ('a' - 'A'));
    strvec_pushf(args, "%s=%s", lower, value);
    return 0;
}

int registry_config_proxies(struct registry_session *session, struct strvec *args,
                            struct error **err)
{
    static const struct {
        const char *key, *name;
    } known[] = {
        { "httpProxy", "HTTP_PROXY" }, { "httpsProxy", "HTTPS_PROXY" }, { "ftpProxy", "FTP_PROXY" },
        { "noProxy", "NO_PROXY" },     { "allProxy", "ALL_PROXY" },
    };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(auth_config_release) struct auth_config config = { 0 };
    AUTO(free) char *file = credentials_docker_file(session_options(session)->docker_config);
    AUTO(error_free) struct error *missing = NULL;
    if (!file || fs_read_file(AT_FDCWD, file, &text, AUTH_CONFIG_MAX_SIZE, &missing) < 0)
        return 0; /* no such file; an unreadable one is warned of where credentials are needed */
    if (auth_config_parse(text.data, text.size, false, &config, &missing) < 0) {
        session_warn(session, 0, "%s: %s; passed over", file, error_message(missing));
        return 0;
    }
    const json_t *proxies = json_object_get(config.proxies, "default");
    for (size_t i = 0; proxies && i < ARRAY_SIZE(known); i++)
        if (add_proxy(proxies, known[i].key, known[i].name, args, err) < 0)
            return error_wrap(err, "%s", file);
    return 0;
}
