/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registries.conf (version 2) and the registry part of Docker's daemon.json as a
 * value: where names lead. Pure.
 *
 * A rule belongs to a prefix of names (host, host/path, *.domain); of those that fit the longest
 * counts. Files are added in their order: a later rule for the same prefix replaces the earlier
 * one, as do the search list and the mode; aliases come together, an empty one takes one away.
 *
 * containers-registries.conf(5); dockerd "registry-mirrors", "insecure-registries"
 */
#ifndef CBUILD_REGISTRY_REGISTRIES_CONF_H
#define CBUILD_REGISTRY_REGISTRIES_CONF_H

#include "base/error.h"
#include "base/hashmap.h"
#include "base/strvec.h"
#include "oci/reference.h"

#include <stdbool.h>

#define REGISTRIES_CONF_MAX_SIZE (4u << 20)

enum mirror_use { MIRROR_ALL, MIRROR_DIGEST_ONLY, MIRROR_TAG_ONLY };

struct mirror_rule {
    char *location; /* host[:port][/path], stands in place of the rule's prefix */
    bool insecure;
    enum mirror_use use;
};

struct registry_rule {
    char *file;     /* that says so, for messages */
    char *prefix;   /* host[:port][/path...] or *.domain */
    char *location; /* in place of the prefix; NULL: names stay as they are */
    bool insecure, blocked;
    struct mirror_rule *mirrors; /* in the order of trying */
    size_t n_mirrors, mirrors_capacity;
};

struct registries_conf {
    struct registry_rule *rules;
    size_t n_rules, rules_capacity;
    struct strvec search;   /* hosts to look for short names in; n 0: Docker's way */
    bool enforcing;         /* short-name-mode: a short name must mean one thing */
    struct hashmap aliases; /* short name → its host/path */
    struct strvec insecure; /* hosts of rules and mirrors that are insecure, and listed ones */
};

void registries_conf_init(struct registries_conf *conf);
void registries_conf_release(struct registries_conf *conf);
DEFINE_AUTO_STRUCT(struct registries_conf, registries_conf_release)

/* ERR_SYNTAX, ERR_INVALID: where in the text; `conf` is as before then. */
int registries_conf_add(struct registries_conf *conf, const char *file, const char *text,
                        size_t size, struct error **err) WARN_UNUSED;
/* daemon.json: its mirrors are Docker Hub's alone, and count where no rule has mirrors for it. */
int registries_conf_add_docker(struct registries_conf *conf, const char *file, const char *text,
                               size_t size, struct error **err) WARN_UNUSED;

/* The rule for a name; NULL: none. */
const struct registry_rule *registries_conf_find(const struct registries_conf *conf,
                                                 const struct reference *reference);
/*
 * The name with the rule's prefix replaced. ERR_INVALID: nothing is left as a repository's path.
 * location NULL: a copy.
 */
int registry_rule_rewrite(const struct registry_rule *rule, const char *location,
                          const struct reference *reference, struct reference *ret,
                          struct error **err) WARN_UNUSED;

#endif
