/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time of a build: that of --timestamp, else what SOURCE_DATE_EPOCH says as build argument or
 * as a global ARG's default, else now. It may be a number of seconds; "context": the time of the
 * main context; or the name of a named context, or of a stage FROM scratch with just one ADD of
 * something remote. DOCKERFILE.md section 5, ARG.
 *
 * What has a time: a commit; a file behind a URL by its Last-Modified, else an archive by its
 * newest entry. A directory of this machine has none that means anything: the value counts as not
 * given.
 */
#ifndef CBUILD_BUILDER_EPOCH_H
#define CBUILD_BUILDER_EPOCH_H

#include "builder/executor.h"
#include "layers/file_times.h"

/* What the command line alone decides. ERR_USAGE is left to epoch_resolve(). */
void epoch_begin(struct build *build);
/*
 * The rest, when it is planned and before a stage runs: sets build->now and build->created, and
 * puts the number in the build argument's place. May fetch. ERR_USAGE, ERR_SYNTAX: the value is
 * none of these, and the message says who gave it.
 */
int epoch_resolve(struct build *build, struct error **err) WARN_UNUSED;

/* For the files of a layer. */
struct file_times epoch_file_times(const struct build *build);

#endif
