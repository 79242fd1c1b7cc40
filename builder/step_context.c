/* SPDX-License-Identifier: Apache-2.0 */
/* FROM of a named context that is a directory: its files become the base's only layer. */
#include "base/mem.h"
#include "builder/copy.h"
#include "builder/epoch.h"
#include "builder/executor.h"

struct context_step {
    struct layer_step step;
    struct copy *copy;
};

static void context_step_release(struct context_step *step)
{
    copy_free(step->copy);
    layer_step_release(&step->step);
}
DEFINE_AUTO_STRUCT(struct context_step, context_step_release)

static int make(struct stage_run *run, struct layer_step *layer_step, struct layer **ret,
                struct error **err)
{
    struct context_step *step = CONTAINER_OF(layer_step, struct context_step, step);
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    if (copy_changeset(step->copy, run->tree, &changeset, err) < 0)
        return -1;
    struct layer_options options;
    if (layer_step_options(run, layer_step, &options, err) < 0)
        return -1;
    *ret = copy_make_layer(run->build->store, &options, &changeset);
    return 0;
}

int step_context_execute(struct stage_run *run, const struct instruction *from,
                         struct context *context, unsigned vertex, struct error **err)
{
    AUTO(context_step_release)
    struct context_step step = {
        .step = { .instruction = from, .vertex = vertex, .begun = true, .make = make }
    };
    AUTO(strvec_release) struct strvec all = STRVEC_INIT;
    strvec_push(&all, ".");
    const struct copy_spec spec = { .context = context,
                                    .sources = &all,
                                    .destination = "/",
                                    .working_dir = "/",
                                    .now = run->build->now,
                                    .times = epoch_file_times(run->build) };
    step.step.history = instruction_format(from);
    step.copy = copy_new(&spec, err);
    if (!step.copy || copy_add_inputs(step.copy, &step.step.inputs, err) < 0)
        return layer_step_fail(run, &step.step, err);
    return layer_step_execute(run, &step.step, err);
}
