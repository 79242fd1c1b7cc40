/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build_command.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/mem.h"
#include "oci/platform.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void build_command_release(struct build_command *command)
{
    strvec_release(&command->operands);
    peer_options_release(&command->peer);
    strvec_release(&command->tags);
    strvec_release(&command->build_args);
    strvec_release(&command->arg_files);
    strvec_release(&command->annotation_texts);
    strvec_release(&command->allow_texts);
    strvec_release(&command->cdi_dirs);
    strvec_release(&command->no_cache_filters);
    strvec_release(&command->no_cache_stages);
    strvec_release(&command->allowed_devices);
    strvec_release(&command->labels);
    strvec_release(&command->contexts);
    strvec_release(&command->add_hosts);
    strvec_release(&command->secrets);
    strvec_release(&command->ssh);
    for (size_t i = 0; i < command->n_parsed_secrets; i++)
        build_secret_release(&command->parsed_secrets[i]);
    free(command->parsed_secrets);
    strvec_release(&command->resolved_args);
    strvec_release(&command->proxies);
    build_annotations_release(&command->annotations);
    for (size_t i = 0; i < command->n_references; i++)
        reference_release(&command->references[i]);
    free(command->references);
    strvec_release(&command->output_texts);
    for (size_t i = 0; i < command->n_outputs; i++)
        output_value_release(&command->outputs[i]);
    free(command->outputs);
    strvec_release(&command->platform_texts);
    for (size_t i = 0; i < command->n_platforms; i++)
        platform_release(&command->platforms[i]);
    free(command->platforms);
    limit_texts_release(&command->limit_texts);
    limits_release(&command->limits);
}

static int parse_tags(struct build_command *command, struct error **err)
{
    for (size_t i = 0; i < command->tags.n; i++) {
        struct reference *reference = ARRAY_PUSH(command, references);
        if (reference_parse(command->tags.items[i], reference, err) < 0) {
            error_recode(err, ERR_USAGE);
            return error_wrap(err, "--tag");
        }
        if (reference->digest.is_set)
            return error_set(err, ERR_USAGE, "--tag %s: a digest can't be chosen",
                             command->tags.items[i]);
        reference_default_tag(reference);
    }
    return 0;
}

/* Files first, so that the command line has the last word. */
static int resolve_args(struct build_command *command, struct error **err)
{
    for (size_t i = 0; i < command->arg_files.n; i++) {
        AUTO(strvec_release) struct strvec args = STRVEC_INIT;
        if (build_arg_file_read(command->arg_files.items[i], &args, err) < 0)
            return -1;
        for (size_t j = 0; j < args.n; j++)
            build_arg_resolve(args.items[j], &command->resolved_args);
    }
    for (size_t i = 0; i < command->build_args.n; i++)
        build_arg_resolve(command->build_args.items[i], &command->resolved_args);
    return 0;
}

static int parse_network(struct build_command *command, struct error **err)
{
    static const char *const names[] = { "default", "none", "host" };
    const char *network = command->network ? command->network : "default";
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(network, names[i])) {
            command->options.network = (enum build_network)i;
            return 0;
        }
    }
    return error_set(err, ERR_USAGE, "--network=%s: default, none and host are what there is",
                     network);
}

/* Names of other builders for what is the default here. Of Docker's, process and hyperv aren't had.
 */
static int parse_isolation(struct build_command *command, struct error **err)
{
    static const struct {
        const char *name;
        enum isolation isolation;
    } names[] = {
        { "default", ISOLATION_NAMESPACES },
        { "oci", ISOLATION_NAMESPACES },
        { "rootless", ISOLATION_NAMESPACES },
        { "chroot", ISOLATION_CHROOT },
    };
    const char *origin = "--isolation", *given = command->isolation;
    if (!given) {
        origin = "BUILDAH_ISOLATION";
        given = getenv(origin);
    }
    if (!given || !*given)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(given, names[i].name)) {
            command->options.isolation = names[i].isolation;
            return 0;
        }
    }
    return error_set(err, ERR_USAGE, "%s=%s: default, oci, rootless and chroot are what there is",
                     origin, given);
}

