/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a build's Dockerfile and context come from: a directory, standard input (a Dockerfile or a
 * tar, told apart by content), a git repository, a URL; -f inside or outside. Internal to builder/.
 */
#ifndef CBUILD_BUILDER_BUILD_INPUT_H
#define CBUILD_BUILDER_BUILD_INPUT_H

#include "builder/executor.h"

struct build_input {
    struct strbuf text; /* the Dockerfile */
    char *name;         /* for messages */
    char *path;         /* on disk; NULL: it came with the context, or on stdin */
};

#define BUILD_INPUT_INIT                                                                           \
    {                                                                                              \
        .text = STRBUF_INIT                                                                        \
    }

void build_input_release(struct build_input *input);
DEFINE_AUTO_STRUCT(struct build_input, build_input_release)

/* Reads the Dockerfile. What isn't a directory is opened as build->context on the way. */
int build_input_read(struct build *build, struct build_input *input,
                     struct error **err) WARN_UNUSED;
/* Opens a directory as build->context, with the ignore rules that belong to this Dockerfile; once
 * it is known that the Dockerfile makes sense. */
int build_input_open_context(struct build *build, const struct build_input *input,
                             struct error **err) WARN_UNUSED;
/* Those rules alone, of a directory; *ret stays NULL where there are none. */
int build_input_read_ignore(struct build *build, const struct build_input *input,
                            struct dockerignore **ret, struct error **err) WARN_UNUSED;

#endif
