/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/path.h"
#include "builder/instruction_words.h"
#include "builder/lint_internal.h"
#include "builder/words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct stage_lint {
    struct lint *lint;
    const struct stage *stage;
    struct lint_env *env;
    const struct instruction *cmd, *entrypoint, *healthcheck; /* the last of each */
    /* of the instruction that is looked at */
    const struct instruction *instruction;
    struct strvec unset;
};

/* --- the environment ------------------------------------------------------------------------- */

/* A value of a parent holds on where an ARG of this stage has none. */
static const char *value_of(const struct lint_env *env, const char *name)
{
    const char *value;
    do {
        value = hashmap_get(&env->names, name);
        env = env->parent;
    } while (!value && env);
    return value;
}

static bool is_declared(const struct lint_env *env, const char *name)
{
    bool has;
    do {
        has = hashmap_has(&env->names, name);
        env = env->parent;
    } while (!has && env);
    return has;
}

static void set_value(struct lint_env *env, const char *name, const char *value)
{
    hashmap_put(&env->names, name, xstrdup(value));
}

static const char *lookup(void *context, const char *name)
{
    const struct stage_lint *run = context;
    return value_of(run->env, name);
}

static void seen(void *context, const char *name, bool is_set)
{
    struct stage_lint *run = context;
    if (!is_set && !is_declared(run->env, name) && !strvec_has(&run->unset, name))
        strvec_push(&run->unset, name);
}

/* NULL: it can't be expanded, which the plan or the executor reports. */
static char *expand_as(struct stage_lint *run, const char *word, unsigned flags, char escape)
{
    struct words_expander expander = {
        .escape = escape, .flags = flags, .lookup = lookup, .seen = seen, .context = run
    };
    AUTO(error_free) struct error *ignored = NULL;
    char *value = NULL;
    return words_expand(&expander, word, &value, &ignored) < 0 ? NULL : value;
}

static char *expand(struct stage_lint *run, const char *word)
{
    return expand_as(run, word, 0, run->lint->dockerfile->escape);
}

static int visit_word(void *data, const char *word, unsigned flags, char escape,
                      struct error **err UNUSED)
{
    free(expand_as(data, word, flags, escape));
    return 0;
}

/* The name of the environment that `name` seems to be: one letter more, less, or exchanged. */
static const char *misspelled(const struct stage_lint *run, const char *name, struct strvec *names)
{
    const struct lint_env *env = run->env;
    do {
        if (env->names.n > LINT_MAX_NAMES - names->n)
            return NULL;
        for (struct hashmap_entry *e = NULL; (e = hashmap_next(&env->names, e));)
            strvec_push(names, e->key);
        env = env->parent;
    } while (env);
    return lint_guess(run->lint, name, names);
}

/* Without the base's own variables: whether the file shows that this isn't one of them. */
static bool is_surely_unset(const struct stage_lint *run, const char *name, const char *near)
{
    if (run->env->base_is_known || !lint_is_name(name) || hashmap_has(&run->lint->names, name) ||
        globals_value(run->lint->globals, name))
        return true;
    if (!near)
        return false;
    size_t a = strlen(name), b = strlen(near);
    return (a > b ? a - b : b - a) <= 1 && *name == *near;
}

static void report_unset(struct stage_lint *run)
{
    static const char *const others[] = { "BUILDKIT_SBOM_SCAN_CONTEXT",
                                          "BUILDKIT_SBOM_SCAN_STAGE" };
    const struct lint *lint = run->lint;
    for (size_t i = 0; i < run->unset.n; i++) {
        const char *name = run->unset.items[i];
        AUTO(strvec_release) struct strvec names = STRVEC_INIT;
        const char *near = misspelled(run, name, &names);
        if (!is_surely_unset(run, name, near) || !strcmp(name, others[0]) ||
            !strcmp(name, others[1]))
            continue;
        char *fix = NULL;
        const char *suggestion = NULL;
        if (globals_is_declared(lint->globals, name) || globals_value(lint->globals, name))
            fix = xasprintf("put ARG %s into this stage", name);
        else if (near)
            suggestion = near;
        lint_add(run->lint, run->instruction, "UndefinedVar", fix,
                 "Usage of undefined variable '$%s'%s%s%s", name,
                 suggestion ? " (did you mean $" : "", suggestion ? suggestion : "",
                 suggestion ? "?)" : "");
    }
}

/* --- instructions ---------------------------------------------------------------------------- */

