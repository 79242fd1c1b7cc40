/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image_config.h"

#include "base/array.h"
#include "base/json.h"
#include "oci/members.h"

#include <string.h>

static const char *const known_members[] = { "created", "author",  "architecture",
                                             "os",      "variant", "os.version",
                                             "config",  "rootfs",  "history" };

static const char *const known_config_members[] = {
    "User",   "ExposedPorts", "Env",         "Entrypoint", "Cmd",   "Volumes",    "WorkingDir",
    "Labels", "StopSignal",   "ArgsEscaped", "OnBuild",    "Shell", "Healthcheck"
};

#define CONFIG "/config" /* the place of the container settings */

/* A list that may be null or absent (has stays false) or empty. */
static int get_list(const json_t *object, const char *key, bool *has, struct strvec *list,
                    struct error **err)
{
    const json_t *array = NULL;
    if (json_get_array(object, CONFIG, key, JSON_OPTIONAL, &array, err) < 0)
        return -1;
    *has = array;
    return json_get_strings(object, CONFIG, key, JSON_OPTIONAL, list, err);
}

/* ExposedPorts and Volumes: the keys of an object, whose values say nothing. */
static int get_keys(const json_t *object, const char *key, struct hashmap *keys, struct error **err)
{
    const json_t *set = NULL;
    if (json_get_object(object, CONFIG, key, JSON_OPTIONAL, &set, err) < 0)
        return -1;
    const char *name;
    json_t *ignored UNUSED;
    if (set) {
        json_object_foreach(members_iterable(set), name, ignored) hashmap_put(keys, name, NULL);
    }
    return 0;
}

static int get_env(const json_t *object, struct env *env, struct error **err)
{
    AUTO(strvec_release) struct strvec vars = STRVEC_INIT;
    if (json_get_strings(object, CONFIG, "Env", JSON_OPTIONAL, &vars, err) < 0)
        return -1;
    for (size_t i = 0; i < vars.n; i++)
        if (!strchr(vars.items[i], '='))
            return error_set(err, ERR_INVALID, CONFIG "/Env/%zu: \"%.100s\": expected NAME=VALUE",
                             i, vars.items[i]);
    env_add_all(env, &vars);
    return 0;
}

static int get_healthcheck(const json_t *object, struct image_config *config, struct error **err)
{
    static const char place[] = CONFIG "/Healthcheck";
    const json_t *check = NULL;
    if (json_get_object(object, CONFIG, "Healthcheck", JSON_OPTIONAL, &check, err) < 0)
        return -1;
    if (!check)
        return 0;
    struct healthcheck *to = &config->healthcheck;
    config->has_healthcheck = true;
    if (json_get_strings(check, place, "Test", JSON_OPTIONAL, &to->test, err) < 0 ||
        json_get_int64(check, place, "Interval", JSON_OPTIONAL, &to->interval_ns, err) < 0 ||
        json_get_int64(check, place, "Timeout", JSON_OPTIONAL, &to->timeout_ns, err) < 0 ||
        json_get_int64(check, place, "StartPeriod", JSON_OPTIONAL, &to->start_period_ns, err) < 0 ||
        json_get_int64(check, place, "StartInterval", JSON_OPTIONAL, &to->start_interval_ns, err) <
            0)
        return -1;
    return json_get_int64(check, place, "Retries", JSON_OPTIONAL, &to->retries, err);
}

static int get_container(const json_t *document, struct image_config *config, struct error **err)
{
    const json_t *object = NULL; /* absent or null: no settings */
    if (json_get_object(document, "", "config", JSON_OPTIONAL, &object, err) < 0)
        return -1;
    if (!object)
        return 0;
    bool has_on_build;
    if (members_get_text(object, CONFIG, "User", &config->user, err) < 0 ||
        get_keys(object, "ExposedPorts", &config->exposed_ports, err) < 0 ||
        get_env(object, &config->env, err) < 0 ||
        get_list(object, "Entrypoint", &config->has_entrypoint, &config->entrypoint, err) < 0 ||
        get_list(object, "Cmd", &config->has_cmd, &config->cmd, err) < 0 ||
        get_keys(object, "Volumes", &config->volumes, err) < 0 ||
        members_get_text(object, CONFIG, "WorkingDir", &config->working_dir, err) < 0 ||
        members_get_map(object, CONFIG, "Labels", &config->labels, err) < 0 ||
        members_get_text(object, CONFIG, "StopSignal", &config->stop_signal, err) < 0 ||
        json_get_bool(object, CONFIG, "ArgsEscaped", JSON_OPTIONAL, &config->args_escaped, err) <
            0 ||
        get_healthcheck(object, config, err) < 0 ||
        get_list(object, "OnBuild", &has_on_build, &config->on_build, err) < 0 ||
        get_list(object, "Shell", &config->has_shell, &config->shell, err) < 0)
        return -1;
    config->config_other =
        members_unknown(object, known_config_members, ARRAY_SIZE(known_config_members));
    return 0;
}

