/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that change the image's config and no file. The texts of their history entries are
 * BuildKit's without its "# buildkit".
 */
#include "base/array.h"
#include "base/mem.h"
#include "builder/executor.h"
#include "builder/values.h"
#include "builder/words.h"

#include <string.h>

#define ENV_VALUE_MAX (1u << 20)    /* RELIABILITY 22 */
#define ENV_TOTAL_MAX (1536u << 10) /* below what exec takes beside its arguments */

void step_meta_commit(struct stage_run *run, const char *created_by)
{
    run->history_key = cache_history_key(&run->history_key, created_by);
    image_config_add_history(&run->config, NULL, created_by, "cbuild", true);
}

/* Go's %q of a list: ["a" "b"] */
static void add_quoted(struct strbuf *buf, const struct strvec *words)
{
    strbuf_addc(buf, '[');
    for (size_t i = 0; i < words->n; i++) {
        if (i)
            strbuf_addc(buf, ' ');
        strbuf_add_json_string(buf, words->items[i]);
    }
    strbuf_addc(buf, ']');
}

/* Go's %v of a list: [a b] */
static void add_plain(struct strbuf *buf, const struct strvec *words)
{
    strbuf_addc(buf, '[');
    for (size_t i = 0; i < words->n; i++)
        strbuf_addf(buf, "%s%s", i ? " " : "", words->items[i]);
    strbuf_addc(buf, ']');
}

static void default_shell(const struct image_config *config, struct strvec *argv)
{
    if (config->has_shell && config->shell.n) {
        strvec_append(argv, &config->shell);
        return;
    }
    strvec_push(argv, "/bin/sh");
    strvec_push(argv, "-c");
}

static void command_argv(struct stage_run *run, const struct command *command, struct strvec *argv)
{
    if (command->form == COMMAND_EXEC) {
        strvec_append(argv, &command->argv);
        return;
    }
    default_shell(&run->config, argv);
    strvec_push(argv, command->text);
}

static int check_env_limit(struct stage_run *run, const char *name, const char *value,
                           struct error **err)
{
    size_t total = strlen(name) + strlen(value) + 2;
    if (total > ENV_VALUE_MAX)
        return error_set(err, ERR_LIMIT, "value of %s: more than 1 MiB", name);
    if (total + run->env.size > ENV_TOTAL_MAX)
        return error_set(err, ERR_LIMIT,
                         "environment: more than 1.5 MiB, no command could be executed with it");
    return 0;
}

static int meta_env(struct stage_run *run, const struct instruction *instruction,
                    struct error **err)
{
    /* all values see the environment from before the instruction */
    AUTO(strvec_release) struct strvec pairs = STRVEC_INIT;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "ENV");
    for (size_t i = 0; i < instruction->pairs.n_items; i++) {
        AUTO(free) char *key = NULL, *value = NULL;
        if (stage_run_expand(run, instruction->pairs.items[i].key, 0, &key, err) < 0 ||
            stage_run_expand(run, instruction->pairs.items[i].value, 0, &value, err) < 0)
            return -1;
        if (!*key)
            return error_set(err, ERR_SYNTAX, "ENV names can not be blank");
        strvec_push(&pairs, key);
        strvec_push(&pairs, value);
        strbuf_addf(&text, " %s=%s", key, value);
    }
    for (size_t i = 0; i < pairs.n; i += 2) {
        if (check_env_limit(run, pairs.items[i], pairs.items[i + 1], err) < 0)
            return -1;
        env_set(&run->env, pairs.items[i], pairs.items[i + 1]);
        env_set(&run->config.env, pairs.items[i], pairs.items[i + 1]);
    }
    step_meta_commit(run, text.data);
    return 0;
}

static int meta_label(struct stage_run *run, const struct instruction *instruction,
                      struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "LABEL");
    for (size_t i = 0; i < instruction->pairs.n_items; i++) {
        AUTO(free) char *key = NULL, *value = NULL;
        if (stage_run_expand(run, instruction->pairs.items[i].key, 0, &key, err) < 0 ||
            stage_run_expand(run, instruction->pairs.items[i].value, 0, &value, err) < 0)
            return -1;
        if (!*key)
            return error_set(err, ERR_SYNTAX, "LABEL names can not be blank");
        image_config_set_label(&run->config, key, value);
        strbuf_addf(&text, " %s=%s", key, value);
    }
    step_meta_commit(run, text.data);
    return 0;
}

