/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/step_run.h"
#include "base/array.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/emulation.h"
#include "builder/step_shell.h"
#include "runner/network.h"
#include "runner/user.h"

#include <string.h>
#include <strings.h>

void run_step_release(struct run_step *step)
{
    step_mounts_release(&step->mounts);
    cdi_edits_release(&step->devices);
    layer_step_release(&step->step);
    strvec_release(&step->argv);
    env_release(&step->env);
    error_free(step->no_emulator);
}

static int read_optional(struct stage_run *run, const char *path, struct strbuf *buf, bool *found,
                         struct error **err)
{
    int result = tree_read_file(run->tree, path, buf, USER_MAX_FILE, err);
    if (result < 0)
        return error_wrap(err, "reading /%s of the image", path);
    *found = result > 0;
    return 0;
}

int step_user_files(struct stage_run *run, struct strbuf *passwd, bool *has_passwd,
                    struct strbuf *group, bool *has_group, struct error **err)
{
    if (read_optional(run, "etc/passwd", passwd, has_passwd, err) < 0)
        return -1;
    return read_optional(run, "etc/group", group, has_group, err);
}

static void log_output(void *data, const void *bytes, size_t size, bool error_stream)
{
    const struct layer_step *step = data;
    const struct stage_run *run = step->data;
    progress_log(run->build->progress, step->vertex, bytes, size, error_stream);
}

/* "NAME:ADDRESS" or "NAME=ADDRESS": the size of the name. */
static size_t host_name_size(const char *item)
{
    return strcspn(item, ":=");
}

static bool is_gateway(const char *item)
{
    return strcmp(item + host_name_size(item) + 1, "host-gateway") == 0;
}

static bool wants_gateway(const struct build *build)
{
    const struct strvec *hosts = build->options->add_hosts;
    for (size_t i = 0; hosts && i < hosts->n; i++)
        if (is_gateway(hosts->items[i]))
            return true;
    return false;
}

/* Made when the first RUN needs it, shared by all. */
static int private_network(struct build *build, struct network **ret, struct error **err)
{
    int result = 0;
    pthread_mutex_lock(&build->base_lock);
    if (!build->network) {
        AUTO(free) char *warning = NULL;
        result = network_new(wants_gateway(build), &build->network, &warning, err);
        if (warning)
            progress_warning(build->progress, 0, "%s", warning);
    }
    *ret = build->network;
    pthread_mutex_unlock(&build->base_lock);
    return result;
}

/* The log stood right above, unless nobody shows it or lines of other stages may stand between. */
static bool was_shown(const struct build *build)
{
    size_t n = build->n_targets > 1 ? 2 : 0;
    for (size_t i = 0; i < build->graph->n_stages; i++)
        n += build->graph->stages[i].is_needed;
    const struct progress *progress = build->progress;
    return progress && !progress->shows_no_log && (progress->shows_failed_log || n == 1);
}

static void add_tail(struct build *build, const struct run_step *step, const char *tail,
                     struct error **err)
{
    if (!error_is(*err, ERR_RUN) || !tail || !*tail || was_shown(build))
        return;
    AUTO(free) char *text = instruction_format(step->step.instruction);
    error_detail(err, "------\n > %.*s:\n%s%s------\n", (int)strcspn(text, "\n"), text, tail,
                 tail[strlen(tail) - 1] == '\n' ? "" : "\n");
}

/* A struct run_call's */
static int run_sandbox(struct stage_run *run, struct run_step *step,
                       const struct sandbox_spec *spec, void *data UNUSED, struct error **err)
{
    struct build *build = run->build;
    AUTO(sandbox_free) struct sandbox *sandbox = sandbox_create(spec, err);
    if (!sandbox || schedule_add_sandbox(build, sandbox, err) < 0)
        return -1;
    AUTO(sandbox_result_release) struct sandbox_result result = { 0 };
    int status = sandbox_start(sandbox, err);
    if (status == 0)
        status = sandbox_wait(sandbox, &result, err);
    schedule_remove_sandbox(build, sandbox);
    if (status < 0)
        return -1;
    if (result.signal && schedule_check(build, err) < 0) /* it was killed for that */
        return -1;
    AUTO(free) char *tail = TAKE(result.tail);
    status = sandbox_result_check(&result, err);
    if (status < 0)
        add_tail(build, step, tail, err);
    return status;
}

