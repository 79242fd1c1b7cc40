/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials.h"

#include "base/array.h"
#include "base/as_user.h"
#include "base/force.h"
#include "base/fs.h"
#include "base/hashmap.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "registry/auth_config.h"
#include "registry/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define NOT_FOUND_TEXT "credentials not found in native keychain"

struct file {
    char *name;
    struct auth_config config;
};

struct credentials {
    uid_t uid; /* the user's: in a user namespace geteuid() says 0 later */
    const char *fixed, *docker_config, *auth_file;
    bool none;
    struct progress *progress;
    pthread_mutex_t mutex;
    bool loaded;
    struct file *files;
    size_t n_files, files_capacity;
    struct hashmap helper_answers; /* "helper server" → struct credential, source NULL: none */
    struct hashmap troubles;       /* server (files: "") → what was passed over first */
};

void credential_release(struct credential *credential)
{
    free(credential->username);
    free(credential->password);
    free(credential->identity_token);
    free(credential->registry_token);
    free(credential->source);
    *credential = (struct credential){ 0 };
}

static void credential_copy(struct credential *to, const struct credential *from)
{
    struct credential copy = { xstrdup(from->username), xstrdup(from->password),
                               xstrdup(from->identity_token), xstrdup(from->registry_token),
                               xstrdup(from->source) };
    credential_release(to);
    *to = copy;
}

static void free_answer(void *answer)
{
    credential_release(answer);
    free(answer);
}

struct credentials *credentials_new(const char *fixed, const char *docker_config,
                                    struct progress *progress)
{
    struct credentials *credentials = NEW(struct credentials);
    credentials->uid = geteuid();
    credentials->fixed = fixed;
    credentials->docker_config = docker_config;
    credentials->progress = progress;
    pthread_mutex_init(&credentials->mutex, NULL);
    hashmap_init(&credentials->helper_answers, free_answer);
    hashmap_init(&credentials->troubles, free);
    return credentials;
}

void credentials_restrict(struct credentials *credentials, const char *auth_file, bool none)
{
    credentials->auth_file = auth_file;
    credentials->none = none;
}

void credentials_free(struct credentials *credentials)
{
    if (!credentials)
        return;
    for (size_t i = 0; i < credentials->n_files; i++) {
        free(credentials->files[i].name);
        auth_config_release(&credentials->files[i].config);
    }
    free(credentials->files);
    hashmap_release(&credentials->helper_answers);
    pthread_mutex_destroy(&credentials->mutex);
    hashmap_release(&credentials->troubles);
    free(credentials);
}

/* The files */

static const char *absolute_env(const char *name)
{
    const char *value = getenv(name);
    return value && *value == '/' ? value : NULL;
}

static const char *any_env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

char *credentials_docker_file(const char *docker_config)
{
    const char *dir = docker_config ? docker_config : any_env("DOCKER_CONFIG");
    if (dir)
        return path_join(dir, "config.json");
    const char *home = absolute_env("HOME");
    return home ? xasprintf("%s/.docker/config.json", home) : NULL;
}

char *credentials_login_file(const char *docker_config, struct error **err)
{
    const char *file = docker_config ? NULL : any_env("REGISTRY_AUTH_FILE");
    char *name = file ? xstrdup(file) : credentials_docker_file(docker_config);
    if (!name) {
        error_set_(err, ERR_USAGE, "place of config.json: neither DOCKER_CONFIG nor HOME set");
        return NULL;
    }
    return name;
}

/* With the mutex. It is remembered for who is refused later on. server "": a file. */
static void pass_over(struct credentials *credentials, const char *server, const char *what,
                      const char *then)
{
    progress_warning(credentials->progress, 0, "%s; %s", what, then);
    if (!hashmap_get(&credentials->troubles, server))
        hashmap_put(&credentials->troubles, server, xstrdup(what));
}

static void add_text(struct credentials *credentials, const char *name, const char *text,
                     size_t size, bool bare)
{
    AUTO(error_free) struct error *err = NULL;
    struct auth_config config = { 0 };
    if (auth_config_parse(text, size, bare, &config, &err) < 0) {
        (void)error_wrap(&err, "%s", name);
        pass_over(credentials, "", error_message(err), "passed over");
        return;
    }
    struct file *file = ARRAY_PUSH(credentials, files);
    file->name = xstrdup(name);
    file->config = config;
}

static void add_file(struct credentials *credentials, const char *name, bool bare)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *err = NULL;
    for (size_t i = 0; i < credentials->n_files; i++)
        if (strcmp(credentials->files[i].name, name) == 0)
            return;
    if (fs_read_file(AT_FDCWD, name, &text, AUTH_CONFIG_MAX_SIZE, &err) == 0)
        add_text(credentials, name, text.data, text.size, bare);
    else if (!error_is(err, ERR_NOT_FOUND))
        pass_over(credentials, "", error_message(err), "passed over");
}