/* Read from the Dockerfile by a builder that makes SBOMs, and nothing to the commands. */
static bool is_builders(const char *name)
{
    return !strcmp(name, "BUILDKIT_SBOM_SCAN_CONTEXT") || !strcmp(name, "BUILDKIT_SBOM_SCAN_STAGE");
}

static int meta_arg(struct stage_run *run, const struct instruction *instruction,
                    struct error **err)
{
    const struct globals *globals = run->target->globals;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "ARG");
    for (size_t i = 0; i < instruction->pairs.n_items; i++) {
        const struct key_value *pair = &instruction->pairs.items[i];
        AUTO(free) char *name = NULL, *value = NULL;
        if (stage_run_expand(run, pair->key, 0, &name, err) < 0)
            return -1;
        if (globals_build_arg(globals, name))
            value = xstrdup(globals_build_arg(globals, name));
        else if (pair->value) {
            if (stage_run_expand(run, pair->value, 0, &value, err) < 0)
                return -1;
        } else
            value = xstrdup(globals_value(globals, name));
        if (value && check_env_limit(run, name, value, err) < 0)
            return -1;
        if (value && !is_builders(name))
            env_set(&run->env, name, value);
        hashmap_put(&run->args, name, xstrdup(value));
        strbuf_addf(&text, " %s%s%s", name, value ? "=" : "", value ? value : "");
    }
    step_meta_commit(run, text.data);
    return 0;
}

static int meta_cmd(struct stage_run *run, const struct instruction *instruction,
                    struct error **err)
{
    (void)err; /* nothing is expanded */
    AUTO(strvec_release) struct strvec argv = STRVEC_INIT;
    command_argv(run, &instruction->command, &argv);
    strvec_copy(&run->config.cmd, &argv);
    run->config.has_cmd = true;
    run->config.args_escaped = true;
    run->cmd_is_ours = true;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "CMD ");
    add_quoted(&text, &argv);
    step_meta_commit(run, text.data);
    return 0;
}

static int meta_entrypoint(struct stage_run *run, const struct instruction *instruction,
                           struct error **err)
{
    (void)err; /* nothing is expanded */
    AUTO(strvec_release) struct strvec argv = STRVEC_INIT;
    command_argv(run, &instruction->command, &argv);
    strvec_copy(&run->config.entrypoint, &argv);
    run->config.has_entrypoint = true;
    /* a CMD of the base or of a parent stage was meant for another entry point */
    if (!run->cmd_is_ours) {
        strvec_release(&run->config.cmd);
        run->config.has_cmd = false;
    }
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "ENTRYPOINT ");
    add_quoted(&text, &argv);
    step_meta_commit(run, text.data);
    return 0;
}

static int meta_shell(struct stage_run *run, const struct instruction *instruction,
                      struct error **err)
{
    (void)err; /* nothing is expanded */
    strvec_copy(&run->config.shell, &instruction->shell);
    run->config.has_shell = true;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "SHELL ");
    add_plain(&text, &instruction->shell);
    step_meta_commit(run, text.data);
    return 0;
}

static int meta_expose(struct stage_run *run, const struct instruction *instruction,
                       struct error **err)
{
    AUTO(strvec_release) struct strvec words = STRVEC_INIT;
    AUTO(strvec_release) struct strvec ports = STRVEC_INIT;
    for (size_t i = 0; i < instruction->words.words.n; i++) {
        AUTO(free) char *value = NULL;
        if (stage_run_expand(run, instruction->words.words.items[i], 0, &value, err) < 0)
            return -1;
        words_split_blanks(value, &words);
    }
    for (size_t i = 0; i < words.n; i++)
        if (expose_parse(words.items[i], &ports, err) < 0)
            return -1;
    strvec_sort(&ports);
    for (size_t i = 0; i < ports.n; i++)
        hashmap_put(&run->config.exposed_ports, ports.items[i], NULL);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "EXPOSE ");
    add_plain(&text, &ports);
    step_meta_commit(run, text.data);
    return 0;
}

static int meta_volume(struct stage_run *run, const struct instruction *instruction,
                       struct error **err)
{
    AUTO(strvec_release) struct strvec volumes = STRVEC_INIT;
    if (stage_run_expand_all(run, &instruction->words.words, &volumes, err) < 0)
        return -1;
    for (size_t i = 0; i < volumes.n; i++) {
        if (!*volumes.items[i])
            return error_set(err, ERR_SYNTAX, "VOLUME specified can not be an empty string");
        hashmap_put(&run->config.volumes, volumes.items[i], NULL);
    }
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "VOLUME ");
    add_plain(&text, &volumes);
    step_meta_commit(run, text.data);
    return 0;
}

