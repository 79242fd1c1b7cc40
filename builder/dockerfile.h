/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Dockerfile, parsed and typed. No disk, no network: the text comes from the
 * caller, and an error here costs nothing.
 *
 * Invariants of a struct dockerfile that dockerfile_parse() returned:
 *   1. There is at least one stage; each begins with a FROM.
 *   2. Before the first FROM stand only ARGs (the globals).
 *   3. Ranges ascend and don't overlap.
 *
 * Immutable after parsing.
 */
#ifndef CBUILD_BUILDER_DOCKERFILE_H
#define CBUILD_BUILDER_DOCKERFILE_H

#include "builder/check_options.h"
#include "builder/instruction.h"
#include "builder/source_text.h"

/* What the parser noticed and didn't refuse. */
struct dockerfile_warning {
    const char *rule; /* static: "NoEmptyContinuation", "JSONArgsInvalid", ... */
    struct source_range range;
    char *text;
};

struct dockerfile_stage {
    size_t from; /* index of its FROM */
    size_t end;  /* index after its last instruction */
};

struct dockerfile {
    struct source_text *source;
    char escape;
    char *syntax; /* value of "# syntax=", NULL: none; known to be built in */
    size_t syntax_line;
    struct check_options check;

    struct instruction *instructions; /* everything in order, globals first */
    size_t n_instructions, instructions_capacity;
    struct dockerfile_stage *stages;
    size_t n_stages, stages_capacity; /* stages[0].from == number of globals */
    struct dockerfile_warning *warnings;
    size_t n_warnings, warnings_capacity;
};

/*
 * `name` is for errors. `syntax` (may be NULL) takes the place of a "# syntax=" line; the caller
 * has seen that it is built in. ERR_SYNTAX, ERR_LIMIT and (another frontend than docker/dockerfile)
 * ERR_UNSUPPORTED, all with NAME:LINE, excerpt, and a hint where a word has a near neighbour.
 */
int dockerfile_parse_as(const char *name, const char *data, size_t size, const char *syntax,
                        struct dockerfile **ret, struct error **err) WARN_UNUSED;
/* The same with the syntax that the text asks for. */
int dockerfile_parse(const char *name, const char *data, size_t size, struct dockerfile **ret,
                     struct error **err) WARN_UNUSED;
void dockerfile_free(struct dockerfile *dockerfile);
DEFINE_AUTO(struct dockerfile, dockerfile_free)

/* Puts place and excerpt of this instruction into an error that is set; yields -1. */
#define dockerfile_locate(dockerfile, instruction, culprit, err)                                   \
    source_text_locate((dockerfile)->source, (instruction)->range, (culprit), (err))

/* Whether a frontend name is one that cbuild has built in: docker/dockerfile, any version. */
bool dockerfile_syntax_is_builtin(const char *syntax);

#endif
