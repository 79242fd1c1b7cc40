/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/auth_config.h"

#include "base/array.h"
#include "registry/base64.h"
#include "registry/endpoint.h"

#include <string.h>

static void entry_release(struct auth_entry *entry)
{
    free(entry->key);
    free(entry->username);
    free(entry->password);
    free(entry->identity_token);
    free(entry->registry_token);
}

void auth_config_release(struct auth_config *config)
{
    for (size_t i = 0; i < config->n_entries; i++)
        entry_release(&config->entries[i]);
    free(config->entries);
    free(config->store);
    json_decref(config->helpers);
    json_decref(config->proxies);
    strvec_release(&config->headers);
    *config = (struct auth_config){ 0 };
}

char *auth_config_normalise_key(const char *key)
{
    static const char *const schemes[] = { "https://", "http://" };
    static const char *const versions[] = { "/v1", "/v2" };
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (strncasecmp(key, schemes[i], strlen(schemes[i])) == 0)
            key += strlen(schemes[i]);
    size_t size = strlen(key);
    while (size && key[size - 1] == '/')
        size--;
    /* only behind the host: host/org/v1 is a repository */
    const char *slash = memchr(key, '/', size);
    for (size_t i = 0; slash && i < ARRAY_SIZE(versions); i++)
        if (size - (size_t)(slash - key) == 3 && memcmp(slash, versions[i], 3) == 0)
            size -= 3;
    return xstrndup(key, size);
}

/* auth: base64 of user:password */
static int decode_auth(const char *text, const char *pointer, struct auth_entry *entry,
                       struct error **err)
{
    AUTO(strbuf_release) struct strbuf plain = STRBUF_INIT;
    if (!base64_decode(&plain, text))
        return error_set(err, ERR_INVALID, "%s/auth: not base64", pointer);
    /* docker pads with NULs */
    while (plain.size && plain.data[plain.size - 1] == '\0')
        strbuf_set_size(&plain, plain.size - 1);
    const char *colon = memchr(plain.data, ':', plain.size);
    if (!colon || memchr(plain.data, '\0', plain.size))
        return error_set(err, ERR_INVALID, "%s/auth: expected USER:PASSWORD in base64", pointer);
    entry->username = xstrndup(plain.data, (size_t)(colon - plain.data));
    entry->password = xstrdup(colon + 1);
    return 0;
}

static int get_copy(const json_t *object, const char *pointer, const char *key, char **ret,
                    struct error **err)
{
    const char *text = NULL;
    if (json_get_string(object, pointer, key, JSON_OPTIONAL, &text, err) < 0)
        return -1;
    if (text && *text && !*ret)
        *ret = xstrdup(text);
    return 0;
}

static int parse_entry(const char *key, const json_t *value, struct auth_config *config,
                       struct error **err)
{
    AUTO(free) char *pointer = xasprintf("/auths/%s", key);
    if (json_is_null(value))
        return 0;
    if (!json_is_object(value))
        return error_set(err, ERR_INVALID, "%s: expected an object", pointer);
    struct auth_entry *entry = ARRAY_PUSH(config, entries);
    entry->key = auth_config_normalise_key(key);
    const char *auth = NULL;
    if (json_get_string(value, pointer, "auth", JSON_OPTIONAL, &auth, err) < 0)
        return -1;
    if (auth && *auth && decode_auth(auth, pointer, entry, err) < 0)
        return -1;
    if (get_copy(value, pointer, "username", &entry->username, err) < 0 ||
        get_copy(value, pointer, "password", &entry->password, err) < 0 ||
        get_copy(value, pointer, "identitytoken", &entry->identity_token, err) < 0)
        return -1;
    return get_copy(value, pointer, "registrytoken", &entry->registry_token, err);
}

static int parse_auths(const json_t *auths, struct auth_config *config, struct error **err)
{
    const char *key;
    json_t *value;
    /* jansson iterates only over what isn't const; it isn't changed */
    union {
        const json_t *in;
        json_t *out;
    } object = { auths };
    json_object_foreach(object.out, key,
                        value) if (parse_entry(key, value, config, err) < 0) return -1;
    return 0;
}

static int get_object(const json_t *document, const char *key, json_t **ret, struct error **err)
{
    const json_t *object = NULL;
    if (json_get_object(document, "", key, JSON_OPTIONAL, &object, err) < 0)
        return -1;
    if (object)
        *ret = json_deep_copy(object);
    return 0;
}