static void PRINTF(2, 3) add_filef(struct credentials *credentials, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO(free) char *name = xvasprintf(format, args);
    va_end(args);
    add_file(credentials, name, false);
}

static void load(struct credentials *credentials)
{
    credentials->loaded = true;
    if (credentials->auth_file) {
        add_file(credentials, credentials->auth_file, false);
        return;
    }
    const char *text = any_env("DOCKER_AUTH_CONFIG");
    const char *auth_file = any_env("REGISTRY_AUTH_FILE");
    const char *home = absolute_env("HOME"), *runtime = absolute_env("XDG_RUNTIME_DIR");
    const char *config = absolute_env("XDG_CONFIG_HOME");
    AUTO(free) char *docker = credentials_docker_file(credentials->docker_config);
    if (text)
        add_text(credentials, "DOCKER_AUTH_CONFIG", text, strlen(text), false);
    if (credentials->docker_config)
        add_file(credentials, docker, false);
    if (auth_file)
        add_file(credentials, auth_file, false);
    if (any_env("DOCKER_CONFIG"))
        add_file(credentials, docker, false);
    if (runtime)
        add_filef(credentials, "%s/containers/auth.json", runtime);
    else
        add_filef(credentials, "/run/containers/%u/auth.json", (unsigned)credentials->uid);
    if (config)
        add_filef(credentials, "%s/containers/auth.json", config);
    else if (home)
        add_filef(credentials, "%s/.config/containers/auth.json", home);
    if (home)
        add_filef(credentials, "%s/.docker/config.json", home);
    if (home) {
        AUTO(free) char *old = xasprintf("%s/.dockercfg", home);
        add_file(credentials, old, true);
    }
}

/* Helpers */

int credentials_run_helper(const char *helper, const char *verb, const char *input, char **out,
                           struct error **err)
{
    if (strchr(helper, '/') || !*helper)
        return error_set(err, ERR_INVALID, "credential helper \"%.60s\": not a name", helper);
    AUTO(free) char *program = xasprintf("docker-credential-%s", helper);
    AUTO(strvec_release) struct strvec argv = STRVEC_INIT;
    strvec_push(&argv, program);
    strvec_push(&argv, verb);
    as_user_wrap(&argv);
    struct spawn_spec spec = SPAWN_SPEC_INIT;
    spec.argv = (const char *const *)argv.items;
    spec.input = input;
    spec.input_size = strlen(input);
    spec.timeout_ms = force_has("fast-timeout") ? 5000 : CREDENTIAL_HELPER_TIMEOUT_MS;
    AUTO(spawn_result_release) struct spawn_result result;
    spawn_result_init(&result);
    if (spawn_run(&spec, &result, err) < 0)
        return error_is(*err, ERR_CANCELLED) ? -1
                                             : error_wrap(err, "credential helper %s", program);
    /* a helper says on stdout what went wrong; it may be part of a secret only on success */
    strbuf_rtrim(&result.out);
    if (result.status != 0 && strstr(result.out.data, NOT_FOUND_TEXT))
        return error_set(err, ERR_NOT_FOUND, "credential helper %s: no credentials", program);
    if (result.status != 0)
        return error_set(err, ERR_FAILED, "credential helper %s: status %d: %.200s", program,
                         result.status, result.out.size ? result.out.data : result.error_out.data);
    if (out)
        *out = strbuf_detach(&result.out);
    return 0;
}

int credential_parse_answer(const char *helper, const char *text, struct credential *ret,
                            struct error **err)
{
    AUTO(json_decref) json_t *answer = json_parse_object(text, strlen(text), err);
    const char *username = NULL, *secret = NULL;
    if (!answer || json_get_string(answer, "", "Username", JSON_OPTIONAL, &username, err) < 0 ||
        json_get_string(answer, "", "Secret", JSON_OPTIONAL, &secret, err) < 0)
        return error_wrap(err, "credential helper docker-credential-%s", helper);
    if (!secret || !*secret)
        return 0;
    ret->source = xasprintf("helper docker-credential-%s", helper);
    if (username && strcmp(username, "<token>") == 0) {
        ret->identity_token = xstrdup(secret);
        return 0;
    }
    ret->username = xstrdup(username ? username : "");
    ret->password = xstrdup(secret);
    return 0;
}

static int ask_helper(const char *helper, const char *server, struct credential *ret,
                      struct error **err)
{
    AUTO(free) char *out = NULL;
    if (credentials_run_helper(helper, "get", server, &out, err) < 0)
        return -1;
    return credential_parse_answer(helper, out, ret, err);
}

