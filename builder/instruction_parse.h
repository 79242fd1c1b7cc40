/* SPDX-License-Identifier: Apache-2.0 */
/* From a statement to the typed instruction: between statement.h and dockerfile.h. Pure. */
#ifndef CBUILD_BUILDER_INSTRUCTION_PARSE_H
#define CBUILD_BUILDER_INSTRUCTION_PARSE_H

#include "builder/instruction.h"
#include "builder/lines.h"
#include "builder/statement.h"

/* Takes what the parser notices and doesn't refuse; text is copied. */
struct warning_sink {
    void (*add)(void *context, const char *rule, struct source_range range, const char *text);
    void *context;
};

/*
 * Types one logical line of `lines`, whose heredoc bodies are read and its range extended. Fills
 * *ret (zeroed by the caller), which is released on failure. Errors carry no place yet.
 */
int instruction_parse(struct lines *lines, struct logical_line *line,
                      const struct warning_sink *warnings, struct instruction *ret,
                      struct error **err) WARN_UNUSED;

/* The bodies, one file each. */
int instruction_parse_copy(struct statement *statement, const struct heredoc_list *heredocs,
                           struct copy_body *ret, struct error **err) WARN_UNUSED;
int instruction_parse_run(struct statement *statement, const struct heredoc_list *heredocs,
                          struct run_body *ret, struct error **err) WARN_UNUSED;

/* CMD, ENTRYPOINT, HEALTHCHECK CMD, RUN: args from index `first` on. */
void command_take(struct statement *statement, size_t first, struct command *ret);

#endif