static bool is_given(const struct strvec *args, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < args->n; i++)
        if (!strncmp(args->items[i], name, size) && args->items[i][size] == '=')
            return true;
    return false;
}

/* As a build argument: --build-arg's, else --source-date-epoch, else the environment's. */
static int parse_epoch(struct build_command *command, struct error **err)
{
    static const char name[] = "SOURCE_DATE_EPOCH";
    struct build_options *options = &command->options;
    const char *from_env = getenv(name);
    options->times = command->rewrite_timestamp ? BUILD_TIMES_CLAMP : BUILD_TIMES_KEEP;
    options->epoch_origin = "--build-arg SOURCE_DATE_EPOCH";
    if (command->timestamp) {
        if (command->source_date_epoch)
            return error_set(err, ERR_USAGE,
                             "--timestamp and --source-date-epoch exclude each other");
        if (clock_parse_epoch(command->timestamp, &options->timestamp, err) < 0) {
            error_recode(err, ERR_USAGE);
            return error_wrap(err, "--timestamp");
        }
        options->times = BUILD_TIMES_SET;
        return 0;
    }
    if (is_given(&command->resolved_args, name))
        return 0;
    const char *value = command->source_date_epoch;
    options->epoch_origin = value ? "--source-date-epoch" : "$SOURCE_DATE_EPOCH";
    if (!value && from_env && *from_env)
        value = from_env;
    if (value)
        strvec_pushf(&command->resolved_args, "%s=%s", name, value);
    return 0;
}

static int parse_secrets(struct build_command *command, struct error **err)
{
    for (size_t i = 0; i < command->secrets.n; i++) {
        struct build_secret *secret = ARRAY_PUSH(command, parsed_secrets);
        if (build_secret_parse(command->secrets.items[i], secret, err) < 0)
            return -1;
        if (!secret->is_env && access(secret->source, R_OK) < 0)
            return error_errno(err, "--secret id=%s: %s", secret->id, secret->source);
    }
    command->options.secrets = command->parsed_secrets;
    command->options.n_secrets = command->n_parsed_secrets;
    command->options.ssh = &command->ssh;
    return 0;
}

static int parse_lists(struct build_command *command, struct error **err)
{
    struct build_options *options = &command->options;
    for (size_t i = 0; i < command->annotation_texts.n; i++)
        if (build_annotation_parse(command->annotation_texts.items[i], &command->annotations, err) <
            0)
            return -1;
    for (size_t i = 0; i < command->allow_texts.n; i++)
        if (build_allow_parse(command->allow_texts.items[i], &options->allow,
                              &command->allowed_devices, err) < 0)
            return -1;
    for (size_t i = 0; i < command->no_cache_filters.n; i++)
        for (const char *p = command->no_cache_filters.items[i]; *p;) {
            size_t size = strcspn(p, ",");
            if (size)
                strvec_pushn(&command->no_cache_stages, p, size);
            p += size + (p[size] == ',');
        }
    for (size_t i = 0; i < command->labels.n; i++)
        if (!*command->labels.items[i] || *command->labels.items[i] == '=')
            return error_set(err, ERR_USAGE, "--label %s: expected KEY=VALUE",
                             command->labels.items[i]);
    return 0;
}

static int parse_context_mode(struct build_command *command, struct error **err)
{
    const char *mode = command->context_mode ? command->context_mode : "disk";
    command->options.git_modes = !strcmp(mode, "git");
    if (!command->options.git_modes && strcmp(mode, "disk") != 0)
        return error_set(err, ERR_USAGE, "--context-mode=%s: disk and git are what there is", mode);
    return 0;
}

static int add_platform(struct build_command *command, const char *text, struct error **err)
{
    AUTO(platform_release) struct platform platform = { 0 };
    if (platform_parse(text, &platform, err) < 0) {
        error_recode(err, ERR_USAGE);
        return error_wrap(err, "--platform");
    }
    if (platform_check_spelling(&platform, err) < 0) {
        error_recode(err, ERR_USAGE);
        return error_wrap(err, "--platform=%s", text);
    }
    for (size_t i = 0; i < command->n_platforms; i++)
        if (platform_equal(&command->platforms[i], &platform))
            return 0;
    *ARRAY_PUSH(command, platforms) = platform;
    platform = (struct platform){ 0 };
    return 0;
}