/* process "/bin/sh -c make" did not complete successfully: exit code: 2 */
static int describe_failure(const struct stage_run *run, const struct run_step *step,
                            struct error **err)
{
    if (!error_is(*err, ERR_RUN))
        return privilege_explain(run->build, err);
    AUTO(strbuf_release) struct strbuf command = STRBUF_INIT;
    for (size_t i = 0; i < step->argv.n; i++)
        strbuf_addf(&command, "%s%s", i ? " " : "", step->argv.items[i]);
    if (command.size > 400) {
        strbuf_set_size(&command, 400);
        strbuf_adds(&command, "...");
    }
    (void)error_wrap(err, "process \"%s\" did not complete successfully", command.data);
    if (step->no_emulator)
        error_hint(err, "%s: %s", error_message(step->no_emulator),
                   error_hint_text(step->no_emulator));
    return privilege_explain(run->build, err);
}

/* Once for each limit, though every step meets it. */
static void warn_of_limit(void *data, const char *text)
{
    struct build *build = data;
    pthread_mutex_lock(&build->base_lock);
    bool is_new = !strvec_has(&build->limit_warnings, text);
    if (is_new)
        strvec_push(&build->limit_warnings, text);
    pthread_mutex_unlock(&build->base_lock);
    if (is_new)
        progress_warning(build->progress, 0, "%s", text);
}

/* NULL: the default */
static const char *sandbox_hostname(const struct stage_run *run)
{
    const char *given = globals_build_arg(run->build->globals, "BUILDKIT_SANDBOX_HOSTNAME");
    return given && *given ? given : NULL;
}

static int fill_spec(struct stage_run *run, struct run_step *step, const struct run_call *call,
                     struct sandbox_spec *spec, struct error **err)
{
    spec->argv = (const char *const *)call->argv->items;
    spec->terminal = call->terminal;
    spec->env = (const char *const *)step->env.vars.items;
    spec->cwd = stage_run_cwd(run);
    spec->user = run->config.user;
    spec->hostname = sandbox_hostname(run);
    spec->insecure = step->insecure;
    spec->network_mode = step->network;
    spec->isolation = run->build->options->isolation;
    if (spec->isolation == ISOLATION_CHROOT && step->network == NETWORK_NONE) /* of a trigger */
        return error_set(err, ERR_UNSUPPORTED, "--network=none with --isolation=chroot");
    if (spec->isolation == ISOLATION_CHROOT)
        spec->network_mode = NETWORK_HOST;
    else if (step->network == NETWORK_PRIVATE &&
             private_network(run->build, &spec->network, err) < 0)
        return -1;
    spec->log = log_output;
    spec->log_data = &step->step;
    spec->limits = run->build->options->limits;
    spec->warn = warn_of_limit;
    spec->warn_data = run->build;
    return 0;
}

/* Lines for /etc/hosts. Without a network there is no way to the host, and no line for it. */
static void add_hosts(const struct build *build, const struct sandbox_spec *spec,
                      struct strvec *lines)
{
    const struct strvec *hosts = build->options->add_hosts;
    const char *gateway = spec->network_mode == NETWORK_HOST ? "127.0.0.1"
                          : spec->network                    ? network_gateway(spec->network)
                                                             : NULL;
    for (size_t i = 0; hosts && i < hosts->n; i++) {
        const char *item = hosts->items[i];
        const size_t size = host_name_size(item);
        const char *address = is_gateway(item) ? gateway : item + size + 1;
        if (!address)
            continue;
        bool in_brackets = *address == '[';
        strvec_pushf(lines, "%.*s\t%.*s", (int)strcspn(address + in_brackets, "]"),
                     address + in_brackets, (int)size, item);
    }
}

int run_step_call(struct stage_run *run, struct run_step *step, const struct run_call *call,
                  struct error **err)
{
    struct sandbox_spec spec = SANDBOX_SPEC_INIT;
    AUTO(strbuf_release) struct strbuf passwd = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf group = STRBUF_INIT;
    AUTO(strvec_release) struct strvec hosts = STRVEC_INIT;
    bool has_passwd = false, has_group = false;
    if (fill_spec(run, step, call, &spec, err) < 0 ||
        step_user_files(run, &passwd, &has_passwd, &group, &has_group, err) < 0)
        return -1;
    if (has_passwd) {
        spec.passwd = passwd.data;
        spec.passwd_size = passwd.size;
    }
    if (has_group) {
        spec.group = group.data;
        spec.group_size = group.size;
    }
    add_hosts(run->build, &spec, &hosts);
    spec.extra_hosts = (const char *const *)hosts.items;
    spec.n_extra_hosts = hosts.n;