/* Whether one of the words that `_` separates in name is in the list. */
static bool has_word(const char *name, const char *const *words, size_t n)
{
    while (*name) {
        size_t size = strcspn(name, "_");
        for (size_t i = 0; i < n; i++)
            if (strlen(words[i]) == size && !strncasecmp(words[i], name, size))
                return true;
        name += size + (name[size] == '_');
    }
    return false;
}

static void check_secret(struct stage_lint *run, const char *name)
{
    static const char *const secret[] = {
        "apikey",   "auth",  "credential", "credentials", "key",
        "password", "pword", "passwd",     "secret",      "token"
    };
    static const char *const harmless[] = { "public", "file", "version" };
    if (!has_word(name, secret, ARRAY_SIZE(secret)) ||
        has_word(name, harmless, ARRAY_SIZE(harmless)))
        return;
    lint_add(run->lint, run->instruction, "SecretsUsedInArgOrEnv",
             xstrdup("RUN --mount=type=secret leaves no trace in the image"),
             "Do not use ARG or ENV instructions for sensitive data (%s \"%s\")",
             run->instruction->keyword, name);
}

static void check_legacy(struct stage_lint *run)
{
    if (run->instruction->pairs.legacy)
        lint_add(run->lint, run->instruction, "LegacyKeyValueFormat",
                 xasprintf("%s %s=...", instruction_name(run->instruction->kind),
                           run->instruction->pairs.items[0].key),
                 "\"%s key=value\" should be used instead of legacy \"%s key value\" format",
                 run->instruction->keyword, run->instruction->keyword);
}

static void take_env(struct stage_lint *run)
{
    const struct pairs_body *pairs = &run->instruction->pairs;
    AUTO(strvec_release) struct strvec set = STRVEC_INIT;
    check_legacy(run);
    for (size_t i = 0; i < pairs->n_items; i++) {
        AUTO(free) char *key = expand(run, pairs->items[i].key);
        AUTO(free) char *value = expand(run, pairs->items[i].value);
        if (!key || !value)
            continue;
        check_secret(run, key);
        strvec_push(&set, key);
        strvec_push(&set, value);
    }
    report_unset(run);
    for (size_t i = 0; i < set.n; i += 2) {
        set_value(run->env, set.items[i], set.items[i + 1]);
        hashmap_put(&run->env->env_names, set.items[i], NULL);
    }
}

/* The documentation of other builders says that ENV wins always; the later one does. */
static void check_override(struct stage_lint *run, const char *name)
{
    const struct lint_env *env = run->env;
    while (env && !hashmap_has(&env->env_names, name))
        env = env->parent;
    if (env)
        lint_add(run->lint, run->instruction, "ArgOverridesEnv",
                 xstrdup("give the argument another name, or put ENV after it"),
                 "ARG %s counts for what follows, the image keeps the value of ENV", name);
}

static void take_arg(struct stage_lint *run)
{
    const struct globals *globals = run->lint->globals;
    for (size_t i = 0; i < run->instruction->pairs.n_items; i++) {
        const struct key_value *pair = &run->instruction->pairs.items[i];
        AUTO(free) char *key = expand(run, pair->key);
        if (!key)
            continue;
        const char *given = globals_build_arg(globals, key);
        AUTO(free) char *value = !given && pair->value ? expand(run, pair->value) : NULL;
        if (value)
            given = value;
        else if (!given && !pair->value)
            given = globals_value(globals, key);
        check_secret(run, key);
        if (given) {
            check_override(run, key);
            set_value(run->env, key, given);
        } else if (!is_declared(run->env, key)) {
            hashmap_put(&run->env->names, key, NULL);
        }
    }
    report_unset(run);
}

static void check_once(struct stage_lint *run, const struct instruction **last)
{
    const char *name = instruction_name(run->instruction->kind);
    /* the place is the one that is in vain; either of them may say that it is meant so */
    if (*last &&
        !lint_is_skipped(run->lint->check, run->instruction, "MultipleInstructionsDisallowed"))
        lint_add(run->lint, *last, "MultipleInstructionsDisallowed",
                 xasprintf("remove it, or the %s in line %zu", name, run->instruction->range.first),
                 "Multiple %s instructions should not be used in the same stage because only the "
                 "last one will be used",
                 name);
    *last = run->instruction;
}

static void check_form(struct stage_lint *run)
{
    const struct instruction *instruction = run->instruction;
    if (instruction->command.form != COMMAND_SHELL || run->env->has_shell)
        return;
    lint_add(run->lint, instruction, "JSONArgsRecommended",
             xasprintf("%s [\"program\", \"argument\"], or a SHELL before it",
                       instruction_name(instruction->kind)),
             "JSON arguments recommended for %s to prevent unintended behavior related to OS "
             "signals",
             instruction->keyword);
}

