/* SPDX-License-Identifier: Apache-2.0 */
/* build --output: files of an image that was built. */
#ifndef CBUILD_CLI_BUILD_OUTPUTS_H
#define CBUILD_CLI_BUILD_OUTPUTS_H

#include "cli/app.h"
#include "cli/build_command.h"

/* Before the build. ERR_USAGE: what can't be written where it is to go. */
int build_outputs_check(const struct build_command *command, struct error **err) WARN_UNUSED;
int build_outputs_write(struct app *app, const struct build_command *command,
                        const struct descriptor *image, struct error **err) WARN_UNUSED;

#endif
