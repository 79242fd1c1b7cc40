/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build_command.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/mem.h"
#include "oci/platform.h"

#include <stdio.h>
#include <string.h>

void build_command_release(struct build_command *command)
{
    strvec_release(&command->operands);
    strvec_release(&command->tags);
    strvec_release(&command->build_args);
    strvec_release(&command->labels);
    strvec_release(&command->contexts);
    strvec_release(&command->add_hosts);
    strvec_release(&command->secrets);
    strvec_release(&command->ssh);
    for (size_t i = 0; i < command->n_parsed_secrets; i++) {
        free(command->parsed_secrets[i].id);
        free(command->parsed_secrets[i].source);
    }
    free(command->parsed_secrets);
    strvec_release(&command->resolved_args);
    strvec_release(&command->proxies);
    for (size_t i = 0; i < command->n_references; i++)
        reference_release(&command->references[i]);
    free(command->references);
    platform_release(&command->platform_value);
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

/* Without a value it comes from the environment; unset there, it isn't passed. */
static void resolve_args(struct build_command *command)
{
    for (size_t i = 0; i < command->build_args.n; i++) {
        const char *arg = command->build_args.items[i];
        if (strchr(arg, '='))
            strvec_push(&command->resolved_args, arg);
        else if (getenv(arg))
            strvec_pushf(&command->resolved_args, "%s=%s", arg, getenv(arg));
    }
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

static int parse_epoch(struct build_command *command, struct error **err)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    for (size_t i = 0; i < command->resolved_args.n; i++)
        if (!strncmp(command->resolved_args.items[i], "SOURCE_DATE_EPOCH=", 18))
            epoch = command->resolved_args.items[i] + 18;
    if (!epoch || !*epoch)
        return 0;
    if (clock_parse_epoch(epoch, &command->options.epoch, err) < 0) {
        error_recode(err, ERR_USAGE);
        return error_wrap(err, "SOURCE_DATE_EPOCH");
    }
    command->options.has_epoch = true;
    return 0;
}

/*
 * "id=ID[,src=FILE|env=NAME][,type=file|env]". Without a type: an environment variable named like
 * the id wins over a file of that name; src with type=env is a variable.
 */
static int parse_secret(struct build_command *command, const char *text, struct error **err)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *source = NULL;
    AUTO(free) char *env = NULL;
    AUTO(free) char *type = NULL;
    static const char *const keys[] = { "id", "src", "source", "env", "type" };
    char **const values[] = { &id, &source, &source, &env, &type };
    for (const char *p = text; *p;) {
        size_t size = strcspn(p, ",");
        size_t key_size = strcspn(p, "=");
        size_t i = 0;
        while (i < ARRAY_SIZE(keys) &&
               (strlen(keys[i]) != key_size || strncmp(keys[i], p, key_size) != 0))
            i++;
        if (key_size >= size || i == ARRAY_SIZE(keys))
            return error_set(err, ERR_USAGE, "--secret %s: expected id=ID and src=FILE or env=NAME",
                             text);
        free(*values[i]);
        *values[i] = xstrndup(p + key_size + 1, size - key_size - 1);
        p += size + (p[size] == ',');
    }
    if (!id || (type && strcmp(type, "file") != 0 && strcmp(type, "env") != 0))
        return error_set(err, ERR_USAGE, "--secret %s: %s", text,
                         id ? "type is file or env" : "no id");
    struct build_secret *secret = ARRAY_PUSH(command, parsed_secrets);
    bool type_is_env = type && !strcmp(type, "env");
    secret->is_env = env || type_is_env || (!type && !source && getenv(id));
    secret->source = env ? TAKE(env) : source ? TAKE(source) : xstrdup(id);
    secret->id = TAKE(id);
    return 0;
}

static int parse_secrets(struct build_command *command, struct error **err)
{
    for (size_t i = 0; i < command->secrets.n; i++)
        if (parse_secret(command, command->secrets.items[i], err) < 0)
            return -1;
    command->options.secrets = command->parsed_secrets;
    command->options.n_secrets = command->n_parsed_secrets;
    command->options.ssh = &command->ssh;
    return 0;
}