static void check_workdir(struct stage_lint *run)
{
    AUTO(free) char *path = expand(run, run->instruction->value.value);
    bool may_be_absolute = run->unset.n && !run->env->base_is_known;
    report_unset(run);
    if (path && *path != '/' && !run->env->has_workdir && !may_be_absolute)
        lint_add(run->lint, run->instruction, "WorkdirRelativePath", xasprintf("WORKDIR /%s", path),
                 "Relative workdir \"%s\" can have unexpected results if the base image changes",
                 path);
    run->env->has_workdir = true;
}

/* "ip:host:container/PROTO" */
static void check_port(struct stage_lint *run, const char *port)
{
    const char *protocol = strrchr(port, '/');
    for (const char *p = protocol ? protocol : ""; *p; p++) {
        if (!isupper((unsigned char)*p))
            continue;
        lint_add(run->lint, run->instruction, "ExposeProtoCasing",
                 xstrdup("write it in lower case"),
                 "Defined protocol '%s' in EXPOSE instruction should be lowercase", port);
        break;
    }
    const char *colon = strrchr(port, ':');
    if (colon)
        lint_add(run->lint, run->instruction, "ExposeInvalidFormat",
                 xasprintf("EXPOSE %s", colon + 1),
                 "EXPOSE instruction should not define an IP address or host-port mapping, found "
                 "'%s'",
                 port);
}

static void check_expose(struct stage_lint *run)
{
    const struct strvec *words = &run->instruction->words.words;
    for (size_t i = 0; i < words->n; i++) {
        AUTO(free) char *value = expand(run, words->items[i]);
        AUTO(strvec_release) struct strvec ports = STRVEC_INIT;
        if (value)
            words_split_blanks(value, &ports);
        for (size_t j = 0; j < ports.n; j++)
            check_port(run, ports.items[j]);
    }
    report_unset(run);
}

static bool has_negation(const struct dockerignore *ignore)
{
    for (size_t i = 0; i < ignore->texts.n; i++)
        if (ignore->texts.items[i][0] == '!')
            return true;
    return false;
}

static bool is_remote(const char *source)
{
    return strstr(source, "://") || !strncmp(source, "git@", 4);
}

/* A negation may bring back what lies in an excluded directory: nothing is certain, then. */
static void check_sources(struct stage_lint *run)
{
    const struct dockerignore *ignore = run->lint->options->ignore;
    const struct copy_body *copy = &run->instruction->copy;
    if (!ignore || copy->from || has_negation(ignore))
        return;
    for (size_t i = 0; i < copy->sources.n; i++) {
        AUTO(free) char *source = expand(run, copy->sources.items[i]);
        if (!source || is_remote(source))
            continue;
        AUTO(free) char *path = path_clean_rooted(source);
        AUTO(free) char *why = *path ? dockerignore_explain(ignore, path) : NULL;
        const char *shown = *source == '/' ? source : path;
        if (why)
            lint_add(run->lint, run->instruction, "CopyIgnoredFile", xasprintf("it is %s", why),
                     "Attempting to %s file \"%s\" that is excluded by .dockerignore",
                     run->instruction->kind == INSTRUCTION_ADD ? "Add" : "Copy", shown);
    }
}

static void check_copy_habits(struct stage_lint *run)
{
    const struct copy_body *copy = &run->instruction->copy;
    if (copy->from && strchr(copy->from, '$'))
        lint_add(run->lint, run->instruction, "CopyFromVariable",
                 xasprintf("FROM %s AS name, then --from=name", copy->from),
                 "--from=%s: BuildKit refuses variables here", copy->from);
    for (size_t i = 0; i < copy->sources.n && copy->parents != FLAG_ON; i++) {
        const char *source = copy->sources.items[i];
        size_t size = strlen(source);
        if (size < 3 || strcmp(source + size - 2, "/*") != 0 || is_remote(source))
            continue;
        lint_add(run->lint, run->instruction, "CopyFlattens",
                 xasprintf("%s %.*s/ keeps the directories",
                           instruction_name(run->instruction->kind), (int)(size - 2), source),
                 "\"%s\" brings what is in the directories it matches, not the directories",
                 source);
    }
}