static int get_rootfs(const json_t *document, struct image_config *config, struct error **err)
{
    const json_t *rootfs = NULL, *diff_ids = NULL;
    const char *type = NULL;
    if (json_get_object(document, "", "rootfs", JSON_REQUIRED, &rootfs, err) < 0 ||
        json_get_string(rootfs, "/rootfs", "type", JSON_REQUIRED, &type, err) < 0 ||
        json_get_array(rootfs, "/rootfs", "diff_ids", JSON_OPTIONAL, &diff_ids, err) < 0)
        return -1;
    if (strcmp(type, "layers") != 0)
        return error_set(err, ERR_INVALID, "/rootfs/type: \"%.100s\": expected \"layers\"", type);
    for (size_t i = 0; i < json_array_size(diff_ids); i++) {
        const char *text = json_string_value(json_array_get(diff_ids, i));
        struct digest digest;
        if (!text)
            return error_set(err, ERR_INVALID, "/rootfs/diff_ids/%zu: expected a string", i);
        if (digest_parse(text, &digest, err) < 0)
            return error_wrap(err, "/rootfs/diff_ids/%zu", i);
        image_config_add_diff_id(config, &digest);
    }
    return 0;
}

static int get_history(const json_t *document, struct image_config *config, struct error **err)
{
    const json_t *history = NULL;
    if (json_get_array(document, "", "history", JSON_OPTIONAL, &history, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(history); i++) {
        const json_t *object = json_array_get(history, i);
        AUTO(free) char *place = xasprintf("/history/%zu", i);
        if (!json_is_object(object))
            return error_set(err, ERR_INVALID, "%s: expected an object", place);
        struct history *to = ARRAY_PUSH(config, history);
        if (members_get_text(object, place, "created", &to->created, err) < 0 ||
            members_get_text(object, place, "created_by", &to->created_by, err) < 0 ||
            members_get_text(object, place, "author", &to->author, err) < 0 ||
            members_get_text(object, place, "comment", &to->comment, err) < 0 ||
            json_get_bool(object, place, "empty_layer", JSON_OPTIONAL, &to->empty_layer, err) < 0)
            return -1;
    }
    return 0;
}

static int get_platform(const json_t *document, struct platform *ret, struct error **err)
{
    /* the spec requires os and architecture, but images from scratch of old tools lack them */
    AUTO(free) char *os = NULL;
    AUTO(free) char *architecture = NULL;
    AUTO(free) char *variant = NULL;
    AUTO(free) char *os_version = NULL;
    if (members_get_text(document, "", "os", &os, err) < 0 ||
        members_get_text(document, "", "architecture", &architecture, err) < 0 ||
        members_get_text(document, "", "variant", &variant, err) < 0 ||
        members_get_text(document, "", "os.version", &os_version, err) < 0)
        return -1;
    platform_set(ret, os, architecture, variant, os_version);
    return platform_check(ret, "", err);
}

static int from_json(const json_t *document, struct image_config *config, struct error **err)
{
    if (members_get_text(document, "", "created", &config->created, err) < 0 ||
        members_get_text(document, "", "author", &config->author, err) < 0 ||
        get_platform(document, &config->platform, err) < 0 ||
        get_container(document, config, err) < 0 || get_rootfs(document, config, err) < 0 ||
        get_history(document, config, err) < 0)
        return -1;
    config->other = members_unknown(document, known_members, ARRAY_SIZE(known_members));
    return 0;
}

int image_config_parse(const char *data, size_t size, struct image_config *ret, struct error **err)
{
    if (size > IMAGE_CONFIG_MAX_SIZE)
        return error_set(err, ERR_LIMIT, "image config of %zu bytes: more than %u", size,
                         IMAGE_CONFIG_MAX_SIZE);
    AUTO(json_decref) json_t *document = json_parse_object(data, size, err);
    if (!document)
        return error_wrap(err, "image config");
    AUTO(image_config_release) struct image_config config = { 0 };
    if (from_json(document, &config, err) < 0)
        return error_wrap(err, "image config");
    *ret = config;
    config = (struct image_config){ 0 };
    return 0;
}

static void set_keys(json_t *object, const char *key, const struct hashmap *keys)
{
    if (!keys->n)
        return;
    json_t *set = json_object();
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(keys, e));)
        json_set(set, e->key, json_object());
    json_set(object, key, set);
}

