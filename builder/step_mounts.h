/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RUN --mount. Two phases, as a step has them:
 *
 *   1. step_mounts_resolve(): expansion, sources, what the cache key needs (contents of bind mounts
 *      from a context; never a secret's value, never what a cache mount holds).
 *   2. step_mounts_prepare(), only when the step really runs: trees, cache directories and their
 *      locks, secrets.
 *
 * DOCKERFILE.md section 7
 */
#ifndef CBUILD_BUILDER_STEP_MOUNTS_H
#define CBUILD_BUILDER_STEP_MOUNTS_H

#include "base/lockfile.h"
#include "builder/executor.h"
#include "runner/sandbox.h"

struct step_mount;

struct step_mounts {
    struct step_mount *mounts;
    size_t n_mounts;
    /* for the sandbox, after prepare */
    struct mount_spec *specs;
    size_t n_specs, specs_capacity;
    struct env env; /* secrets with env=, SSH_AUTH_SOCK */
};

void step_mounts_release(struct step_mounts *mounts);
DEFINE_AUTO_STRUCT(struct step_mounts, step_mounts_release)

int step_mounts_resolve(struct stage_run *run, const struct run_body *body, struct layer_step *step,
                        struct step_mounts *ret, struct error **err) WARN_UNUSED;
int step_mounts_prepare(struct stage_run *run, struct step_mounts *mounts,
                        struct error **err) WARN_UNUSED;

#endif
