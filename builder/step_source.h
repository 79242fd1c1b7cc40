/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a step takes files from besides the tree it stands on: COPY --from, RUN --mount from=.
 *
 * A stage or an image counts by the contents of the files that are taken, not by how it came to be.
 * What a choice of files of a known tree was seen to contain is kept, so that a rebuild with
 * nothing changed looks into no tree; what is new is read once per file (layers/content_digests.h).
 */
#ifndef CBUILD_BUILDER_STEP_SOURCE_H
#define CBUILD_BUILDER_STEP_SOURCE_H

#include "builder/copy.h"
#include "builder/executor.h"

struct step_source {
    struct context *context; /* borrowed; or */
    struct tree *tree;       /* owned */
    bool is_scratch;         /* the tree is the empty one */
    bool ran;                /* this build made some of it, or would: nothing is known of it yet */
};

void step_source_release(struct step_source *source);
DEFINE_AUTO_STRUCT(struct step_source, step_source_release)

/*
 * from: NULL for the build context. is_mount: of a RUN --mount, for messages. Waits for a stage,
 * pulls an image.
 */
int step_source_find(struct stage_run *run, const char *from, bool is_mount, unsigned vertex,
                     struct step_source *ret, struct error **err) WARN_UNUSED;

struct step_image {
    const char *image; /* its name */
    const char *from;  /* as it is written, for messages, with: */
    bool is_mount;
    const struct platform *platform;
};

/* The image that a step of the run's stage takes files of. Any thread. */
struct base_image *step_source_image(const struct stage_run *run, const struct step_image *from,
                                     unsigned vertex, struct error **err);
/*
 * Adds what `copy` takes of it: of a context item by item, of a tree as one digest (of `name`: ""
 * or a mount's target). In a forecast what isn't known is left so, and the step marked.
 */
int step_source_add_inputs(struct stage_run *run, struct layer_step *step,
                           const struct step_source *source, struct copy *copy, const char *name,
                           struct error **err) WARN_UNUSED;
/* At the end of a build: keeps what was learnt of contents. */
void step_source_keep(struct build *build);
void step_source_forget(struct build *build);

#endif
