/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image config. Typed where cbuild works with it; members that it doesn't
 * know (of the base's config and of its "config" object) are kept and written
 * again.
 *
 * image-spec v1.1, config.md; Docker's extensions Healthcheck, OnBuild, Shell, ArgsEscaped
 */
#ifndef CBUILD_OCI_IMAGE_CONFIG_H
#define CBUILD_OCI_IMAGE_CONFIG_H

#include "base/env.h"
#include "base/strbuf.h"
#include "base/strvec.h"
#include "oci/digest.h"
#include "oci/platform.h"

#include <jansson.h>

#define IMAGE_CONFIG_MAX_SIZE (4u << 20)

struct healthcheck {
    struct strvec test; /* empty: inherit (or no healthcheck) */
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns; /* 0: inherit */
    int64_t retries;
};

struct history {
    char *created; /* RFC 3339 as it stood, or NULL */
    char *created_by;
    char *author;
    char *comment;
    bool empty_layer;
};

/* A list that may be null: Cmd [] and Cmd null differ for Docker ("null" inherits, [] clears). */
struct image_config {
    char *created; /* RFC 3339, or NULL */
    char *author;
    struct platform platform;

    char *user;
    struct hashmap exposed_ports; /* keys "80/tcp", sorted when written */
    struct env env;
    bool has_entrypoint;
    struct strvec entrypoint;
    bool has_cmd;
    struct strvec cmd;
    struct hashmap volumes; /* keys, sorted when written */
    char *working_dir;
    json_t *labels; /* object of strings, or NULL */
    char *stop_signal;
    bool args_escaped;
    bool has_healthcheck;
    struct healthcheck healthcheck;
    struct strvec on_build;
    bool has_shell;
    struct strvec shell;

    struct digest *diff_ids; /* lowest first */
    size_t n_diff_ids, diff_ids_capacity;
    struct history *history;
    size_t n_history, history_capacity;

    json_t *other;        /* unknown members of the document, or NULL */
    json_t *config_other; /* unknown members of "config", or NULL */
};

void image_config_init(struct image_config *config);
void image_config_release(struct image_config *config);
DEFINE_AUTO_STRUCT(struct image_config, image_config_release)
void image_config_copy(struct image_config *to, const struct image_config *from);

/* Strict: rootfs.type must be "layers", diff_ids digests; ERR_INVALID with a JSON pointer. */
int image_config_parse(const char *data, size_t size, struct image_config *ret,
                       struct error **err) WARN_UNUSED;
/* Canonical bytes: a pure function of the struct. */
void image_config_format(const struct image_config *config, struct strbuf *buf);
/* The "config" object alone (for cache keys and inspect): a new reference. */
json_t *image_config_container_json(const struct image_config *config) WARN_UNUSED;

void image_config_set_label(struct image_config *config, const char *key, const char *value);
void image_config_add_history(struct image_config *config, const char *created,
                              const char *created_by, const char *comment, bool empty_layer);
void image_config_add_diff_id(struct image_config *config, const struct digest *diff_id);
/*
 * Layers and non-empty history entries must pair: ERR_INVALID names the counts. A config without
 * history is accepted.
 */
int image_config_check_layers(const struct image_config *config, size_t n_layers,
                              struct error **err) WARN_UNUSED;

#endif