/* "linux/amd64,linux/arm64", and several of them. */
static int parse_platforms(struct build_command *command, struct error **err)
{
    for (size_t i = 0; i < command->platform_texts.n; i++) {
        for (const char *p = command->platform_texts.items[i], *end;; p = end + 1) {
            end = p + strcspn(p, ",");
            AUTO(free) char *text = xstrndup(p, (size_t)(end - p));
            if (add_platform(command, text, err) < 0)
                return -1;
            if (!*end)
                break;
        }
    }
    command->options.platforms = command->platforms;
    command->options.n_platforms = command->n_platforms;
    return 0;
}

/* Before the tags: it may bring some. A name in the store is left out where a registry is all. */
static int parse_outputs(struct build_command *command, struct error **err)
{
    bool is_elsewhere = false, is_here = false;
    for (size_t i = 0; i < command->output_texts.n; i++) {
        struct output_value *output = ARRAY_PUSH(command, outputs);
        if (output_value_parse(command->output_texts.items[i], output, &command->tags, err) < 0)
            return -1;
        command->push = command->push || output->push;
        is_elsewhere |= output->is_elsewhere;
        is_here |= !output->is_elsewhere;
    }
    command->options.push_only = is_elsewhere && !is_here;
    return 0;
}

static int parse_values(struct build_command *command, struct error **err)
{
    struct build_options *options = &command->options;
    if (parse_outputs(command, err) < 0 || parse_tags(command, err) < 0 ||
        parse_network(command, err) < 0 || parse_isolation(command, err) < 0 ||
        parse_secrets(command, err) < 0 || parse_lists(command, err) < 0 ||
        parse_context_mode(command, err) < 0 || parse_platforms(command, err) < 0 ||
        resolve_args(command, err) < 0 || parse_epoch(command, err) < 0 ||
        limits_parse(&command->limit_texts, &command->limits, err) < 0)
        return -1;
    if (command->compression &&
        compression_parse(command->compression, &options->compression, err) < 0) {
        error_recode(err, ERR_USAGE);
        return error_wrap(err, "--compression");
    }
    if (command->push && !command->n_references)
        return error_set(err, ERR_USAGE, "pushing needs a name: give -t");
    for (size_t i = 0; i < command->add_hosts.n; i++)
        if (build_host_check(command->add_hosts.items[i], err) < 0)
            return -1;
    for (size_t i = 0; i < command->contexts.n; i++)
        if (!strchr(command->contexts.items[i], '='))
            return error_set(err, ERR_USAGE, "--build-context %s: expected NAME=PLACE",
                             command->contexts.items[i]);
    return 0;
}

/* A terminal that isn't there counts where it is needed: for --on-error when a step has failed. */
static int find_terminal(struct build_command *command, struct error **err)
{
    AUTO(error_free) struct error *none = NULL;
    if (terminal_init(&command->terminal, STDIN_FILENO, STDERR_FILENO, &none) == 0) {
        command->options.terminal = &command->terminal;
        return 0;
    }
    if (!command->shell_at)
        return 0;
    error_move(err, TAKE(none));
    error_recode(err, ERR_USAGE);
    return error_wrap(err, "--shell-at");
}

static int parse_shell(struct app *app, struct build_command *command, struct error **err)
{
    struct build_options *options = &command->options;
    if (command->on_error && strcmp(command->on_error, "shell") != 0)
        return error_set(err, ERR_USAGE, "--on-error=%s: shell is what there is",
                         command->on_error);
    options->shell_on_error = command->on_error != NULL;
    options->shell_at = command->shell_at;
    if (!command->on_error && !command->shell_at)
        return 0;
    if (app->progress && !app->progress->hold)
        return error_set(err, ERR_USAGE, "--progress=rawjson leaves no terminal to a shell");
    if (command->shell_at && (command->push || command->iidfile || command->metadata_file))
        return error_set(err, ERR_USAGE,
                         "--shell-at makes no image: nothing for --push, --iidfile and "
                         "--metadata-file");
    return find_terminal(command, err);
}

