/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Dockerfile read as a build would read it, and not built: for `build --check`, `--call`.
 * A directory as context needs no store.
 */
#ifndef CBUILD_BUILDER_CHECK_H
#define CBUILD_BUILDER_CHECK_H

#include "builder/build.h"
#include "builder/lint.h"

struct build_check {
    struct dockerfile *dockerfile;
    struct globals *globals;
    struct stage_graph *graph;
    struct lint_findings findings; /* of all stages, or those that options->target needs */
};

void build_check_release(struct build_check *check);
DEFINE_AUTO_STRUCT(struct build_check, build_check_release)

/* Whether context or Dockerfile have to be fetched or unpacked, which needs the store. */
bool build_check_needs_store(const struct build_options *options);

/*
 * `store` and `session` may be NULL where that isn't so; what the store knows of base images
 * counts. Errors are those that the build would give before it asks for anything.
 */
int build_check_run(struct store *store, struct registry_session *session,
                    const struct build_options *options, struct build_check *ret,
                    struct error **err) WARN_UNUSED;

#endif
