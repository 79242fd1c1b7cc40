/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages of a Dockerfile as a graph: what each is built from, what it needs,
 * which ones the target needs. Pure: no disk, no network.
 *
 * A stage's names are compared without case in COPY --from and --target; FROM NAME must
 * match the case (as BuildKit does). The later of two stages of one name counts. A named context
 * of a stage's name replaces the whole stage: its base and its instructions.
 */
#ifndef CBUILD_BUILDER_STAGE_H
#define CBUILD_BUILDER_STAGE_H

#include "builder/dockerfile.h"
#include "builder/globals.h"
#include "builder/stage_names.h"

enum stage_source_kind {
    STAGE_SOURCE_SCRATCH,
    STAGE_SOURCE_STAGE,
    STAGE_SOURCE_CONTEXT, /* a named context: --build-context */
    STAGE_SOURCE_IMAGE,
};

/* What a FROM, COPY --from or --mount=from names. */
struct stage_source {
    enum stage_source_kind kind;
    size_t stage; /* of STAGE_SOURCE_STAGE */
    char *name;   /* image reference or context name, else NULL */
};

void stage_source_release(struct stage_source *source);
DEFINE_AUTO_STRUCT(struct stage_source, stage_source_release)

/* An instruction takes files of an image or a named context. */
struct stage_take {
    const struct instruction *instruction;
    const char *from; /* as it is written */
    struct stage_source source;
};

struct stage {
    size_t index;
    const struct instruction *from;
    const struct instruction *instructions; /* after FROM */
    size_t n_instructions;
    const char *name; /* lower case; NULL: unnamed */
    char *label;      /* name, or "stage-1": for progress */
    struct platform platform;
    bool has_platform; /* --platform was given */
    struct stage_source base;
    size_t *needs; /* stages, each once */
    size_t n_needs, needs_capacity;
    size_t *after; /* of the needs, those of FROM --after */
    size_t n_after, after_capacity;
    struct stage_take *takes; /* of what is no stage */
    size_t n_takes, takes_capacity;
    bool is_needed;                /* by the target */
    size_t n_heirs;                /* stages that are FROM it */
    const struct stage *noted_for; /* the last stage whose needs have it */
    bool is_replaced;              /* a named context of its name stands for all of it */
};

struct stage_graph {
    const struct dockerfile *dockerfile;
    const struct globals *globals;
    const struct strvec *contexts; /* names of --build-context, or NULL */
    struct stage *stages;
    size_t n_stages;
    struct stage_names names;
    size_t target;
};

/*
 * dockerfile, globals, contexts outlive the graph. target NULL: the last stage.
 * ERR_NOT_FOUND: unknown target or stage number (with the nearest name); ERR_SYNTAX: blank base
 * name or platform, files taken from a later stage or the stage itself.
 */
struct stage_graph *stage_graph_new(const struct dockerfile *dockerfile,
                                    const struct globals *globals, const struct strvec *contexts,
                                    const char *target, struct error **err);
void stage_graph_free(struct stage_graph *graph);
DEFINE_AUTO(struct stage_graph, stage_graph_free)

/* Whether some needed stage takes files of the stage, besides those that are FROM it. */
bool stage_graph_is_taken_of(const struct stage_graph *graph, size_t stage);

/* Another target than the one it was made for. */
void stage_graph_aim(struct stage_graph *graph, size_t target);

/*
 * The --build-context that a name stands for, as it was named there: one for the platform
 * ("NAME::OS/ARCH") comes before the plain one. NULL: none. free() it.
 */
char *stage_graph_context(const struct stage_graph *graph, const char *name,
                          const struct platform *platform) WARN_UNUSED;
/*
 * What --from=text means in a stage (`before`: only earlier stages count): a number, a stage, a
 * named context, else an image. Global ARGs in it are expanded. ERR_SYNTAX: a later stage's name.
 */
int stage_graph_resolve(const struct stage_graph *graph, const char *text, size_t before,
                        struct stage_source *ret, struct error **err) WARN_UNUSED;
/*
 * An image that couldn't be had may be a misspelled stage: " (did you mean the stage "build"?)"
 * where one is near, else "". free() it.
 */
char *stage_graph_suggestion(const struct stage_graph *graph, const char *name,
                             size_t before) WARN_UNUSED;

#endif
