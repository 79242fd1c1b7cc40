/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ordinary user's RUN needs a user namespace, and so do the directory forms below it, whose
 * files have owners. The kernel lets us enter one only before the first thread: so it is decided
 * when the Dockerfile is planned and before any base image is fetched; for a Dockerfile that is
 * fetched itself, unseen. An ordinary user who can't have a namespace still builds all that needs
 * none; one without subordinate ids gets a namespace with a single one. Root needs one only for an
 * emulator that isn't registered with the kernel.
 */
#include "base/own_ids.h"
#include "builder/context_remote.h"
#include "builder/emulation.h"
#include "builder/executor.h"
#include "runner/foreign.h"
#include "runner/userns.h"

static bool has_run(const struct stage *stage)
{
    for (size_t i = 0; i < stage->n_instructions; i++)
        if (stage->instructions[i].kind == INSTRUCTION_RUN)
            return true;
    return false;
}

/* Triggers of an image that isn't here are unknown until it is fetched, and then it is too late. */
static bool base_may_run(struct build *build, const struct stage_graph *graph,
                         const struct stage *stage)
{
    switch (stage->base.kind) {
    case STAGE_SOURCE_SCRATCH:
        return false;
    case STAGE_SOURCE_STAGE: /* its own triggers stand in the Dockerfile */
        for (size_t i = 0; i < graph->stages[stage->base.stage].n_instructions; i++)
            if (graph->stages[stage->base.stage].instructions[i].kind == INSTRUCTION_ONBUILD)
                return true;
        return false;
    case STAGE_SOURCE_CONTEXT:
        return true;
    case STAGE_SOURCE_IMAGE:
        return base_image_may_trigger(build, stage->base.name, &stage->platform);
    }
    return true;
}

static bool graph_may_run(struct build *build, const struct stage_graph *graph)
{
    if (build->options->shell_at)
        return true;
    for (size_t i = 0; i < graph->n_stages; i++) {
        const struct stage *stage = &graph->stages[i];
        if (stage->is_needed && (has_run(stage) || base_may_run(build, graph, stage)))
            return true;
    }
    return false;
}

static bool may_run(struct build *build)
{
    for (size_t i = 0; i < build->n_targets; i++)
        if (graph_may_run(build, build->targets[i].graph))
            return true;
    return false;
}

static int enter(struct build *build, struct error **err)
{
    AUTO(error_free) struct error *refused = NULL;
    if (build->no_privilege)
        return 0;
    if (userns_enter(&build->single_id, &refused) == 0) {
        build->own_userns = true;
        return store_sweep_rest(build->store, err);
    }
    if (error_is(refused, ERR_CANCELLED)) {
        error_move(err, TAKE(refused));
        return -1;
    }
    build->no_privilege = TAKE(refused); /* every step may be cached, or none be a RUN */
    return 0;
}

int privilege_enter_unseen(struct build *build, struct error **err)
{
    const struct build_options *options = build->options;
    bool is_fetched =
        context_place_kind(options->context) == PLACE_HTTP ||
        (options->dockerfile && context_place_kind(options->dockerfile) == PLACE_HTTP);
    return userns_can_enter() && is_fetched ? enter(build, err) : 0;
}

int privilege_enter(struct build *build, struct error **err)
{
    AUTO(error_free) struct error *refused = NULL; /* told by the RUN that would need it */
    if (userns_can_enter() && may_run(build) && enter(build, err) < 0)
        return -1;
    if (!userns_can_enter() && !build->own_userns && emulation_wants_userns(build))
        build->own_userns = userns_enter_as_root(&refused) == 0;
    build->foreign = foreign_new(build->own_userns);
    if (!build->single_id && own_ids_are_single()) { /* a container's */
        error_set_(&build->single_id, ERR_UNSUPPORTED,
                   "RUN has a single user and group id: this user namespace has no more");
        error_hint(&build->single_id, "give the container a range of ids");
    }
    return 0;
}

int privilege_check(const struct build *build, struct error **err)
{
    if (!build->no_privilege)
        return build->options->isolation == ISOLATION_CHROOT ? userns_check_chroot(err)
                                                             : userns_check_privilege(err);
    error_move(err, error_copy(build->no_privilege));
    return -1;
}

void privilege_warn(struct build *build)
{
    if (!build->single_id)
        return;
    pthread_mutex_lock(&build->base_lock);
    bool is_new = !build->told_single_id;
    build->told_single_id = true;
    pthread_mutex_unlock(&build->base_lock);
    if (is_new)
        progress_warning(build->progress, 0, "%s; in RUN all files look as its user's, and %s (%s)",
                         error_message(build->single_id),
                         build->options->record_owners ? "owners that it sets are recorded"
                                                       : "neither owners nor users can be changed",
                         error_hint_text(build->single_id));
}

int privilege_explain(const struct build *build, struct error **err)
{
    if (build->single_id && !error_hint_text(*err) &&
        (error_is(*err, ERR_RUN) || error_is(*err, ERR_UNSUPPORTED)))
        error_hint(err, "%s fails without uidmap and subordinate ids in /etc/subuid: %s%s",
                   build->options->record_owners ? "a change of user inside of RUN"
                                                 : "a chown to another id, or a change of user,",
                   error_hint_text(build->single_id),
                   build->options->record_owners ? "" : "; or build with --record-owners");
    return -1;
}