static int parse_values(struct build_command *command, struct error **err)
{
    struct build_options *options = &command->options;
    if (parse_tags(command, err) < 0 || parse_network(command, err) < 0 ||
        parse_secrets(command, err) < 0)
        return -1;
    resolve_args(command);
    if (parse_epoch(command, err) < 0)
        return -1;
    if (command->compression &&
        compression_parse(command->compression, &options->compression, err) < 0) {
        error_recode(err, ERR_USAGE);
        return error_wrap(err, "--compression");
    }
    if (command->platform) {
        if (strchr(command->platform, ','))
            return error_set(err, ERR_USAGE,
                             "--platform=%s: one platform at a time is supported so far",
                             command->platform);
        if (platform_parse(command->platform, &command->platform_value, err) < 0) {
            error_recode(err, ERR_USAGE);
            return error_wrap(err, "--platform");
        }
        options->platform = &command->platform_value;
    }
    if (command->push && !command->n_references)
        return error_set(err, ERR_USAGE, "--push needs a name: give -t");
    for (size_t i = 0; i < command->add_hosts.n; i++)
        if (!strpbrk(command->add_hosts.items[i], ":="))
            return error_set(err, ERR_USAGE, "--add-host %s: expected NAME:ADDRESS",
                             command->add_hosts.items[i]);
    for (size_t i = 0; i < command->contexts.n; i++)
        if (!strchr(command->contexts.items[i], '='))
            return error_set(err, ERR_USAGE, "--build-context %s: expected NAME=PLACE",
                             command->contexts.items[i]);
    return 0;
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
    options->no_cache = command->no_cache;
    options->explain = command->explain;
    options->pull = command->pull;
    options->push = command->push;
}

int build_command_parse(struct app *app, const struct command_help *help, char *const *argv,
                        struct build_command *command, struct error **err)
{
    const struct option options[] = {
        OPT_LIST('t', "tag", "NAME", &command->tags,
                 "name of the image, more than one may be given"),
        OPT_STRING('f', "file", "FILE", &command->file, "Dockerfile to read; - is standard input"),
        OPT_LIST(0, "build-arg", "KEY[=VALUE]", &command->build_args,
                 "value of an ARG, by default the environment's"),
        OPT_LIST(0, "label", "KEY=VALUE", &command->labels, "label of the image"),
        OPT_STRING(0, "target", "STAGE", &command->target, "build up to this stage"),
        OPT_STRING(0, "platform", "OS/ARCH", &command->platform,
                   "platform of the image, by default this machine's"),
        OPT_LIST(0, "build-context", "NAME=PLACE", &command->contexts,
                 "what NAME is in FROM and --from: a directory, git or tarball URL, "
                 "docker-image://, oci-layout://"),
        OPT_STRING(0, "network", "MODE", &command->network, "network of RUN: default, none, host"),
        OPT_LIST(0, "add-host", "NAME:ADDRESS", &command->add_hosts, "name for /etc/hosts of RUN"),
        OPT_LIST(0, "secret", "id=ID,src=FILE", &command->secrets,
                 "secret for RUN --mount=type=secret; env=NAME reads a variable"),
        OPT_LIST(0, "ssh", "ID[=SOCKET]", &command->ssh,
                 "agent for RUN --mount=type=ssh, by default $SSH_AUTH_SOCK's"),
        OPT_FLAG(0, "explain", &command->explain,
                 "tell of each step why it was or wasn't found in the cache"),
        OPT_FLAG(0, "no-cache", &command->no_cache, "run every step again"),
        OPT_FLAG(0, "pull", &command->pull, "ask the registries for newer base images"),
        OPT_FLAG(0, "push", &command->push, "push the image when it is built"),
        OPT_STRING(
            0, "compression", "CODEC", &command->compression,
            "of layers: gzip[:1-12], zstd[:1-19] (not read by docker before 23), uncompressed"),
        OPT_FLAG('q', "quiet", &command->quiet, "print the image's digest only"),
        OPT_STRING(0, "progress", "STYLE", &command->progress, "plain (the default) or quiet"),
        OPT_STRING(0, "iidfile", "FILE", &command->iidfile, "write the image's digest there"),
        OPT_STRING(0, "metadata-file", "FILE", &command->metadata_file,
                   "write digests and names there as JSON"),
        OPT_FLAG(0, "check", &command->check,
                 "look for mistakes in the Dockerfile, and build nothing"),
        OPT_STRING(0, "call", "WHAT[,format=json]", &command->call,
                   "check, outline or targets: tell about the Dockerfile, and build nothing"),
        APP_REGISTRY_OPTIONS(app),
        APP_OPTIONS(app),
        /* what scripts for other builders say and is so anyway */
        OPT_FLAG(0, "load", &command->harmless, NULL),
        OPT_FLAG(0, "rm", &command->harmless, NULL),
        OPT_FLAG(0, "force-rm", &command->harmless, NULL),
        OPT_END(),
    };
    int parsed = options_parse(options, help, argv, &command->operands, err);
    if (parsed != 0)
        return parsed;
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
    return 0;
}
