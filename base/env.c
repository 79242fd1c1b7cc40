/* SPDX-License-Identifier: Apache-2.0 */
#include "base/env.h"

#include "base/mem.h"

#include <string.h>

void env_release(struct env *env)
{
    strvec_release(&env->vars);
    hashmap_release(&env->index);
    *env = (struct env)ENV_INIT;
}

void env_copy(struct env *to, const struct env *from)
{
    env_release(to);
    env_add_all(to, &from->vars);
}

/* Where the value of the name stands that counts; NULL: nowhere. */
static char **find(const struct env *env, const char *name)
{
    uintptr_t place = (uintptr_t)hashmap_get(&env->index, name);
    return place ? &env->vars.items[place - 1] : NULL;
}

const char *env_get(const struct env *env, const char *name)
{
    char **var = find(env, name);
    return var ? *var + strlen(name) + 1 : NULL;
}

void env_set(struct env *env, const char *name, const char *value)
{
    char *var = xasprintf("%s=%s", name, value);
    char **old = find(env, name);
    env->size += strlen(var) + 1;
    if (old) {
        env->size -= strlen(*old) + 1;
        free(*old);
        *old = var;
        return;
    }
    strvec_take(&env->vars, var);
    hashmap_put(&env->index, name, (void *)(uintptr_t)env->vars.n);
}

void env_unset(struct env *env, const char *name)
{
    size_t size = strlen(name);
    struct env rest = ENV_INIT;
    if (!find(env, name))
        return;
    for (size_t i = 0; i < env->vars.n; i++) {
        const char *var = env->vars.items[i];
        if (strncmp(var, name, size) != 0 || var[size] != '=')
            env_add(&rest, var);
    }
    env_release(env);
    *env = rest;
}

void env_add(struct env *env, const char *var)
{
    const char *equals = strchr(var, '=');
    strvec_push(&env->vars, var);
    env->size += strlen(var) + 1;
    if (equals)
        hashmap_putn(&env->index, var, (size_t)(equals - var), (void *)(uintptr_t)env->vars.n);
}

void env_add_all(struct env *env, const struct strvec *vars)
{
    for (size_t i = 0; i < vars->n; i++)
        env_add(env, vars->items[i]);
}