static void replace(char **field, const char *value)
{
    free(*field);
    *field = xstrdup(value);
}

static int meta_value(struct stage_run *run, const struct instruction *instruction,
                      struct error **err)
{
    AUTO(free) char *value = NULL;
    if (stage_run_expand(run, instruction->value.value, 0, &value, err) < 0)
        return -1;
    if (instruction->kind == INSTRUCTION_USER) {
        replace(&run->config.user, value);
    } else {
        int number;
        if (stop_signal_parse(value, &number, err) < 0)
            return -1;
        replace(&run->config.stop_signal, value);
    }
    AUTO(free) char *text = xasprintf("%s %s", instruction_name(instruction->kind), value);
    step_meta_commit(run, text);
    return 0;
}

static int meta_maintainer(struct stage_run *run, const struct instruction *instruction,
                           struct error **err)
{
    (void)err; /* nothing is expanded */
    replace(&run->config.author, instruction->value.value);
    AUTO(free) char *text = xasprintf("MAINTAINER %s", instruction->value.value);
    step_meta_commit(run, text);
    return 0;
}

static int meta_onbuild(struct stage_run *run, const struct instruction *instruction,
                        struct error **err)
{
    (void)err; /* expanded when the trigger runs */
    strvec_push(&run->config.on_build, instruction->onbuild.text);
    return 0; /* no history entry */
}

static int meta_healthcheck(struct stage_run *run, const struct instruction *instruction,
                            struct error **err)
{
    (void)err; /* nothing is expanded */
    const struct healthcheck_body *body = &instruction->healthcheck;
    struct healthcheck *check = &run->config.healthcheck;
    strvec_release(&check->test);
    *check = (struct healthcheck){ .interval_ns = body->interval,
                                   .timeout_ns = body->timeout,
                                   .start_period_ns = body->start_period,
                                   .start_interval_ns = body->start_interval,
                                   .retries = body->retries };
    if (body->none) {
        strvec_push(&check->test, "NONE");
    } else if (body->command.form == COMMAND_EXEC) {
        strvec_push(&check->test, "CMD");
        strvec_append(&check->test, &body->command.argv);
    } else {
        strvec_push(&check->test, "CMD-SHELL"); /* not wrapped with SHELL */
        strvec_push(&check->test, body->command.text);
    }
    run->config.has_healthcheck = true;

    AUTO(free) char *interval = duration_format(check->interval_ns);
    AUTO(free) char *timeout = duration_format(check->timeout_ns);
    AUTO(free) char *start_period = duration_format(check->start_period_ns);
    AUTO(free) char *start_interval = duration_format(check->start_interval_ns);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "HEALTHCHECK {Test:");
    add_plain(&text, &check->test);
    strbuf_addf(&text, " Interval:%s Timeout:%s StartPeriod:%s StartInterval:%s Retries:%lld}",
                interval, timeout, start_period, start_interval, (long long)check->retries);
    step_meta_commit(run, text.data);
    return 0;
}

typedef int meta_function(struct stage_run *run, const struct instruction *instruction,
                          struct error **err);

static meta_function *const functions[] = {
    [INSTRUCTION_ARG] = meta_arg,
    [INSTRUCTION_CMD] = meta_cmd,
    [INSTRUCTION_ENTRYPOINT] = meta_entrypoint,
    [INSTRUCTION_ENV] = meta_env,
    [INSTRUCTION_EXPOSE] = meta_expose,
    [INSTRUCTION_HEALTHCHECK] = meta_healthcheck,
    [INSTRUCTION_LABEL] = meta_label,
    [INSTRUCTION_MAINTAINER] = meta_maintainer,
    [INSTRUCTION_ONBUILD] = meta_onbuild,
    [INSTRUCTION_SHELL] = meta_shell,
    [INSTRUCTION_STOPSIGNAL] = meta_value,
    [INSTRUCTION_USER] = meta_value,
    [INSTRUCTION_VOLUME] = meta_volume,
};

bool step_meta_handles(enum instruction_kind kind)
{
    return (size_t)kind < ARRAY_SIZE(functions) && functions[kind];
}

int step_meta_execute(struct stage_run *run, const struct instruction *instruction,
                      struct error **err)
{
    return functions[instruction->kind](run, instruction, err);
}
