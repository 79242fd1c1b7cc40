/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of build, which plan takes too. */
#ifndef CBUILD_CLI_BUILD_COMMAND_H
#define CBUILD_CLI_BUILD_COMMAND_H

#include "builder/build.h"
#include "cli/app.h"
#include "cli/build_values.h"
#include "cli/limit_values.h"
#include "cli/output_value.h"
#include "cli/peer_options.h"
#include "runner/terminal.h"

struct build_command {
    struct strvec tags, build_args, arg_files, labels, contexts, add_hosts, secrets, ssh,
        annotation_texts, platform_texts, output_texts, allow_texts, cdi_dirs, no_cache_filters;
    struct build_secret *parsed_secrets;
    size_t n_parsed_secrets, parsed_secrets_capacity;
    const char *file, *target, *network, *iidfile, *metadata_file, *progress, *compression,
        *source_date_epoch, *timestamp, *context_mode, *isolation, *on_error, *shell_at;
    const char *call;
    unsigned jobs;
    bool no_cache, pull, push, quiet, check, explain, rewrite_timestamp;
    struct strvec resolved_args, proxies, no_cache_stages, allowed_devices;
    struct build_annotations annotations;
    struct reference *references;
    size_t n_references, references_capacity;
    struct output_value *outputs;
    size_t n_outputs, outputs_capacity;
    struct platform *platforms; /* each once, in the order given */
    size_t n_platforms, platforms_capacity;
    struct limit_texts limit_texts;
    struct sandbox_limits limits;
    struct peer_options peer;
    struct terminal terminal;
    struct strvec operands;
    struct build_options options;
};

#define BUILD_COMMAND_INIT                                                                         \
    {                                                                                              \
        .options = BUILD_OPTIONS_INIT, .peer = PEER_OPTIONS_INIT, .rewrite_timestamp = true        \
    }

void build_command_release(struct build_command *command);
DEFINE_AUTO_STRUCT(struct build_command, build_command_release)

/*
 * Fills command->options; sets the progress of the app. What it points to belongs to the command. 1
 * when help was asked for and printed; ERR_USAGE.
 */
int build_command_parse(struct app *app, const struct command_help *help, char *const *argv,
                        struct build_command *command, struct error **err) WARN_UNUSED;

#endif
