/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/globals.h"

#include "base/mem.h"
#include "builder/words.h"

#include <string.h>
#include <strings.h>

void globals_replace(struct globals *globals, const char *name, const char *value)
{
    struct env *const lists[] = { &globals->build_args, &globals->values };
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        if (!env_get(lists[i], name))
            continue;
        if (value)
            env_set(lists[i], name, value);
        else
            env_unset(lists[i], name);
    }
}

const char *globals_build_arg(const struct globals *globals, const char *name)
{
    return env_get(&globals->build_args, name);
}

const char *globals_value(const struct globals *globals, const char *name)
{
    return env_get(&globals->values, name);
}

bool globals_is_declared(const struct globals *globals, const char *name)
{
    return hashmap_has(&globals->declared, name);
}

bool globals_is_proxy(const char *name)
{
    static const char *const names[] = { "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY",
                                         "ALL_PROXY" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcasecmp(names[i], name))
            return true;
    return false;
}

static void set_platform_args(struct env *values, const char *prefix,
                              const struct platform *platform)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    platform_format(platform, &text);
    AUTO(free) char *whole = xasprintf("%sPLATFORM", prefix);
    AUTO(free) char *os = xasprintf("%sOS", prefix);
    AUTO(free) char *os_version = xasprintf("%sOSVERSION", prefix);
    AUTO(free) char *arch = xasprintf("%sARCH", prefix);
    AUTO(free) char *variant = xasprintf("%sVARIANT", prefix);
    env_set(values, whole, text.data);
    env_set(values, os, platform->os);
    env_set(values, os_version, platform->os_version ? platform->os_version : "");
    env_set(values, arch, platform->architecture);
    env_set(values, variant, platform->variant ? platform->variant : "");
}

static int add_global_arg(struct globals *globals, const struct dockerfile *dockerfile,
                          const struct instruction *arg, struct error **err)
{
    struct words_expander expander = { .escape = dockerfile->escape,
                                       .lookup = words_lookup_env,
                                       .context = &globals->values };
    for (size_t i = 0; i < arg->pairs.n_items; i++) {
        const struct key_value *pair = &arg->pairs.items[i];
        AUTO(free) char *name = NULL, *value = NULL;
        if (words_expand(&expander, pair->key, &name, err) < 0)
            return dockerfile_locate(dockerfile, arg, pair->key, err);
        const char *given = globals_build_arg(globals, name);
        if (!given && pair->value) {
            if (words_expand(&expander, pair->value, &value, err) < 0)
                return dockerfile_locate(dockerfile, arg, pair->value, err);
            given = value;
        }
        hashmap_put(&globals->declared, name, NULL);
        if (given)
            env_set(&globals->values, name, given);
    }
    return 0;
}

/* Of the target; a last stage without a name is "default". */
static const char *target_stage(const struct dockerfile *dockerfile, const char *target)
{
    const struct dockerfile_stage *last = &dockerfile->stages[dockerfile->n_stages - 1];
    const char *name = dockerfile->instructions[last->from].from.name;
    if (target)
        return target;
    return name ? name : "default";
}

struct globals *globals_new(const struct dockerfile *dockerfile, const struct strvec *build_args,
                            const struct platform *platform, const char *target, struct error **err)
{
    AUTO(globals_free) struct globals *globals = NEW(struct globals);
    if (build_args)
        env_add_all(&globals->build_args, build_args);
    platform_host(&globals->build_platform);
    platform_copy(&globals->target_platform, platform ? platform : &globals->build_platform);
    set_platform_args(&globals->values, "TARGET", &globals->target_platform);
    set_platform_args(&globals->values, "BUILD", &globals->build_platform);
    env_set(&globals->values, "TARGETSTAGE", target_stage(dockerfile, target));
    /* a --build-arg of one of these names takes its place */
    for (size_t i = 0; i < globals->values.vars.n; i++) {
        const char *var = globals->values.vars.items[i];
        AUTO(free) char *name = xstrndup(var, strcspn(var, "="));
        const char *given = globals_build_arg(globals, name);
        if (given)
            env_set(&globals->values, name, given);
    }
    for (size_t i = 0; i < dockerfile->stages[0].from; i++)
        if (add_global_arg(globals, dockerfile, &dockerfile->instructions[i], err) < 0)
            return NULL;
    return TAKE(globals);
}

void globals_free(struct globals *globals)
{
    if (!globals)
        return;
    platform_release(&globals->build_platform);
    platform_release(&globals->target_platform);
    env_release(&globals->build_args);
    env_release(&globals->values);
    hashmap_release(&globals->declared);
    free(globals);
}