    spec.mounts = step->mounts.specs;
    spec.n_mounts = step->mounts.n_specs;

    run_tree_fill(call->tree, &spec);
    if (call->scratch)
        spec.scratch = call->scratch;
    return call->use(run, step, &spec, call->data, err);
}

/* What the specs of this machine say of the devices; the mounts come after those of the step. */
static int add_devices(struct stage_run *run, struct run_step *step, struct error **err)
{
    for (size_t i = 0; i < step->body->devices.n; i++) {
        AUTO(cdi_request_release) struct cdi_request request = { .name = NULL };
        size_t before = step->devices.names.n;
        if (cdi_request_parse(step->body->devices.items[i], &request, err) < 0 ||
            cdi_find(run->build->options->cdi_dirs, request.name, &step->devices, err) < 0)
            return -1;
        if (step->devices.names.n > before || !request.required)
            continue;
        error_set_(err, ERR_NOT_FOUND, "device %s is required, and no spec describes it",
                   request.name);
        error_hint(err, "specs are JSON files in /etc/cdi and /var/run/cdi, or --cdi-config-dir");
        return -1;
    }
    for (size_t i = 0; i < step->devices.env.n; i++) {
        AUTO(free)
        char *name = xstrndup(step->devices.env.items[i], strcspn(step->devices.env.items[i], "="));
        if (step->devices.env.items[i][strlen(name)])
            env_set(&step->env, name, step->devices.env.items[i] + strlen(name) + 1);
    }
    for (size_t i = 0; i < step->devices.n_mounts; i++) {
        const struct cdi_mount *mount = &step->devices.mounts[i];
        *ARRAY_PUSH(&step->mounts, specs) = (struct mount_spec){ .kind = MOUNT_BIND,
                                                                 .source = mount->source,
                                                                 .target = mount->target,
                                                                 .read_only = mount->read_only,
                                                                 .devices = mount->is_node };
    }
    return 0;
}

/* An emulator that the kernel would look for in the image is shown there. */
static int add_emulator(struct stage_run *run, struct run_step *step, struct error **err)
{
    const char *path;
    if (emulation_prepare(run, step->step.instruction, &path, &step->no_emulator, err) < 0)
        return -1;
    if (path)
        *ARRAY_PUSH(&step->mounts, specs) = (struct mount_spec){
            .kind = MOUNT_BIND, .source = path, .target = path, .read_only = true
        };
    return 0;
}

int run_step_prepare(struct stage_run *run, struct run_step *step, struct error **err)
{
    if (privilege_check(run->build, err) < 0)
        return -1;
    privilege_warn(run->build);
    if (add_emulator(run, step, err) < 0 || step_mounts_prepare(run, &step->mounts, err) < 0 ||
        add_devices(run, step, err) < 0)
        return -1;
    /* they win over ENV and ARG */
    const struct env *own = &step->mounts.env;
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&own->index, e));)
        env_set(&step->env, e->key, env_get(own, e->key));
    const struct command *command = &step->body->command;
    if (command->script)
        *ARRAY_PUSH(&step->mounts, specs) = (struct mount_spec){ .kind = MOUNT_FILE,
                                                                 .target = command->text,
                                                                 .content = command->script,
                                                                 .size = strlen(command->script),
                                                                 .mode = 0755,
                                                                 .read_only = true };
    return 0;
}

static int make_layer(struct stage_run *run, struct run_step *step, struct run_tree *tree,
                      struct changeset *changeset, struct layer **ret, struct error **err)
{
    struct layer_options options;
    if (layer_step_options(run, &step->step, &options, err) < 0)
        return -1;
    step->step.leaves_form = run_tree_is_lasting(run, tree);
    *ret = layer_make(run->build->store, &options, changeset, TAKE(tree->snapshot));
    return 0;
}

