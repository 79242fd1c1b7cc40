/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a build of a target can be given: build arguments, secrets, ssh agents, with the
 * descriptions that comments above ARG and FROM hold. Pure.
 */
#ifndef CBUILD_BUILDER_OUTLINE_H
#define CBUILD_BUILDER_OUTLINE_H

#include "builder/stage.h"

struct outline_arg {
    const char *name;        /* all borrowed from the graph, but the value */
    const char *description; /* NULL: none; ends at a newline or NUL */
    char *value;             /* given, default, or NULL; variables in it as written in a stage */
    struct source_range range;
};

/* A secret, or an ssh agent. */
struct outline_mount {
    const char *id;
    bool required;
    struct source_range range;
};

/* Each id once, by line. */
struct outline_mounts {
    struct outline_mount *items;
    size_t n_items, items_capacity;
};

struct outline {
    struct outline_arg *args; /* by line */
    size_t n_args, args_capacity;
    struct outline_mounts secrets, ssh;
};

void outline_release(struct outline *outline);
DEFINE_AUTO_STRUCT(struct outline, outline_release)

/* Of the stages that the target needs. Global ARGs count when one of them uses it. */
void outline_of(const struct stage_graph *graph, struct outline *ret);

/* The description as text of its own; NULL: none. free() it. */
char *outline_description(const struct instruction *instruction, const char *name) WARN_UNUSED;

#endif
