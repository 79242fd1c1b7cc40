/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each stage that the target needs runs on a thread of its own from the start; a stage that needs
 * another waits for it where it needs it. Needs point to earlier stages only, so waiting can't be
 * circular. The first error counts: running sandboxes are killed, and other stages end at their
 * next step.
 */
#include "base/array.h"
#include "base/cancel.h"
#include "builder/executor.h"
#include "runner/sandbox.h"

static void fail(struct build *build, struct error *error)
{
    pthread_mutex_lock(&build->lock);
    build->failed = true;
    if (!build->error)
        build->error = error;
    else
        error_free(error);
    for (size_t i = 0; i < build->n_sandboxes; i++)
        sandbox_kill(build->sandboxes[i]);
    pthread_mutex_unlock(&build->lock);
}

static void *stage_thread(void *data)
{
    struct stage_run *run = data;
    struct build *build = run->build;
    struct error *error = NULL;
    int result = stage_run_execute(run, &error);
    if (result < 0)
        fail(build, error);
    pthread_mutex_lock(&build->lock);
    run->done = true;
    run->failed = result < 0;
    pthread_cond_broadcast(&build->changed);
    pthread_mutex_unlock(&build->lock);
    return NULL;
}

static int start(struct build *build, size_t stage, struct error **err)
{
    struct stage_run *run = &build->runs[stage];
    if (run->started)
        return 0;
    run->thread = thread_start(stage_thread, run, err);
    if (!run->thread)
        return -1;
    run->started = true;
    return 0;
}

struct stage_run *schedule_await(struct build *build, size_t stage, struct error **err)
{
    struct stage_run *run = &build->runs[stage];
    pthread_mutex_lock(&build->lock);
    if (start(build, stage, err) < 0) {
        pthread_mutex_unlock(&build->lock);
        return NULL;
    }
    /* no timeout: a stage ends on cancellation by itself */
    while (!run->done)
        pthread_cond_wait(&build->changed, &build->lock);
    bool failed = run->failed;
    pthread_mutex_unlock(&build->lock);
    if (failed)
        return error_set_null(err, ERR_CANCELLED, "stage %s failed", run->stage->label);
    return run;
}

bool schedule_failed(struct build *build)
{
    pthread_mutex_lock(&build->lock);
    bool failed = build->failed;
    pthread_mutex_unlock(&build->lock);
    return failed;
}

int schedule_add_sandbox(struct build *build, struct sandbox *sandbox, struct error **err)
{
    int result = 0;
    pthread_mutex_lock(&build->lock);
    if (build->failed)
        result = error_set(err, ERR_CANCELLED, "another stage failed");
    else
        *ARRAY_PUSH(build, sandboxes) = sandbox;
    pthread_mutex_unlock(&build->lock);
    return result;
}

void schedule_remove_sandbox(struct build *build, struct sandbox *sandbox)
{
    pthread_mutex_lock(&build->lock);
    for (size_t i = 0; i < build->n_sandboxes; i++) {
        if (build->sandboxes[i] == sandbox) {
            build->sandboxes[i] = build->sandboxes[--build->n_sandboxes];
            break;
        }
    }
    pthread_mutex_unlock(&build->lock);
}

static void join_all(struct build *build)
{
    for (size_t i = 0; i < build->graph->n_stages; i++) {
        pthread_mutex_lock(&build->lock);
        struct thread *thread = TAKE(build->runs[i].thread);
        pthread_mutex_unlock(&build->lock);
        if (thread)
            (void)thread_join(thread);
    }
}

int schedule_run(struct build *build, struct error **err)
{
    struct error *error = NULL;
    pthread_mutex_lock(&build->lock);
    for (size_t i = 0; !error && i < build->graph->n_stages; i++)
        if (build->graph->stages[i].is_needed)
            (void)start(build, i, &error);
    pthread_mutex_unlock(&build->lock);
    if (error)
        fail(build, error);
    /*
     * A stage started late by a trigger has a smaller index than the one that waits for it, so when its
     * waiter is joined it is done; a second pass joins its thread.
     */
    join_all(build);
    join_all(build);
    if (build->failed) {
        error_move(err, TAKE(build->error));
        return -1;
    }
    return 0;
}