static int make(struct stage_run *run, struct layer_step *layer_step, struct layer **ret,
                struct error **err)
{
    struct run_step *step = CONTAINER_OF(layer_step, struct run_step, step);
    struct build *build = run->build;
    AUTO(run_tree_release) struct run_tree tree = RUN_TREE_INIT;
    if (privilege_check(build, err) < 0 || run_tree_prepare(run, &tree, err) < 0 ||
        run_step_prepare(run, step, err) < 0)
        return -1;
    const struct run_call call = { .argv = &step->argv, .tree = &tree, .use = run_sandbox };
    if (run_step_call(run, step, &call, err) < 0) {
        (void)describe_failure(run, step, err);
        step_shell_after_failure(run, step, &tree, *err);
        return -1;
    }
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    tree.is_single_use = step->insecure;
    if (run_tree_finish(run, &tree, &changeset, err) < 0)
        return -1;
    return make_layer(run, step, &tree, &changeset, ret, err);
}

/* As make(), from the upper of a build that was killed after the command had ended. */
static int take(struct stage_run *run, struct layer_step *layer_step, const char *form,
                struct layer **ret, struct error **err)
{
    struct run_step *step = CONTAINER_OF(layer_step, struct run_step, step);
    AUTO(run_tree_release) struct run_tree tree = RUN_TREE_INIT;
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    int taken = run_tree_take(run, &tree, form, &changeset, err);
    if (taken > 0 && make_layer(run, step, &tree, &changeset, ret, err) < 0)
        return -1;
    return taken;
}

static void set_argv(struct stage_run *run, struct run_step *step)
{
    const struct command *command = &step->body->command;
    if (command->form == COMMAND_EXEC) {
        strvec_append(&step->argv, &command->argv);
        return;
    }
    if (run->config.has_shell && run->config.shell.n) {
        strvec_append(&step->argv, &run->config.shell);
    } else {
        strvec_push(&step->argv, "/bin/sh");
        strvec_push(&step->argv, "-c");
    }
    strvec_push(&step->argv, command->text);
}

/* Both cases of a proxy variable that was given: it is this machine's, whatever ENV says. */
static void add_proxy(struct env *env, const char *name, const char *value)
{
    AUTO(free) char *lower = xstrdup(name);
    AUTO(free) char *upper = xstrdup(name);
    for (char *p = lower; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    for (char *p = upper; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    env_set(env, upper, value);
    env_set(env, lower, value);
}

/* Of one variable given in both cases the lower one counts, as other builders have it. */
static bool is_outdone(const struct strvec *given, size_t at, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < given->n; i++) {
        const char *other = given->items[i];
        if (strncasecmp(other, name, size) != 0 || other[size] != '=')
            continue;
        int order = strncmp(other, name, size);
        if (order > 0 || (order == 0 && i > at))
            return true;
    }
    return false;
}

static bool is_given(const struct strvec *list, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; list && i < list->n; i++)
        if (strncasecmp(list->items[i], name, size) == 0 && list->items[i][size] == '=')
            return true;
    return false;
}

/* Those of `given` that `overruling` (may be NULL) doesn't name. An empty one asks for none. */
static void add_proxies(struct env *env, const struct strvec *given,
                        const struct strvec *overruling)
{
    for (size_t i = 0; given && i < given->n; i++) {
        const char *value = strchr(given->items[i], '=');
        AUTO(free) char *name = xstrndup(given->items[i], strcspn(given->items[i], "="));
        if (value && value[1] && globals_is_proxy(name) && !is_outdone(given, i, name) &&
            !is_given(overruling, name))
            add_proxy(env, name, value + 1);
    }
}

/* "RUN |2 A=1 B=2 /bin/sh -c echo hi" */
static char *history_text(const struct stage_run *run, const struct run_step *step)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "RUN");
    if (run->args.n)
        strbuf_addf(&text, " |%zu", run->args.n);
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&run->args, e));) {
        const char *value = env_get(&run->env, e->key);
        if (!value)
            value = e->value;
        strbuf_addf(&text, " %s=%s", e->key, value ? value : "");
    }
    for (size_t i = 0; i < step->argv.n; i++)
        strbuf_addf(&text, " %s", step->argv.items[i]);
    return strbuf_detach(&text);
}

static int refuse(const char *flag, const char *allow, struct error **err)
{
    error_set_(err, ERR_UNSUPPORTED, "RUN %s is not allowed", flag);
    error_hint(err, "give --allow %s to the build, if you trust the Dockerfile", allow);
    return -1;
}