static void look_at_words(struct stage_lint *run)
{
    AUTO(error_free) struct error *ignored = NULL;
    if (instruction_each_word(run->instruction, run->lint->dockerfile->escape, visit_word, run,
                              &ignored) == 0) /* visits don't fail */
        report_unset(run);
}

static void look_at(struct stage_lint *run, const struct instruction *instruction)
{
    run->instruction = instruction;
    switch (instruction->kind) {
    case INSTRUCTION_ENV:
        take_env(run);
        break;
    case INSTRUCTION_ARG:
        take_arg(run);
        break;
    case INSTRUCTION_LABEL:
        check_legacy(run);
        look_at_words(run);
        break;
    case INSTRUCTION_CMD:
        check_once(run, &run->cmd);
        check_form(run);
        break;
    case INSTRUCTION_ENTRYPOINT:
        check_once(run, &run->entrypoint);
        check_form(run);
        break;
    case INSTRUCTION_HEALTHCHECK:
        check_once(run, &run->healthcheck);
        break;
    case INSTRUCTION_SHELL:
        lint_take_shell(run->env, &instruction->shell);
        break;
    case INSTRUCTION_WORKDIR:
        check_workdir(run);
        break;
    case INSTRUCTION_EXPOSE:
        check_expose(run);
        break;
    case INSTRUCTION_ADD:
    case INSTRUCTION_COPY:
        check_sources(run);
        check_copy_habits(run);
        look_at_words(run);
        break;
    case INSTRUCTION_RUN:
        lint_run_command(run->lint, run->env, instruction);
        look_at_words(run);
        break;
    case INSTRUCTION_STOPSIGNAL:
    case INSTRUCTION_USER:
    case INSTRUCTION_VOLUME:
        look_at_words(run);
        break;
    case INSTRUCTION_FROM:
    case INSTRUCTION_MAINTAINER:
    case INSTRUCTION_ONBUILD:
        break;
    }
    strvec_release(&run->unset);
}

/* --- the stage ------------------------------------------------------------------------------- */

static void check_platform(struct stage_lint *run, const struct image_config *config)
{
    const struct platform *want = &run->stage->platform, *have = &config->platform;
    if (!have->os || !have->architecture ||
        (!strcmp(want->os, have->os) && !strcmp(want->architecture, have->architecture)))
        return;
    AUTO(strbuf_release) struct strbuf wanted = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf had = STRBUF_INIT;
    platform_format(want, &wanted);
    platform_format(have, &had);
    lint_add(run->lint, run->stage->from, "InvalidBaseImagePlatform",
             xasprintf("--platform=%s, or an image for %s", had.data, wanted.data),
             "Base image %s was pulled with platform \"%s\", expected \"%s\" for current build",
             run->stage->from->from.image, had.data, wanted.data);
}

static void begin_with_image(struct stage_lint *run)
{
    const struct lint_options *options = run->lint->options;
    const struct image_config *config =
        options->base_config ? options->base_config(options->data, run->stage) : NULL;
    if (!config)
        return;
    run->env->base_is_known = true;
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&config->env.index, e));)
        set_value(run->env, e->key, env_get(&config->env, e->key));
    if (config->has_shell)
        lint_take_shell(run->env, &config->shell);
    check_platform(run, config);
}

/* A parent stage that isn't needed itself can't be: whoever is FROM it needs it. */
static void begin(struct stage_lint *run)
{
    const struct stage_source *base = &run->stage->base;
    const struct lint_env *parent = &run->lint->envs[base->stage];
    switch (base->kind) {
    case STAGE_SOURCE_STAGE:
        run->env->parent = parent;
        run->env->base_is_known = parent->base_is_known;
        run->env->has_shell = parent->has_shell;
        run->env->is_foreign_shell = parent->is_foreign_shell;
        run->env->has_errexit = parent->has_errexit;
        run->env->has_pipefail = parent->has_pipefail;
        run->env->has_workdir = parent->has_workdir;
        return;
    case STAGE_SOURCE_SCRATCH:
        run->env->base_is_known = true;
        break;
    case STAGE_SOURCE_CONTEXT:
    case STAGE_SOURCE_IMAGE:
        begin_with_image(run);
        break;
    }
    if (!value_of(run->env, "PATH"))
        set_value(run->env, "PATH", "/bin");
}

void lint_stage(struct lint *lint, const struct stage *stage)
{
    struct stage_lint run = { .lint = lint, .stage = stage, .env = &lint->envs[stage->index] };
    begin(&run);
    for (size_t i = 0; i < stage->n_instructions; i++)
        look_at(&run, &stage->instructions[i]);
}
