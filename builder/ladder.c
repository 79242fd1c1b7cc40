/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How RUN steps are kept apart here, chosen once per build when the first of them runs: layers
 * stacked as an overlay; else a copy of the whole tree, which a stage's RUNs share; and without any
 * namespace where that was asked for. What is less than usual is said, once. No key holds it: the
 * layers are the same.
 */
#include "builder/ladder.h"

#include "base/mem.h"
#include "builder/executor.h"
#include "builder/run_mount.h"
#include "layers/snapshot.h"
#include "runner/overlay_probe.h"

#include <string.h>

/* In the work directory of a RUN that is never run. */
int ladder_try_overlay(struct store *store, struct error **err)
{
    AUTO(snapshot_free) struct snapshot *snapshot = snapshot_new(store, err);
    if (!snapshot)
        return -1;
    AUTO(free) char *work = xasprintf("/proc/self/fd/%d", snapshot_work_fd(snapshot));
    return overlay_probe(work, err);
}

static int choose(struct build *build, struct error **err)
{
    AUTO(error_free) struct error *refused = NULL;
    if (build->options->isolation == ISOLATION_CHROOT) {
        build->copies = true;
        progress_warning(build->progress, 0,
                         "--isolation=chroot: RUN sees the host's network, host name and "
                         "processes, has no /proc and /sys, and works on a copy of the whole tree");
        return 0;
    }
    if (ladder_try_overlay(build->store, &refused) == 0)
        return 0;
    if (!error_is(refused, ERR_UNSUPPORTED)) {
        error_move(err, TAKE(refused));
        return -1;
    }
    build->copies = true;
    progress_warning(build->progress, 0, "%s: each RUN works on a copy of the whole tree",
                     error_message(refused));
    return 0;
}

int ladder_choose(struct build *build, struct error **err)
{
    int result = 0;
    pthread_mutex_lock(&build->base_lock);
    if (!build->is_chosen)
        result = choose(build, err);
    build->is_chosen = result == 0;
    pthread_mutex_unlock(&build->base_lock);
    return result;
}

/* What a mount asks for that is only to be had by mounting; NULL: nothing. */
static const char *refused_mount(const char *text)
{
    AUTO(run_mount_release) struct run_mount mount = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* told when its step is reached */
    if (run_mount_parse(text, NULL, &mount, &ignored) < 0)
        return NULL;
    if (mount.type == RUN_MOUNT_SECRET && (!mount.env || mount.target))
        return "a secret as a file would be written to disk (with env=NAME it isn't)";
    if (mount.type == RUN_MOUNT_TMPFS && mount.size)
        return "a tmpfs with a size can't be mounted";
    return NULL;
}

static const char *refused_run(const struct build *build, const struct run_body *body)
{
    if (body->security && !strcmp(body->security, "insecure"))
        return "--security=insecure would give away the container";
    if (body->network ? !strcmp(body->network, "none")
                      : build->options->network == BUILD_NETWORK_NONE)
        return "a network namespace can't be made: --network=none isn't to be had";
    if (body->devices.n)
        return "devices can't be mounted";
    for (size_t i = 0; i < body->mount_specs.n; i++) {
        const char *why = refused_mount(body->mount_specs.items[i]);
        if (why)
            return why;
    }
    return NULL;
}

int ladder_check(struct build *build, struct error **err)
{
    const struct sandbox_limits *limits = build->options->limits;
    if (build->options->isolation != ISOLATION_CHROOT)
        return 0;
    if (limits && limits->shm_size)
        return error_set(err, ERR_UNSUPPORTED,
                         "--shm-size: nothing can be mounted with --isolation=chroot");
    for (size_t i = 0; i < build->graph->n_stages; i++) {
        const struct stage *stage = &build->graph->stages[i];
        for (size_t k = 0; stage->is_needed && k < stage->n_instructions; k++) {
            const struct instruction *instruction = &stage->instructions[k];
            const char *why =
                instruction->kind == INSTRUCTION_RUN ? refused_run(build, &instruction->run) : NULL;
            if (!why)
                continue;
            error_set_(err, ERR_UNSUPPORTED, "RUN with --isolation=chroot: %s", why);
            return source_text_locate(build->dockerfile->source, instruction->range, NULL, err);
        }
    }
    return 0;
}