static int choose_network(struct stage_run *run, struct run_step *step, struct error **err)
{
    const char *asked = step->body->network;
    enum build_network network = run->build->options->network;
    if (asked && !strcmp(asked, "none"))
        network = BUILD_NETWORK_NONE;
    else if (asked && !strcmp(asked, "host") && network != BUILD_NETWORK_HOST) {
        if (!(run->build->options->allow & BUILD_ALLOW_NETWORK_HOST))
            return refuse("--network=host", "network.host", err);
        network = BUILD_NETWORK_HOST;
    }
    switch (network) {
    case BUILD_NETWORK_DEFAULT:
        step->network = NETWORK_PRIVATE;
        break;
    case BUILD_NETWORK_NONE:
        step->network = NETWORK_NONE;
        break;
    case BUILD_NETWORK_HOST:
        step->network = NETWORK_HOST;
        break;
    }
    return 0;
}

/* Whether it is allowed is asked before the cache is: by the name that stands there. */
static int check_devices(const struct stage_run *run, const struct run_body *body,
                         struct error **err)
{
    const struct build_options *options = run->build->options;
    for (size_t i = 0; i < body->devices.n; i++) {
        AUTO(cdi_request_release) struct cdi_request request = { .name = NULL };
        if (cdi_request_parse(body->devices.items[i], &request, err) < 0)
            return -1;
        if (options->allow & BUILD_ALLOW_DEVICE ||
            (options->allowed_devices && strvec_has(options->allowed_devices, request.name)))
            continue;
        AUTO(free) char *flag = xasprintf("--device=%s", request.name);
        return refuse(flag, "device", err);
    }
    return 0;
}

static int choose_security(const struct stage_run *run, struct run_step *step, struct error **err)
{
    const struct run_body *body = step->body;
    step->insecure = body->security && !strcmp(body->security, "insecure");
    if (step->insecure && !(run->build->options->allow & BUILD_ALLOW_INSECURE))
        return refuse("--security=insecure", "security.insecure", err);
    return body->devices.n ? check_devices(run, body, err) : 0;
}

static void add_inputs(struct stage_run *run, struct run_step *step)
{
    static const char *const networks[] = {
        [NETWORK_PRIVATE] = "default", [NETWORK_NONE] = "none", [NETWORK_HOST] = "host"
    };
    struct inputs *inputs = &step->step.inputs;
    for (size_t i = 0; i < step->argv.n; i++)
        inputs_add(inputs, "argument", "", step->argv.items[i]);
    if (step->body->command.script)
        inputs_add(inputs, "script", "", step->body->command.script);
    for (size_t i = 0; i < run->env.vars.n; i++) {
        const char *var = run->env.vars.items[i];
        AUTO(free) char *name = xstrndup(var, strcspn(var, "="));
        inputs_add(inputs, "env", name, var + strlen(name) + 1);
    }
    inputs_add(inputs, "workdir", "", stage_run_cwd(run));
    inputs_add(inputs, "user", "", run->config.user ? run->config.user : "");
    inputs_add(inputs, "network", "", networks[step->network]);
    for (size_t i = 0; i < step->body->devices.n; i++)
        inputs_add(inputs, "device", "", step->body->devices.items[i]);
    if (step->insecure)
        inputs_add(inputs, "security", "", "insecure");
    const char *hostname = sandbox_hostname(run);
    if (hostname)
        inputs_add(inputs, "host name", "", hostname);
}

int run_step_choose(struct stage_run *run, struct run_step *step, struct error **err)
{
    return choose_security(run, step, err) < 0 ? -1 : choose_network(run, step, err);
}

void run_step_set_env(struct stage_run *run, struct run_step *step)
{
    const struct build_options *options = run->build->options;
    env_copy(&step->env, &run->env);
    add_proxies(&step->env, options->proxy_args, options->build_args);
    add_proxies(&step->env, options->build_args, NULL);
}

int step_run_execute(struct stage_run *run, const struct instruction *instruction,
                     struct error **err)
{
    AUTO(run_step_release) struct run_step step = { .body = &instruction->run };
    step.step.instruction = instruction;
    step.step.make = make;
    step.step.take = take;
    step.step.data = run;
    if (run_step_choose(run, &step, err) < 0)
        return -1;
    set_argv(run, &step);
    step.step.history = history_text(run, &step);
    layer_step_begin(run, &step.step);
    if (step_mounts_resolve(run, step.body, &step.step, &step.mounts, err) < 0)
        return layer_step_fail(run, &step.step, err);
    add_inputs(run, &step);
    run_step_set_env(run, &step);
    return layer_step_execute(run, &step.step, err);
}