static void fill_options(struct build_command *command, const char *context)
{
    struct build_options *options = &command->options;
    options->context = context;
    options->dockerfile = command->file;
    options->stdin_fd = STDIN_FILENO;
    options->tags = command->references;
    options->n_tags = command->n_references;
    options->build_args = &command->resolved_args;
    options->proxy_args = &command->proxies;
    options->labels = &command->labels;
    options->named_contexts = command->contexts.n ? &command->contexts : NULL;
    options->add_hosts = &command->add_hosts;
    options->target = command->target;
    options->jobs = command->jobs;
    options->no_cache = command->no_cache;
    options->no_cache_stages = &command->no_cache_stages;
    options->annotations = command->annotations.items;
    options->n_annotations = command->annotations.n_items;
    options->allowed_devices = &command->allowed_devices;
    options->cdi_dirs = &command->cdi_dirs;
    options->explain = command->explain;
    options->pull = command->pull;
    options->push = command->push;
    options->limits = &command->limits;
}

static int take_values(struct app *app, const struct command_help *help,
                       struct build_command *command, struct error **err)
{
    if (peer_options_check(&command->peer, err) < 0)
        return -1;
    if (command->operands.n == 0) {
        error_set_(err, ERR_USAGE, "no build context");
        error_hint(err, "the current directory is \".\": cbuild %s.",
                   command->tags.n ? "-t NAME " : "");
        return -1;
    }
    if (options_check_operands(help, &command->operands, 1, 1, err) < 0 ||
        parse_values(command, err) < 0 ||
        app_set_progress(app, command->quiet ? "quiet" : command->progress, err) < 0)
        return -1;
    fill_options(command, command->operands.items[0]);
    return parse_shell(app, command, err);
}

#define SHELL_OPTIONS(command)                                                                     \
    OPT_STRING(0, "on-error", "shell", &(command)->on_error,                                       \
               "shell: open one where a RUN fails, in its tree and environment"),                  \
        OPT_STRING(                                                                                \
            0, "shell-at", "STAGE|LINE", &(command)->shell_at,                                     \
            "build up to the end of a stage or to a line, open a shell there, make no image")

#define RIGHTS_OPTIONS(command)                                                                    \
    OPT_FLAG(0, "record-owners", &(command)->options.record_owners,                                \
             "note owners and devices of RUN that can't be made without root"),                    \
        OPT_LIST(0, "allow", "WHAT", &(command)->allow_texts,                                      \
                 "let RUN ask for network.host, security.insecure, device[=NAME]; with "           \
                 "buildx.local.delete -o mode=delete may write anywhere"),                         \
        OPT_LIST(0, "cdi-config-dir", "DIR", &(command)->cdi_dirs,                                 \
                 "device specs for RUN --device, instead of /etc/cdi and /var/run/cdi")

/* Where the result goes, and in which form. */
#define RESULT_OPTIONS(command)                                                                    \
    OPT_FLAG(0, "push", &(command)->push, "push the image, layers while later steps run"),         \
        OPT_LIST('o', "output", "DIR|type=TYPE,...", &(command)->output_texts,                     \
                 "local or tar: its files, of several platforms in folders of their own; oci or "  \
                 "docker: an archive; dest=PATH; registry: push it, and name it nowhere else; "    \
                 "image[,push=true]: the store too"),                                              \
        OPT_STRING(0, "compression", "CODEC", &(command)->compression,                             \
                   "of layers: gzip[:1-12], zstd[:1-19] (not for docker before 23, umoci 0.4), "   \
                   "uncompressed")