static void set_list(json_t *object, const char *key, bool has, const struct strvec *list)
{
    if (has)
        json_set(object, key, json_from_strvec(list));
}

static void set_number(json_t *object, const char *key, int64_t value)
{
    if (value)
        json_set(object, key, json_integer(value));
}

static json_t *healthcheck_to_json(const struct healthcheck *check)
{
    json_t *object = json_object();
    set_list(object, "Test", check->test.n > 0, &check->test);
    set_number(object, "Interval", check->interval_ns);
    set_number(object, "Timeout", check->timeout_ns);
    set_number(object, "StartPeriod", check->start_period_ns);
    set_number(object, "StartInterval", check->start_interval_ns);
    set_number(object, "Retries", check->retries);
    return object;
}

json_t *image_config_container_json(const struct image_config *config)
{
    json_t *object = config->config_other ? json_deep_copy(config->config_other) : json_object();
    members_set_text(object, "User", config->user);
    set_keys(object, "ExposedPorts", &config->exposed_ports);
    set_list(object, "Env", config->env.vars.n > 0, &config->env.vars);
    set_list(object, "Entrypoint", config->has_entrypoint, &config->entrypoint);
    set_list(object, "Cmd", config->has_cmd, &config->cmd);
    set_keys(object, "Volumes", &config->volumes);
    members_set_text(object, "WorkingDir", config->working_dir);
    if (json_object_size(config->labels))
        json_set(object, "Labels", json_deep_copy(config->labels));
    members_set_text(object, "StopSignal", config->stop_signal);
    if (config->args_escaped)
        json_set(object, "ArgsEscaped", json_true());
    if (config->has_healthcheck)
        json_set(object, "Healthcheck", healthcheck_to_json(&config->healthcheck));
    set_list(object, "OnBuild", config->on_build.n > 0, &config->on_build);
    set_list(object, "Shell", config->has_shell, &config->shell);
    return object;
}

static json_t *rootfs_to_json(const struct image_config *config)
{
    json_t *diff_ids = json_array();
    for (size_t i = 0; i < config->n_diff_ids; i++) {
        char text[DIGEST_TEXT_SIZE];
        digest_format(&config->diff_ids[i], text);
        json_array_append_new(diff_ids, json_from_string(text));
    }
    json_t *rootfs = json_object();
    members_set_text(rootfs, "type", "layers");
    json_set(rootfs, "diff_ids", diff_ids);
    return rootfs;
}

static json_t *history_to_json(const struct image_config *config)
{
    json_t *history = json_array();
    for (size_t i = 0; i < config->n_history; i++) {
        const struct history *entry = &config->history[i];
        json_t *object = json_object();
        members_set_text(object, "created", entry->created);
        members_set_text(object, "created_by", entry->created_by);
        members_set_text(object, "author", entry->author);
        members_set_text(object, "comment", entry->comment);
        if (entry->empty_layer)
            json_set(object, "empty_layer", json_true());
        json_array_append_new(history, object);
    }
    return history;
}

void image_config_format(const struct image_config *config, struct strbuf *buf)
{
    AUTO(json_decref)
    json_t *document = config->other ? json_deep_copy(config->other) : json_object();
    members_set_text(document, "created", config->created);
    members_set_text(document, "author", config->author);
    members_set_text(document, "os", config->platform.os);
    members_set_text(document, "architecture", config->platform.architecture);
    members_set_text(document, "variant", config->platform.variant);
    members_set_text(document, "os.version", config->platform.os_version);
    json_set(document, "config", image_config_container_json(config));
    json_set(document, "rootfs", rootfs_to_json(config));
    if (config->n_history)
        json_set(document, "history", history_to_json(config));
    json_format_canonical(document, buf);
}
