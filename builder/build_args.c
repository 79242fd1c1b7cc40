/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_args.h"

#include "base/mem.h"
#include "base/suggest.h"
#include "builder/values.h"
#include "oci/image.h"

#include <string.h>

enum own_kind {
    OWN_TEXT, /* any value */
    OWN_BOOL, /* as Go reads them, or empty */
};

/* BuildKit's own arguments. DOCKERFILE.md section 5, ARG. */
static const struct own_arg {
    const char *name;
    enum own_kind kind;
} own_args[] = {
    { "BUILDKIT_BUILD_NAME", OWN_TEXT },     /* a name in progress of a builder that is shared */
    { "BUILDKIT_CACHE_MOUNT_NS", OWN_TEXT }, /* step_mounts.c */
    { "BUILDKIT_CONTEXT_KEEP_GIT_DIR", OWN_BOOL }, /* context_remote.c */
    { "BUILDKIT_DOCKERFILE_CHECK", OWN_TEXT },     /* lint.c */
    { "BUILDKIT_INLINE_CACHE", OWN_BOOL },         /* said below: there is none */
    { "BUILDKIT_MULTI_PLATFORM", OWN_BOOL },       /* image_write.c */
    { "BUILDKIT_SANDBOX_HOSTNAME", OWN_TEXT },     /* step_run.c */
    { "BUILDKIT_SBOM_SCAN_CONTEXT", OWN_TEXT }, /* what an SBOM would be made of: there is none */
    { "BUILDKIT_SBOM_SCAN_STAGE", OWN_TEXT },      { "BUILDKIT_SYNTAX", OWN_TEXT }, /* below */
};

static const struct own_arg *find_own(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(own_args); i++)
        if (strcmp(own_args[i].name, name) == 0)
            return &own_args[i];
    return NULL;
}

const char *build_args_given(const struct build *build, const char *name)
{
    const struct strvec *args = build->options->build_args;
    size_t size = strlen(name);
    for (size_t i = args ? args->n : 0; i-- > 0;)
        if (!strncmp(args->items[i], name, size) && args->items[i][size] == '=')
            return args->items[i] + size + 1;
    return NULL;
}

bool build_args_is_on(const struct build *build, const char *name)
{
    AUTO(error_free) struct error *ignored = NULL; /* build_args_check() told of it */
    const char *value = build_args_given(build, name);
    bool on = false;
    return value && *value && bool_parse(value, &on, &ignored) == 0 && on;
}

const char *build_args_syntax(const struct build *build)
{
    const char *value = build_args_given(build, "BUILDKIT_SYNTAX");
    return value && *value ? value : NULL;
}

int build_args_check(const struct build *build, struct error **err)
{
    const struct strvec *args = build->options->build_args;
    for (size_t i = 0; args && i < args->n; i++) {
        const char *value = strchr(args->items[i], '=');
        AUTO(free) char *name = xstrndup(args->items[i], strcspn(args->items[i], "="));
        const struct own_arg *own = find_own(name);
        bool on;
        if (!own || !value || !value[1])
            continue;
        if (own->kind == OWN_BOOL && bool_parse(value + 1, &on, err) < 0) {
            error_recode(err, ERR_USAGE);
            return error_wrap(err, "--build-arg %s", name);
        }
        if (strcmp(name, "BUILDKIT_SYNTAX") == 0 && !dockerfile_syntax_is_builtin(value + 1)) {
            error_set_(err, ERR_UNSUPPORTED,
                       "--build-arg BUILDKIT_SYNTAX=%s: cbuild speaks docker/dockerfile only",
                       value + 1);
            error_hint(err, "leave it out: what the newest docker/dockerfile knows is built in");
            return -1;
        }
    }
    return 0;
}

static void collect(const struct instruction *arg, struct hashmap *names)
{
    if (arg->kind == INSTRUCTION_ONBUILD)
        arg = arg->onbuild.trigger;
    for (size_t j = 0; arg->kind == INSTRUCTION_ARG && j < arg->pairs.n_items; j++)
        hashmap_put(names, arg->pairs.items[j].key, NULL);
}

/* Of the triggers of a base image, if it is in the store. */
static void collect_of_base(const struct build *build, const struct stage *stage,
                            struct hashmap *names)
{
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(image_release) struct image image = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* the build will tell */
    if (!build->store || stage->base.kind != STAGE_SOURCE_IMAGE || !stage->is_needed ||
        reference_parse(stage->base.name, &reference, &ignored) < 0 ||
        base_image_read_local(build->store, &reference, &stage->platform, &image, &ignored) <= 0)
        return;
    for (size_t i = 0; i < image.config.on_build.n; i++) {
        AUTO(instruction_free) struct instruction *trigger = NULL;
        AUTO(error_free) struct error *broken = NULL; /* as above */
        if (instruction_parse_trigger(image.config.on_build.items[i], '\\', &trigger, &broken) == 0)
            collect(trigger, names);
    }
}

/* The names of all ARGs, of any stage, and of ONBUILD. */
static void collect_args(const struct build *build, struct hashmap *names)
{
    for (size_t i = 0; i < build->dockerfile->n_instructions; i++)
        collect(&build->dockerfile->instructions[i], names);
    for (size_t i = 0; i < build->n_targets; i++)
        for (size_t j = 0; j < build->graph->n_stages; j++)
            collect_of_base(build, &build->targets[i].graph->stages[j], names);
}

static bool is_known(const struct build *build, const struct hashmap *args, const char *name)
{
    return hashmap_has(args, name) || globals_is_proxy(name) ||
           globals_is_declared(build->globals, name) || globals_value(build->globals, name) ||
           find_own(name) || !strcmp(name, "SOURCE_DATE_EPOCH");
}

static const char *nearest_own(const char *name)
{
    const char *names[ARRAY_SIZE(own_args)];
    for (size_t i = 0; i < ARRAY_SIZE(own_args); i++)
        names[i] = own_args[i].name;
    return strncmp(name, "BUILDKIT_", 9) == 0 ? suggest_nearest(name, names, ARRAY_SIZE(names))
                                              : NULL;
}

static const char *nearest_arg(const struct hashmap *args, const char *name)
{
    const char *best = NULL;
    for (struct hashmap_entry *e = NULL; !best && (e = hashmap_next(args, e));) {
        const char *key = e->key;
        best = suggest_nearest(name, &key, 1);
    }
    return best ? best : nearest_own(name);
}

void build_args_warn(struct build *build)
{
    if (build_args_is_on(build, "BUILDKIT_INLINE_CACHE"))
        build_warn(build, NULL, NULL,
                   "--build-arg BUILDKIT_INLINE_CACHE: no inline cache is written");
    const struct strvec *given = build->options->build_args;
    AUTO(hashmap_release) struct hashmap args = HASHMAP_INIT(NULL);
    collect_args(build, &args);
    for (size_t i = 0; given && i < given->n; i++) {
        AUTO(free) char *name = xstrndup(given->items[i], strcspn(given->items[i], "="));
        if (is_known(build, &args, name))
            continue;
        const char *near = nearest_arg(&args, name);
        build_warn(build, NULL, NULL, "--build-arg %s: no ARG of that name%s%s%s", name,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
}