int build_command_parse(struct app *app, const struct command_help *help, char *const *argv,
                        struct build_command *command, struct error **err)
{
    const struct option options[] = {
        OPT_LIST('t', "tag", "NAME", &command->tags,
                 "name of the image, more than one may be given"),
        OPT_STRING('f', "file", "FILE", &command->file,
                   "Dockerfile to read: a path, a URL, - for standard input"),
        OPT_LIST(0, "build-arg", "KEY[=VALUE]", &command->build_args,
                 "value of an ARG, by default the environment's"),
        OPT_LIST(0, "build-arg-file", "FILE", &command->arg_files,
                 "file with a KEY=VALUE on each line; --build-arg wins"),
        OPT_LIST(0, "label", "KEY=VALUE", &command->labels, "label of the image"),
        OPT_LIST(0, "annotation", "[TYPE:]KEY=VALUE", &command->annotation_texts,
                 "annotation of the manifest, or of TYPE[PLATFORM]: index, manifest-descriptor, "
                 "index-descriptor"),
        OPT_STRING(0, "target", "STAGE", &command->target, "build up to this stage"),
        OPT_LIST(0, "platform", "OS/ARCH,...", &command->platform_texts,
                 "platform of the image, by default this machine's; several make an index of "
                 "images"),
        OPT_LIST(0, "build-context", "NAME=PLACE", &command->contexts,
                 "what NAME is in FROM and --from: a directory, git or tarball URL, "
                 "docker-image://, oci-layout://"),
        OPT_STRING(0, "network", "MODE", &command->network, "network of RUN: default, none, host"),
        OPT_STRING(0, "isolation", "KIND", &command->isolation,
                   "of RUN: default (also oci, rootless), or chroot, which isolates less: for "
                   "containers that forbid namespaces"),
        OPT_LIST(0, "add-host", "NAME:ADDRESS", &command->add_hosts,
                 "name for /etc/hosts of RUN; ADDRESS may be host-gateway: this machine"),
        LIMIT_OPTIONS(&command->limit_texts),
        OPT_LIST(0, "secret", "id=ID,src=FILE", &command->secrets,
                 "secret for RUN --mount=type=secret; env=NAME reads a variable"),
        OPT_LIST(0, "ssh", "ID[=SOCKET|KEY,...]", &command->ssh,
                 "agent for RUN --mount=type=ssh, by default $SSH_AUTH_SOCK's, or files of keys"),
        OPT_FLAG(0, "explain", &command->explain,
                 "tell of each step why it was or wasn't found in the cache"),
        OPT_FLAG(0, "no-cache", &command->no_cache, "run every step again"),
        OPT_LIST(0, "no-cache-filter", "STAGE,...", &command->no_cache_filters,
                 "run the steps of these stages again"),
        OPT_UNSIGNED(0, "jobs", "N", &command->jobs,
                     "run at most N RUN steps at a time; 1: stage after stage"),
        SHELL_OPTIONS(command),
        RIGHTS_OPTIONS(command),
        OPT_STRING(0, "context-mode", "MODE", &command->context_mode,
                   "git: files of contexts are 0644 or 0755, whatever the umask was"),
        OPT_STRING(0, "source-date-epoch", "TIME", &command->source_date_epoch,
                   "time of the image, by default $SOURCE_DATE_EPOCH: seconds, \"context\", or a "
                   "stage or named context that has one"),
        OPT_STRING(0, "timestamp", "SECONDS", &command->timestamp,
                   "time of the image and of every file that is added"),
        OPT_FLAG(0, "rewrite-timestamp", &command->rewrite_timestamp,
                 "--rewrite-timestamp=false: let files be younger than SOURCE_DATE_EPOCH"),
        OPT_FLAG(0, "pull", &command->pull, "ask the registries for newer base images"),
        RESULT_OPTIONS(command),
        OPT_FLAG('q', "quiet", &command->quiet, "print the image's digest only"),
        OPT_STRING(0, "progress", "STYLE", &command->progress,
                   "auto, plain, tty, rawjson, quiet or none"),
        OPT_STRING(0, "iidfile", "FILE", &command->iidfile, "write the image's digest there"),
        OPT_STRING(0, "metadata-file", "FILE", &command->metadata_file,
                   "write digests and names there as JSON"),
        OPT_FLAG(0, "check", &command->check,
                 "look for mistakes in the Dockerfile, and build nothing (status 6: some found)"),
        OPT_STRING(0, "call", "WHAT[,format=json]", &command->call,
                   "check, outline or targets: tell about the Dockerfile, and build nothing"),
        APP_REGISTRY_OPTIONS(app),
        APP_OPTIONS(app),
        PEER_OPTIONS(&command->peer),
        OPT_END(),
    };
    int parsed = options_parse(options, help, argv, &command->operands, err);
    return parsed != 0 ? parsed : take_values(app, help, command, err);
}