/* RFC 9110 token; its value without line ends */
static bool header_is_valid(const char *name, const char *value)
{
    static const char more[] = "!#$%&'*+-.^_`|~";
    for (const char *p = name; *p; p++) {
        bool alnum = (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z');
        if (!alnum && !strchr(more, *p))
            return false;
    }
    return *name && !strpbrk(value, "\r\n");
}

/* What a user can't mean to change: who we say we are, and what belongs to one message */
static bool header_is_ours(const char *name)
{
    static const char *const names[] = { "User-Agent",      "Authorization", "Host",
                                         "Content-Length",  "Content-Type",  "Transfer-Encoding",
                                         "Accept-Encoding", "Content-Range", "Range",
                                         "Connection",      "Accept",        "Expect" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static int parse_headers(const json_t *document, struct auth_config *config, struct error **err)
{
    AUTO(json_decref) json_t *headers = NULL;
    if (get_object(document, "HttpHeaders", &headers, err) < 0)
        return -1;
    for (void *i = json_object_iter(headers); i; i = json_object_iter_next(headers, i)) {
        const char *name = json_object_iter_key(i);
        const char *value = json_string_value(json_object_iter_value(i));
        if (!value || !header_is_valid(name, value))
            return error_set(err, ERR_INVALID, "/HttpHeaders/%.60s: not a header", name);
        if (!header_is_ours(name))
            strvec_pushf(&config->headers, "%s: %s", name, value);
    }
    return 0;
}

int auth_config_parse(const char *data, size_t size, bool bare, struct auth_config *ret,
                      struct error **err)
{
    AUTO(auth_config_release) struct auth_config config = { 0 };
    size_t blank = 0;
    while (blank < size && strchr(" \t\r\n", data[blank]))
        blank++;
    if (blank == size)
        return 0;
    AUTO(json_decref) json_t *document = json_parse_object(data, size, err);
    if (!document)
        return -1;
    const json_t *auths = bare ? document : NULL;
    if (!bare && (json_get_object(document, "", "auths", JSON_OPTIONAL, &auths, err) < 0 ||
                  get_copy(document, "", "credsStore", &config.store, err) < 0 ||
                  get_object(document, "credHelpers", &config.helpers, err) < 0 ||
                  get_object(document, "proxies", &config.proxies, err) < 0 ||
                  parse_headers(document, &config, err) < 0))
        return -1;
    if (auths && parse_auths(auths, &config, err) < 0)
        return -1;
    auth_config_release(ret);
    *ret = config;
    config = (struct auth_config){ 0 };
    return 0;
}

/* How much of name (host/path) a key covers, by whole components; 0: not at all */
static size_t covers(const char *key, const char *name)
{
    size_t size = strlen(key), host = strcspn(key, "/");
    if (!size || strncasecmp(key, name, host) != 0 ||
        strncmp(key + host, name + host, size - host) != 0)
        return 0;
    return name[size] == '\0' || name[size] == '/' ? size : 0;
}

static const struct auth_entry *find_name(const struct auth_config *config, const char *name)
{
    const struct auth_entry *best = NULL;
    size_t best_size = 0;
    for (size_t i = 0; i < config->n_entries; i++) {
        size_t size = covers(config->entries[i].key, name);
        if (size > best_size) {
            best = &config->entries[i];
            best_size = size;
        }
    }
    return best;
}

const struct auth_entry *auth_config_find(const struct auth_config *config, const char *domain,
                                          const char *path)
{
    static const char *const hub[] = { "index.docker.io", ENDPOINT_HUB, "registry-1.docker.io" };
    const char *const own[] = { domain };
    bool is_hub = endpoint_is_hub(domain);
    const char *const *names = is_hub ? hub : own;
    const struct auth_entry *best = NULL;
    for (size_t i = 0; i < (is_hub ? ARRAY_SIZE(hub) : 1); i++) {
        AUTO(free)
        char *name = xasprintf("%s%s%s", names[i], path && *path ? "/" : "", path ? path : "");
        const struct auth_entry *entry = find_name(config, name);
        size_t path_size = entry ? strlen(entry->key) - strlen(names[i]) : 0;
        if (entry && (!best || path_size > strlen(best->key) - strcspn(best->key, "/")))
            best = entry;
    }
    return best;
}

const char *auth_config_helper(const struct auth_config *config, const char *domain)
{
    const char *const names[] = { endpoint_server_key(domain), "index.docker.io", ENDPOINT_HUB };
    size_t n = endpoint_is_hub(domain) ? ARRAY_SIZE(names) : 1;
    for (size_t i = 0; config->helpers && i < n; i++) {
        const char *helper = json_string_value(json_object_get(config->helpers, names[i]));
        if (helper)
            return *helper ? helper : NULL; /* "" means: none for this one */
    }
    return config->store;
}
