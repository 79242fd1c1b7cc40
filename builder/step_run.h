/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of RUN: what its step is made of, for step_run.c and step_shell.c. */
#ifndef CBUILD_BUILDER_STEP_RUN_H
#define CBUILD_BUILDER_STEP_RUN_H

#include "builder/cdi.h"
#include "builder/executor.h"
#include "builder/run_tree.h"
#include "builder/step_mounts.h"
#include "runner/sandbox.h"

struct run_step {
    struct layer_step step;
    const struct run_body *body;
    struct strvec argv;
    struct env env; /* with proxies, which no key holds */
    enum network_mode network;
    bool insecure;
    struct cdi_edits devices;
    struct step_mounts mounts;
    struct error *no_emulator; /* why programs of the platform may not run; or NULL */
};

void run_step_release(struct run_step *step);
DEFINE_AUTO_STRUCT(struct run_step, run_step_release)

/* What its flags ask for and the build allows; step->body is set. */
int run_step_choose(struct stage_run *run, struct run_step *step, struct error **err) WARN_UNUSED;
/* The environment, when the mounts' part in the key is known. */
void run_step_set_env(struct stage_run *run, struct run_step *step);
/* Mounts, devices: what is needed only when it really runs. */
int run_step_prepare(struct stage_run *run, struct run_step *step, struct error **err) WARN_UNUSED;

/* One command in the step's sandbox. */
struct run_call {
    const struct strvec *argv;
    const struct run_tree *tree;
    const char *scratch; /* as sandbox_spec has it, instead of the tree's; or NULL */
    const struct terminal *terminal;
    /* Carries it out. */
    int (*use)(struct stage_run *run, struct run_step *step, const struct sandbox_spec *spec,
               void *data, struct error **err);
    void *data;
};
int run_step_call(struct stage_run *run, struct run_step *step, const struct run_call *call,
                  struct error **err) WARN_UNUSED;

#endif
