/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --format: the part of Go's templates that scripts use, over a JSON value.
 *
 *     {{.Name}} {{.Config.Labels}} {{json .Config}} {{index .RepoDigests 0}} {{index .Config.Labels
 * "a.b"}}
 *     {{join .Config.Cmd ","}} {{len .RootFS.Layers}} {{upper .X}} {{lower .X}} {{println .X}} {{.X
 * | json}}
 *
 * "\t" and "\n" as two characters become tab and newline. Anything else between braces is ERR_USAGE
 * that shows it. Pure.
 */
#ifndef CBUILD_CLI_TEMPLATE_H
#define CBUILD_CLI_TEMPLATE_H

#include "base/json.h"

/* A missing member is an error that names it: a typo must not print an empty line. */
int template_expand(const char *text, const json_t *value, struct strbuf *out,
                    struct error **err) WARN_UNUSED;

#endif
