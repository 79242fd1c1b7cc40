/* SPDX-License-Identifier: Apache-2.0 */
/* --build-arg: those that are BuildKit's own, and those that nobody declares. */
#ifndef CBUILD_BUILDER_BUILD_ARGS_H
#define CBUILD_BUILDER_BUILD_ARGS_H

#include "builder/executor.h"

/* ERR_USAGE, ERR_UNSUPPORTED: the value of one of BuildKit's own can't be read or obeyed. */
int build_args_check(const struct build *build, struct error **err) WARN_UNUSED;
/* BUILDKIT_SYNTAX, which takes the place of "# syntax="; NULL: not given. After the check. */
const char *build_args_syntax(const struct build *build);
/* Of those that no ARG declares. When the Dockerfile is parsed. */
void build_args_warn(struct build *build);
/* As the command line gave it, also before the Dockerfile is parsed; NULL: not given. */
const char *build_args_given(const struct build *build, const char *name);
/* One of BuildKit's own that is a bool. */
bool build_args_is_on(const struct build *build, const char *name);

#endif
