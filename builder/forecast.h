/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a build would do: which stages it would go through, which steps are in the cache, which
 * would run and why, which images would be pulled. Nothing is run, pulled or written; where a base
 * image isn't in the store, what stands on it can't be known. A context that isn't on this machine
 * is fetched.
 */
#ifndef CBUILD_BUILDER_FORECAST_H
#define CBUILD_BUILDER_FORECAST_H

#include "builder/build.h"
#include "builder/source_text.h"

struct forecast_step {
    size_t stage;
    char *text; /* the instruction's first line */
    bool cached;
    struct strvec reasons; /* why it would run */
    struct source_range range;
    char *architecture; /* whose programs it needs to run, and they can't; NULL: none */
};

/* With several platforms each has its own, and there is one for what several have in common. */
struct forecast_stage {
    char *label;
    char *from;      /* as in the Dockerfile */
    char *platforms; /* "linux/amd64", "linux/amd64, linux/arm64"; NULL: one platform is built */
    bool goes_on;    /* from where that begins which several have in common, listed before */
    bool skipped;    /* the target doesn't need it */
};

/* An image that a FROM, COPY --from or mount names. */
struct forecast_image {
    char *name;
    bool is_here;
    bool size_is_known; /* its manifest is in the store */
    uint64_t size;      /* bytes to pull, then */
};

struct forecast {
    struct forecast_stage *stages; /* in the order of the Dockerfile */
    size_t n_stages, stages_capacity;
    struct forecast_step *steps; /* by stage, in order */
    size_t n_steps, steps_capacity;
    struct forecast_image *images; /* by name */
    size_t n_images, images_capacity;
};

void forecast_release(struct forecast *forecast);
DEFINE_AUTO_STRUCT(struct forecast, forecast_release)

/* Errors are those that the build would give without running anything. */
int build_foresee(struct store *store, struct registry_session *session,
                  const struct build_options *options, struct forecast *ret,
                  struct error **err) WARN_UNUSED;

#endif
