/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --format: Go's text/template with docker's functions, over a JSON value.
 *
 *     {{.Id}} {{json .Config}} {{index .Config.Labels "a.b"}} {{.Tags | join ", "}}
 *     {{range $i, $tag := .RepoTags}}{{if $i}}, {{end}}{{$tag}}{{else}}none{{end}}
 *
 * Actions: pipelines, if, else if, range (lists, and objects by sorted keys), with, else, end,
 * break, continue, variables, comments, and {{- -}}. Functions: and or not eq ne lt le gt ge len
 * index slice print printf println json join split lower upper title pad truncate. define,
 * template, block and call are ERR_USAGE, as is all that is no template; the message has the
 * column (and the line, where there are several).
 *
 * Different from Go:
 * - a member that isn't there is an error that names it, for a typo must not print an empty line;
 *   but in the condition of `if` and `with` it is nothing, so that these can ask for it;
 * - a name finds a member whose letters differ in case, where none is spelled alike: JSON has
 *   mediaType where docker's templates have .MediaType;
 * - join takes list and separator in any order, so that it works behind a `|`;
 * - outside of braces "\t" and "\n" as two characters are tab and newline, as in docker's lists.
 *
 * Pure.
 */
#ifndef CBUILD_CLI_TEMPLATE_H
#define CBUILD_CLI_TEMPLATE_H

#include "base/json.h"

struct template;

struct template *template_parse(const char *text, struct error **err) WARN_UNUSED;
void template_free(struct template *template);
DEFINE_AUTO(struct template, template_free)

/* Appends to `out`; a failure may leave a part there. */
int template_run(const struct template *template, const json_t *value, struct strbuf *out,
                 struct error **err) WARN_UNUSED;
/* The same for a table's head, where `value` has titles: functions that change how a value looks
 * leave them as they are. */
int template_run_head(const struct template *template, const json_t *titles, struct strbuf *out,
                      struct error **err) WARN_UNUSED;

/* Parses and runs. */
int template_expand(const char *text, const json_t *value, struct strbuf *out,
                    struct error **err) WARN_UNUSED;

#endif
