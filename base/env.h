/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environment variables: "NAME=value" in the order in which names first came, found by name in
 * constant time. A list from elsewhere may hold a name twice: then both stay, and the last counts.
 */
#ifndef CBUILD_BASE_ENV_H
#define CBUILD_BASE_ENV_H

#include "base/hashmap.h"
#include "base/strvec.h"

struct env {
    struct strvec vars;   /* "NAME=value"; for reading: env_set() and env_add() change it */
    struct hashmap index; /* NAME → place in vars, counted from 1 */
    size_t size;          /* of the vars with their NULs: what exec has to copy */
};

#define ENV_INIT                                                                                   \
    {                                                                                              \
        STRVEC_INIT, HASHMAP_INIT(NULL), 0                                                         \
    }

void env_release(struct env *env);
DEFINE_AUTO_STRUCT(struct env, env_release)
void env_copy(struct env *to, const struct env *from);

/* The value of a name, borrowed until it is set again; NULL: absent. */
const char *env_get(const struct env *env, const char *name);
/* Replaces the value that counts in its place, or appends. */
void env_set(struct env *env, const char *name, const char *value);
/* Removes it as often as it is there. */
void env_unset(struct env *env, const char *name);
/* Appends "NAME=value" as it stands; without '=' it is a name that has no value. */
void env_add(struct env *env, const char *var);
void env_add_all(struct env *env, const struct strvec *vars);

#endif