/* A helper in trouble has nothing, and that is said; only cancelling is an error. */
static int ask_or_warn(struct credentials *credentials, const char *helper, const char *server,
                       struct credential *ret, struct error **err)
{
    AUTO(error_free) struct error *trouble = NULL;
    if (ask_helper(helper, server, ret, &trouble) == 0)
        return 0;
    if (error_is(trouble, ERR_CANCELLED))
        return error_set(err, ERR_CANCELLED, "%s", error_message(trouble));
    if (!strstr(error_message(trouble), "no credentials"))
        pass_over(credentials, server, error_message(trouble), "going on without it");
    return 0;
}

/* What a helper has, asked once. */
static int from_helper(struct credentials *credentials, const char *helper, const char *domain,
                       struct credential *ret, struct error **err)
{
    const char *server = endpoint_server_key(domain);
    AUTO(free) char *key = xasprintf("%s %s", helper, server);
    struct credential *answer = hashmap_get(&credentials->helper_answers, key);
    if (!answer) {
        AUTO(credential_release) struct credential found = { 0 };
        if (ask_or_warn(credentials, helper, server, &found, err) < 0)
            return -1;
        answer = NEW(struct credential);
        credential_copy(answer, &found);
        hashmap_put(&credentials->helper_answers, key, answer);
    }
    credential_copy(ret, answer);
    return 0;
}

/* Looking up */

static bool from_entry(const struct file *file, const char *domain, const char *path,
                       struct credential *ret)
{
    const struct auth_entry *entry = auth_config_find(&file->config, domain, path);
    if (!entry || (!entry->username && !entry->identity_token && !entry->registry_token))
        return false;
    const struct credential found = { entry->username, entry->password ? entry->password : NULL,
                                      entry->identity_token, entry->registry_token, file->name };
    credential_copy(ret, &found);
    if (ret->username && !ret->password)
        ret->password = xstrdup("");
    return true;
}

static int find(struct credentials *credentials, const char *domain, const char *path,
                struct credential *ret, struct error **err)
{
    /* one that was named is wanted: without it, nobody is who they meant to be */
    if (credentials->auth_file && access(credentials->auth_file, R_OK) < 0)
        return error_errno(err, "file of credentials %s", credentials->auth_file);
    if (!credentials->loaded)
        load(credentials);
    for (size_t i = 0; i < credentials->n_files && !ret->source; i++) {
        const struct file *file = &credentials->files[i];
        const char *helper = auth_config_helper(&file->config, domain);
        if (helper && from_helper(credentials, helper, domain, ret, err) < 0)
            return -1;
        if (!ret->source)
            (void)from_entry(file, domain, path, ret); /* none there: the next file */
    }
    return 0;
}

int credentials_look_up(struct credentials *credentials, const char *domain, const char *path,
                        struct credential *ret, struct error **err)
{
    credential_release(ret);
    if (credentials->none)
        return 0;
    pthread_mutex_lock(&credentials->mutex);
    int result = find(credentials, domain, path, ret, err);
    pthread_mutex_unlock(&credentials->mutex);
    return result;
}

bool credentials_are_given(const struct credentials *credentials)
{
    return credentials->fixed && !credentials->none;
}

int credentials_find(struct credentials *credentials, const char *domain, const char *path,
                     struct credential *ret, struct error **err)
{
    if (!credentials_are_given(credentials))
        return credentials_look_up(credentials, domain, path, ret, err);
    const char *colon = strchr(credentials->fixed, ':');
    size_t size = colon ? (size_t)(colon - credentials->fixed) : strlen(credentials->fixed);
    credential_release(ret);
    ret->username = xstrndup(credentials->fixed, size);
    ret->password = xstrdup(colon ? colon + 1 : "");
    ret->source = xstrdup("--creds");
    return 0;
}

char *credentials_trouble(struct credentials *credentials, const char *domain)
{
    pthread_mutex_lock(&credentials->mutex);
    const char *found = hashmap_get(&credentials->troubles, endpoint_server_key(domain));
    char *trouble = xstrdup(found ? found : hashmap_get(&credentials->troubles, ""));
    pthread_mutex_unlock(&credentials->mutex);
    return trouble;
}

void credentials_headers(struct credentials *credentials, struct strvec *headers)
{
    pthread_mutex_lock(&credentials->mutex);
    if (!credentials->loaded)
        load(credentials);
    for (size_t i = 0; i < credentials->n_files; i++)
        strvec_append(headers, &credentials->files[i].config.headers);
    pthread_mutex_unlock(&credentials->mutex);
}
