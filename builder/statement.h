/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of one logical line: keyword, flags, and the arguments in the form
 * that its instruction takes (one table). What they mean is instruction.h's matter.
 */
#ifndef CBUILD_BUILDER_STATEMENT_H
#define CBUILD_BUILDER_STATEMENT_H

#include "builder/instruction.h"

struct statement {
    enum instruction_kind kind;
    char *keyword;       /* as written */
    struct strvec flags; /* "--name=value", quotes and escapes resolved */
    char *rest;          /* behind the flags, trimmed */
    /*
     * FROM, EXPOSE: words. ADD, COPY, VOLUME: words or JSON. RUN, CMD, ENTRYPOINT, SHELL: JSON, or
     * all as one argument; none when rest is empty. USER, ...: one argument. ARG: words with
     * quotes. ENV, LABEL: key, value, key, value, ... HEALTHCHECK: type, then as CMD.
     */
    struct strvec args;
    bool is_json;
    bool is_broken_json;   /* begins with [ and isn't JSON: words or shell form, then */
    bool is_legacy;        /* ENV, LABEL: `key rest of the line` */
    struct statement *sub; /* ONBUILD */
};

/* ERR_SYNTAX, with a hint where a keyword has a near neighbour. */
int statement_parse(const char *line, char escape, struct statement **ret,
                    struct error **err) WARN_UNUSED;
void statement_free(struct statement *statement);
DEFINE_AUTO(struct statement, statement_free)

/* Whether heredocs in the line are taken as such: RUN, COPY, ADD in another form than JSON. */
bool statement_may_hold_heredocs(const struct statement *statement);

/* The kind that a keyword names in any case; -1: none. */
int instruction_kind_find(const char *keyword);

#endif
