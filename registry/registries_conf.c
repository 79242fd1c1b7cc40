/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registries_conf.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/toml.h"
#include "registry/endpoint.h"

#include <string.h>

static void rule_release(struct registry_rule *rule)
{
    for (size_t i = 0; i < rule->n_mirrors; i++)
        free(rule->mirrors[i].location);
    free(rule->mirrors);
    free(rule->file);
    free(rule->prefix);
    free(rule->location);
    *rule = (struct registry_rule){ 0 };
}
DEFINE_AUTO_STRUCT(struct registry_rule, rule_release)

void registries_conf_init(struct registries_conf *conf)
{
    *conf = (struct registries_conf){ 0 };
    hashmap_init(&conf->aliases, free);
}

void registries_conf_release(struct registries_conf *conf)
{
    for (size_t i = 0; i < conf->n_rules; i++)
        rule_release(&conf->rules[i]);
    free(conf->rules);
    strvec_release(&conf->search);
    strvec_release(&conf->insecure);
    hashmap_release(&conf->aliases);
    registries_conf_init(conf);
}

/* Places */

/* host[:port][/path] without scheme, slashes at the end; hosts in lower case as references are. */
static int check_place(const char *pointer, const char *text, char **ret, struct error **err)
{
    if (strstr(text, "://"))
        return error_set(err, ERR_INVALID, "%s: \"%.200s\": expected HOST[/PATH], no scheme",
                         pointer, text);
    size_t size = strlen(text);
    while (size && text[size - 1] == '/')
        size--;
    if (!size || *text == '/' || strpbrk(text, " \t@"))
        return error_set(err, ERR_INVALID, "%s: \"%.200s\": expected HOST[:PORT][/PATH]", pointer,
                         text);
    char *place = xstrndup(text, size);
    free(*ret); /* may be text */
    *ret = place;
    return 0;
}

static size_t host_size(const char *place)
{
    return strcspn(place, "/");
}

static void note_insecure(struct registries_conf *conf, const char *place)
{
    /* a whole domain isn't one of the forms that endpoint_is_listed() knows */
    if (place && strncmp(place, "*.", 2) != 0)
        strvec_pushn(&conf->insecure, place, host_size(place));
}

/* registries.conf */

static int get_place(const json_t *table, const char *pointer, const char *key, char **ret,
                     struct error **err)
{
    const char *text = NULL;
    if (json_get_string(table, pointer, key, JSON_OPTIONAL, &text, err) < 0)
        return -1;
    AUTO(free) char *place = xasprintf("%s/%s", pointer, key);
    return text && *text ? check_place(place, text, ret, err) : 0;
}

static int parse_use(const json_t *table, const char *pointer, enum mirror_use *ret,
                     struct error **err)
{
    static const char *const names[] = {
        [MIRROR_ALL] = "all", [MIRROR_DIGEST_ONLY] = "digest-only", [MIRROR_TAG_ONLY] = "tag-only"
    };
    const char *text = NULL;
    if (json_get_string(table, pointer, "pull-from-mirror", JSON_OPTIONAL, &text, err) < 0)
        return -1;
    for (size_t i = 0; text && *text && i < ARRAY_SIZE(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum mirror_use)i;
            return 0;
        }
    if (text && *text)
        return error_set(err, ERR_INVALID,
                         "%s/pull-from-mirror: \"%.40s\": expected all, digest-only or tag-only",
                         pointer, text);
    return 0;
}

static int parse_mirror(const json_t *table, const char *pointer, bool digest_only,
                        struct registry_rule *rule, struct error **err)
{
    struct mirror_rule *mirror = ARRAY_PUSH(rule, mirrors);
    *mirror = (struct mirror_rule){ .use = digest_only ? MIRROR_DIGEST_ONLY : MIRROR_ALL };
    if (get_place(table, pointer, "location", &mirror->location, err) < 0 ||
        json_get_bool(table, pointer, "insecure", JSON_OPTIONAL, &mirror->insecure, err) < 0 ||
        parse_use(table, pointer, &mirror->use, err) < 0)
        return -1;
    return mirror->location ? 0 : error_set(err, ERR_INVALID, "%s/location: missing", pointer);
}

