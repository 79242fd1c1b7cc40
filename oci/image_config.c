/* SPDX-License-Identifier: Apache-2.0 */
/* The struct: its life and its setters. Reading and writing: image_config_json.c. */
#include "oci/image_config.h"

#include "base/array.h"
#include "oci/members.h"

#include <string.h>

void image_config_init(struct image_config *config)
{
    *config = (struct image_config){ 0 };
}

static void healthcheck_copy(struct healthcheck *to, const struct healthcheck *from)
{
    *to = *from;
    to->test = (struct strvec)STRVEC_INIT;
    strvec_copy(&to->test, &from->test);
}

static void history_release(struct history *history)
{
    free(history->created);
    free(history->created_by);
    free(history->author);
    free(history->comment);
}

void image_config_release(struct image_config *config)
{
    free(config->created);
    free(config->author);
    platform_release(&config->platform);
    free(config->user);
    hashmap_release(&config->exposed_ports);
    env_release(&config->env);
    strvec_release(&config->entrypoint);
    strvec_release(&config->cmd);
    hashmap_release(&config->volumes);
    free(config->working_dir);
    json_decref(config->labels);
    free(config->stop_signal);
    strvec_release(&config->healthcheck.test);
    strvec_release(&config->on_build);
    strvec_release(&config->shell);
    free(config->diff_ids);
    for (size_t i = 0; i < config->n_history; i++)
        history_release(&config->history[i]);
    free(config->history);
    json_decref(config->other);
    json_decref(config->config_other);
    *config = (struct image_config){ 0 };
}

static void copy_keys(struct hashmap *to, const struct hashmap *from)
{
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(from, e));)
        hashmap_put(to, e->key, NULL);
}

static void copy_lists(struct image_config *to, const struct image_config *from)
{
    copy_keys(&to->exposed_ports, &from->exposed_ports);
    env_copy(&to->env, &from->env);
    strvec_copy(&to->entrypoint, &from->entrypoint);
    strvec_copy(&to->cmd, &from->cmd);
    copy_keys(&to->volumes, &from->volumes);
    strvec_copy(&to->on_build, &from->on_build);
    strvec_copy(&to->shell, &from->shell);
    healthcheck_copy(&to->healthcheck, &from->healthcheck);
    for (size_t i = 0; i < from->n_diff_ids; i++)
        image_config_add_diff_id(to, &from->diff_ids[i]);
    for (size_t i = 0; i < from->n_history; i++) {
        const struct history *entry = &from->history[i];
        image_config_add_history(to, entry->created, entry->created_by, entry->comment,
                                 entry->empty_layer);
        to->history[i].author = xstrdup(entry->author);
    }
}

void image_config_copy(struct image_config *to, const struct image_config *from)
{
    struct image_config copy = {
        .created = xstrdup(from->created),
        .author = xstrdup(from->author),
        .user = xstrdup(from->user),
        .has_entrypoint = from->has_entrypoint,
        .has_cmd = from->has_cmd,
        .working_dir = xstrdup(from->working_dir),
        .labels = json_deep_copy(from->labels),
        .stop_signal = xstrdup(from->stop_signal),
        .args_escaped = from->args_escaped,
        .has_healthcheck = from->has_healthcheck,
        .has_shell = from->has_shell,
        .other = json_deep_copy(from->other),
        .config_other = json_deep_copy(from->config_other),
    };
    platform_copy(&copy.platform, &from->platform);
    copy_lists(&copy, from);
    image_config_release(to);
    *to = copy;
}

void image_config_set_label(struct image_config *config, const char *key, const char *value)
{
    members_map_set(&config->labels, key, value);
}

void image_config_add_history(struct image_config *config, const char *created,
                              const char *created_by, const char *comment, bool empty_layer)
{
    struct history *entry = ARRAY_PUSH(config, history);
    entry->created = xstrdup(created);
    entry->created_by = xstrdup(created_by);
    entry->comment = xstrdup(comment);
    entry->empty_layer = empty_layer;
}

void image_config_add_diff_id(struct image_config *config, const struct digest *diff_id)
{
    *ARRAY_PUSH(config, diff_ids) = *diff_id;
}

int image_config_check_layers(const struct image_config *config, size_t n_layers,
                              struct error **err)
{
    if (config->n_diff_ids != n_layers)
        return error_set(err, ERR_INVALID, "%zu layers in the manifest, %zu diff_ids in the config",
                         n_layers, config->n_diff_ids);
    size_t n_filled = 0;
    for (size_t i = 0; i < config->n_history; i++)
        n_filled += !config->history[i].empty_layer;
    if (config->n_history && n_filled != n_layers)
        return error_set(err, ERR_INVALID, "%zu layers, but %zu history entries that made a layer",
                         n_layers, n_filled);
    return 0;
}
