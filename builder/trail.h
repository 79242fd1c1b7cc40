/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of the latest build of a Dockerfile: where each stood and by which keys, so that the
 * next build can say why a step isn't found any more. One small file per context and Dockerfile
 * beside the contexts' stat records; a hint only: nothing is found or missed by it.
 *
 * docs/FORMAT.md, "Trails"
 */
#ifndef CBUILD_BUILDER_TRAIL_H
#define CBUILD_BUILDER_TRAIL_H

#include "base/hashmap.h"
#include "oci/digest.h"
#include "oci/store.h"

#include <stdbool.h>
#include <stddef.h>

struct trail_step {
    char *platform, *stage; /* "linux/amd64", "build" */
    char *text;             /* the instruction */
    char *base;             /* what the stage is FROM: "busybox:latest", "stage build", "scratch" */
    size_t index;           /* of the step in its stage, from 0 */
    struct digest rest;     /* key of its inputs, see cache.h */
    struct digest first;    /* recipe of what the stage is FROM */
    struct digest below;    /* recipe of what the step stands on */
    /* trail.c's: places + 1 of the next steps of the stage with its text, and with its index */
    size_t next_alike, next_there;
};

struct trail {
    struct trail_step *steps;
    size_t n_steps, steps_capacity;
    struct hashmap alike, there; /* trail.c's: first and last place of each such chain */
};

void trail_release(struct trail *trail);
DEFINE_AUTO_STRUCT(struct trail, trail_release)

/* Copies the texts. */
struct trail_step *trail_add(struct trail *trail, const struct trail_step *step);

/*
 * The step that `like` takes the place of: in the stage of this name the same instruction, the
 * nearest if there are several, else what was at its index, if it is one of the same kind; of the
 * same platform rather than another. NULL: none.
 */
const struct trail_step *trail_find(const struct trail *trail, const struct trail_step *like);

/* What a build had of one stage. */
struct trail_part {
    const char *platform, *stage;
    const struct trail *steps;
    bool keep_rest; /* it didn't come to its end: what lies behind its last index stays */
};
/* Replaces in `trail` what the parts' stages have by their steps. */
void trail_replace(struct trail *trail, const struct trail_part *parts, size_t n);

#define TRAIL_NAME_SIZE (DIGEST_HEX_SIZE + 6)
/* The name of the file, for a context (a path: what it resolves to) and a Dockerfile's name. */
void trail_name(const char *context, const char *dockerfile, char out[TRAIL_NAME_SIZE]);
/* Empty where there is none, or none that can be read. */
void trail_read(struct store *store, const char *name, struct trail *ret);
/* Writes nothing where the same stands there already. */
int trail_write(struct store *store, const char *name, const struct trail *trail,
                struct error **err) WARN_UNUSED;

#endif