static int parse_mirrors(const json_t *table, const char *pointer, struct registry_rule *rule,
                         struct error **err)
{
    bool digest_only = false;
    const json_t *mirrors = NULL;
    if (json_get_bool(table, pointer, "mirror-by-digest-only", JSON_OPTIONAL, &digest_only, err) <
            0 ||
        json_get_array(table, pointer, "mirror", JSON_OPTIONAL, &mirrors, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(mirrors); i++) {
        AUTO(free) char *place = xasprintf("%s/mirror/%zu", pointer, i);
        if (parse_mirror(json_array_get(mirrors, i), place, digest_only, rule, err) < 0)
            return -1;
    }
    return 0;
}

static int parse_rule(const json_t *table, const char *pointer, struct registry_rule *rule,
                      struct error **err)
{
    if (get_place(table, pointer, "prefix", &rule->prefix, err) < 0 ||
        get_place(table, pointer, "location", &rule->location, err) < 0 ||
        json_get_bool(table, pointer, "insecure", JSON_OPTIONAL, &rule->insecure, err) < 0 ||
        json_get_bool(table, pointer, "blocked", JSON_OPTIONAL, &rule->blocked, err) < 0 ||
        parse_mirrors(table, pointer, rule, err) < 0)
        return -1;
    if (!rule->prefix && !rule->location)
        return error_set(err, ERR_INVALID, "%s: neither prefix nor location", pointer);
    if (!rule->prefix)
        rule->prefix = xstrdup(rule->location);
    /* a prefix that leads to itself isn't rewritten; `*.domain` can't be, without a location */
    if (rule->location && strcmp(rule->prefix, rule->location) == 0) {
        free(rule->location);
        rule->location = NULL;
    }
    if (strncmp(rule->prefix, "*.", 2) == 0 && strchr(rule->prefix, '/'))
        return error_set(err, ERR_INVALID, "%s/prefix: \"%.200s\": a path can't follow *.DOMAIN",
                         pointer, rule->prefix);
    return 0;
}

static void put_rule(struct registries_conf *conf, struct registry_rule *rule)
{
    struct registry_rule *at = NULL;
    for (size_t i = 0; i < conf->n_rules && !at; i++)
        if (strcmp(conf->rules[i].prefix, rule->prefix) == 0)
            at = &conf->rules[i];
    if (at)
        rule_release(at);
    else
        at = ARRAY_PUSH(conf, rules);
    if (rule->insecure)
        note_insecure(conf, rule->location ? rule->location : rule->prefix);
    for (size_t i = 0; i < rule->n_mirrors; i++)
        if (rule->mirrors[i].insecure)
            note_insecure(conf, rule->mirrors[i].location);
    *at = *rule;
    *rule = (struct registry_rule){ 0 };
}

static int add_rules(struct registries_conf *conf, const json_t *rules, const char *file,
                     struct error **err)
{
    for (size_t i = 0; i < json_array_size(rules); i++) {
        AUTO(rule_release) struct registry_rule rule = { .file = xstrdup(file) };
        AUTO(free) char *pointer = xasprintf("/registry/%zu", i);
        if (parse_rule(json_array_get(rules, i), pointer, &rule, err) < 0)
            return -1;
        put_rule(conf, &rule);
    }
    return 0;
}

static int add_alias(struct registries_conf *conf, const char *name, const json_t *value,
                     struct error **err)
{
    const char *text = json_string_value(value);
    AUTO(free) char *place = NULL;
    AUTO(free) char *pointer = xasprintf("/aliases/%s", name);
    if (!text)
        return error_set(err, ERR_INVALID, "%s: expected a string", pointer);
    if (!*text) {
        (void)hashmap_remove(&conf->aliases, name); /* it may not have been there */
        return 0;
    }
    if (check_place(pointer, text, &place, err) < 0)
        return -1;
    if (!strchr(place, '/'))
        return error_set(err, ERR_INVALID, "%s: \"%.200s\": expected HOST/PATH", pointer, text);
    hashmap_put(&conf->aliases, name, TAKE(place));
    return 0;
}

static int add_aliases(struct registries_conf *conf, const json_t *aliases, struct error **err)
{
    /* jansson iterates only over what isn't const; it isn't changed */
    union {
        const json_t *in;
        json_t *out;
    } object = { aliases };
    for (void *i = json_object_iter(object.out); i; i = json_object_iter_next(object.out, i))
        if (add_alias(conf, json_object_iter_key(i), json_object_iter_value(i), err) < 0)
            return -1;
    return 0;
}

static int add_search(struct registries_conf *conf, const json_t *document, struct error **err)
{
    static const char key[] = "unqualified-search-registries";
    AUTO(strvec_release) struct strvec search = STRVEC_INIT;
    const char *mode = NULL;
    if (json_get_strings(document, "", key, JSON_OPTIONAL, &search, err) < 0 ||
        json_get_string(document, "", "short-name-mode", JSON_OPTIONAL, &mode, err) < 0)
        return -1;
    for (size_t i = 0; i < search.n; i++) {
        AUTO(free) char *pointer = xasprintf("/%s/%zu", key, i);
        if (check_place(pointer, search.items[i], &search.items[i], err) < 0)
            return -1;
    }
    if (mode && *mode && strcmp(mode, "enforcing") != 0 && strcmp(mode, "permissive") != 0 &&
        strcmp(mode, "disabled") != 0)
        return error_set(err, ERR_INVALID,
                         "/short-name-mode: \"%.40s\": expected enforcing, permissive or disabled",
                         mode);
    if (json_object_get(document, key))
        strvec_copy(&conf->search, &search);
    if (mode && *mode)
        conf->enforcing = strcmp(mode, "enforcing") == 0;
    return 0;
}

static int add_document(struct registries_conf *conf, const char *file, const json_t *document,
                        struct error **err)
{
    const json_t *rules = NULL, *aliases = NULL;
    if (json_object_get(document, "registries"))
        return error_set(err, ERR_INVALID,
                         "version 1 of the format ([registries.search]), which ended in 2022");
    if (json_get_array(document, "", "registry", JSON_OPTIONAL, &rules, err) < 0 ||
        json_get_object(document, "", "aliases", JSON_OPTIONAL, &aliases, err) < 0)
        return -1;
    if (add_search(conf, document, err) < 0 || add_rules(conf, rules, file, err) < 0)
        return -1;
    return aliases ? add_aliases(conf, aliases, err) : 0;
}

int registries_conf_add(struct registries_conf *conf, const char *file, const char *text,
                        size_t size, struct error **err)
{
    AUTO(json_decref) json_t *document = toml_parse(text, size, err);
    /* once into nothing, so that what is half wrong changes nothing */
    AUTO(registries_conf_release) struct registries_conf trial;
    registries_conf_init(&trial);
    if (!document || add_document(&trial, file, document, err) < 0)
        return -1;
    return add_document(conf, file, document, err);
}

/* daemon.json */

/* Mirrors are URLs there; a path may follow the host. */
static int add_url_mirror(struct registry_rule *rule, const char *url, struct error **err)
{
    const char *place = url;
    bool plain = strncasecmp(url, "http://", 7) == 0;
    if (plain || strncasecmp(url, "https://", 8) == 0)
        place = strstr(url, "://") + 3;
    struct mirror_rule *mirror = ARRAY_PUSH(rule, mirrors);
    *mirror = (struct mirror_rule){ .insecure = plain };
    return check_place("/registry-mirrors", place, &mirror->location, err);
}

int registries_conf_add_docker(struct registries_conf *conf, const char *file, const char *text,
                               size_t size, struct error **err)
{
    AUTO(strvec_release) struct strvec mirrors = STRVEC_INIT, insecure = STRVEC_INIT;
    AUTO(rule_release)
    struct registry_rule rule = { .file = xstrdup(file), .prefix = xstrdup(ENDPOINT_HUB) };
    AUTO(json_decref) json_t *document = json_parse_object(text, size, err);
    if (!document ||
        json_get_strings(document, "", "registry-mirrors", JSON_OPTIONAL, &mirrors, err) < 0 ||
        json_get_strings(document, "", "insecure-registries", JSON_OPTIONAL, &insecure, err) < 0)
        return -1;
    for (size_t i = 0; i < mirrors.n; i++)
        if (add_url_mirror(&rule, mirrors.items[i], err) < 0)
            return -1;
    strvec_append(&conf->insecure, &insecure);
    for (size_t i = 0; i < conf->n_rules; i++)
        if (strcmp(conf->rules[i].prefix, ENDPOINT_HUB) == 0)
            return 0;
    if (mirrors.n)
        put_rule(conf, &rule);
    return 0;
}

/* Finding */

/* How much of the name a prefix covers; 0: it doesn't fit. */
static size_t match(const char *prefix, const char *name)
{
    size_t size = strlen(prefix), host = host_size(name);
    if (strncmp(prefix, "*.", 2) == 0) {
        size_t suffix = size - 1; /* with the dot */
        return host > suffix && memcmp(name + host - suffix, prefix + 1, suffix) == 0 ? host : 0;
    }
    if (strncmp(name, prefix, size) != 0)
        return 0;
    char next = name[size];
    /* behind a host a colon is a port, which makes it another host */
    bool ends = next == '\0' || next == '/' || (size > host && (next == ':' || next == '@'));
    return ends ? size : 0;
}

const struct registry_rule *registries_conf_find(const struct registries_conf *conf,
                                                 const struct reference *reference)
{
    AUTO(free) char *name = reference_format(reference);
    const struct registry_rule *best = NULL;
    for (size_t i = 0; i < conf->n_rules; i++) {
        const struct registry_rule *rule = &conf->rules[i];
        if (match(rule->prefix, name) && (!best || strlen(rule->prefix) > strlen(best->prefix)))
            best = rule;
    }
    return best;
}

int registry_rule_rewrite(const struct registry_rule *rule, const char *location,
                          const struct reference *reference, struct reference *ret,
                          struct error **err)
{
    AUTO(reference_release) struct reference copy = { 0 };
    reference_copy(&copy, reference);
    if (location) {
        AUTO(free) char *name = reference_repository(reference);
        size_t size = match(rule->prefix, name);
        /* a prefix with a tag covers all of the name */
        AUTO(free) char *whole = xasprintf("%s%s", location, size ? name + size : "");
        size_t host = host_size(whole);
        if (!whole[host] || !whole[host + 1])
            return error_set(err, ERR_INVALID, "%s: location \"%.200s\": no path is left of %s",
                             rule->file, location, name);
        free(copy.domain);
        free(copy.path);
        copy.domain = xstrndup(whole, host);
        copy.path = xstrdup(whole + host + 1);
    }
    *ret = copy;
    copy = (struct reference){ 0 };
    return 0;
}
