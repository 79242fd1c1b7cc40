/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds before the first FROM: platform arguments, global ARGs, values
 * from the command line. DOCKERFILE.md section 5, ARG. Immutable when stages run.
 */
#ifndef CBUILD_BUILDER_GLOBALS_H
#define CBUILD_BUILDER_GLOBALS_H

#include "base/env.h"
#include "builder/dockerfile.h"
#include "oci/platform.h"

struct globals {
    struct platform build_platform;  /* this machine */
    struct platform target_platform; /* --platform, else this machine */
    struct env build_args;           /* --build-arg */
    struct env values;               /* global ARGs with a value, and platform arguments */
    struct hashmap declared;         /* the names of global ARGs */
};

/*
 * `platform` NULL: the host's. `target`: --target's text or NULL: the last stage. Errors name the
 * ARG's line.
 */
struct globals *globals_new(const struct dockerfile *dockerfile, const struct strvec *build_args,
                            const struct platform *platform, const char *target,
                            struct error **err);
void globals_free(struct globals *globals);
DEFINE_AUTO(struct globals, globals_free)

/* An argument's value, wherever it was given, becomes `value`; NULL: as if it weren't given. Before
 * stages run. */
void globals_replace(struct globals *globals, const char *name, const char *value);

/* Value from --build-arg; NULL when not given. */
const char *globals_build_arg(const struct globals *globals, const char *name);
/* Value of a global ARG or platform argument; NULL when there is none. */
const char *globals_value(const struct globals *globals, const char *name);
/* Whether the Dockerfile has a global ARG of this name, with or without a value. */
bool globals_is_declared(const struct globals *globals, const char *name);
/* Names that need no ARG: HTTP_PROXY and its kin, either case. */
bool globals_is_proxy(const char *name);

#endif
