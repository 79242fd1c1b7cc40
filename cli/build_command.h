/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of build, which plan takes too. */
#ifndef CBUILD_CLI_BUILD_COMMAND_H
#define CBUILD_CLI_BUILD_COMMAND_H

#include "builder/build.h"
#include "cli/app.h"

struct build_command {
    struct strvec tags, build_args, labels, contexts, add_hosts, secrets, ssh;
    struct build_secret *parsed_secrets;
    size_t n_parsed_secrets, parsed_secrets_capacity;
    const char *file, *target, *platform, *network, *iidfile, *metadata_file, *progress,
        *compression;
    const char *call;
    bool no_cache, pull, push, quiet, harmless, check, explain;
    struct strvec resolved_args, proxies;
    struct reference *references;
    size_t n_references, references_capacity;
    struct platform platform_value;
    struct strvec operands;
    struct build_options options;
};

void build_command_release(struct build_command *command);
DEFINE_AUTO_STRUCT(struct build_command, build_command_release)

/*
 * Fills command->options; sets the progress of the app. What it points to belongs to the command. 1
 * when help was asked for and printed; ERR_USAGE.
 */
int build_command_parse(struct app *app, const struct command_help *help, char *const *argv,
                        struct build_command *command, struct error **err) WARN_UNUSED;

#endif
