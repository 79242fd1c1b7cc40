/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each stage that the target needs runs on a thread of its own from the start; a stage that needs
 * another waits for it where it needs it. Needs point to earlier stages only, so waiting can't be
 * circular. The first error counts: running sandboxes are killed, and other stages end at their
 * next step.
 */
#include "base/array.h"
#include "base/cancel.h"
#include "builder/fetch_ahead.h"
#include "runner/sandbox.h"

/* Who waited for what failed may be heard first: the reason then takes the place of "cancelled". */
static bool says_more(const struct error *error, const struct error *than)
{
    return !than || (error_is(than, ERR_CANCELLED) && !error_is(error, ERR_CANCELLED));
}

void schedule_fail(struct build *build, struct error *error)
{
    pthread_mutex_lock(&build->lock);
    build->failed = true;
    if (says_more(error, build->error)) {
        error_free(build->error);
        build->error = error;
    } else {
        error_free(error);
    }
    for (size_t i = 0; i < build->n_sandboxes; i++)
        sandbox_kill(build->sandboxes[i]);
    pthread_cond_broadcast(&build->sandbox_ended);
    pthread_mutex_unlock(&build->lock);
    registry_session_abort(build->session); /* what is on the way is for nothing */
}

bool schedule_begin_failure(struct build *build)
{
    pthread_mutex_lock(&build->lock);
    bool is_first = !build->failed;
    build->failed = true;
    for (size_t i = 0; is_first && i < build->n_sandboxes; i++)
        sandbox_kill(build->sandboxes[i]);
    pthread_mutex_unlock(&build->lock);
    registry_session_abort(build->session);
    return is_first;
}

static void *stage_thread(void *data)
{
    struct stage_run *run = data;
    struct build *build = run->build;
    struct error *error = NULL;
    int result = stage_run_execute(run, &error);
    if (result < 0)
        schedule_fail(build, error);
    pthread_mutex_lock(&build->lock);
    run->done = true;
    run->failed = result < 0;
    pthread_cond_broadcast(&run->ended);
    pthread_mutex_unlock(&build->lock);
    return NULL;
}

static int start(struct stage_run *run, struct error **err)
{
    if (run->started)
        return 0;
    run->thread = thread_start(stage_thread, run, err);
    if (!run->thread)
        return -1;
    run->started = true;
    return 0;
}

struct stage_run *schedule_await(struct stage_run *run, size_t stage, struct error **err)
{
    return schedule_await_run(&run->target->runs[stage], err);
}

struct stage_run *schedule_await_run(struct stage_run *run, struct error **err)
{
    struct build *build = run->build;
    pthread_mutex_lock(&build->lock);
    if (start(run, err) < 0) {
        pthread_mutex_unlock(&build->lock);
        return NULL;
    }
    /* no timeout: a stage ends on cancellation by itself */
    while (!run->done)
        pthread_cond_wait(&run->ended, &build->lock);
    bool failed = run->failed;
    pthread_mutex_unlock(&build->lock);
    if (failed)
        return error_set_null(err, ERR_CANCELLED, "stage %s failed", run->stage->label);
    return run;
}

int schedule_check(struct build *build, struct error **err)
{
    pthread_mutex_lock(&build->lock);
    bool failed = build->failed;
    pthread_mutex_unlock(&build->lock);
    return failed ? error_set(err, ERR_CANCELLED, "another step failed") : 0;
}

int schedule_check_data(void *build, struct error **err)
{
    return schedule_check(build, err);
}

struct lockfile *schedule_lock(struct build *build, const char *name, struct error **err)
{
    return store_lock_unless(build->store, name, schedule_check_data, build, err);
}

int schedule_add_sandbox(struct build *build, struct sandbox *sandbox, struct error **err)
{
    const unsigned jobs = build->options->jobs;
    int result = 0;
    pthread_mutex_lock(&build->lock);
    /* no timeout: those that run end on cancellation by themselves */
    while (!build->failed && jobs && build->n_sandboxes >= jobs)
        pthread_cond_wait(&build->sandbox_ended, &build->lock);
    if (build->failed)
        result = error_set(err, ERR_CANCELLED, "another step failed");
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
    pthread_cond_signal(&build->sandbox_ended);
    pthread_mutex_unlock(&build->lock);
}

static bool join_run(struct stage_run *run, void *data)
{
    bool *joined = data;
    pthread_mutex_lock(&run->build->lock);
    struct thread *thread = TAKE(run->thread);
    pthread_mutex_unlock(&run->build->lock);
    if (thread)
        (void)thread_join(thread);
    *joined |= thread != NULL;
    return true;
}

/* A run may start another that was passed over already: until none is left. */
static void join_all(struct build *build)
{
    bool joined = true;
    while (joined) {
        joined = false;
        targets_each_run(build, join_run, &joined);
    }
}

static bool is_started_by_itself(const struct stage_run *run)
{
    return !run->is_common && run->stage->is_needed;
}

static bool start_needed(struct stage_run *run, void *data)
{
    struct error **err = data;
    return !is_started_by_itself(run) || start(run, err) == 0;
}

/* --jobs 1: one stage after the other as they stand, so that what happens doesn't depend on how
 * fast it goes. What is only waited for, the bases of all, begins at once all the same. */
static bool fetch_base(struct stage_run *run, void *data UNUSED)
{
    if (is_started_by_itself(run))
        fetch_ahead_base(run);
    return true;
}

static bool run_alone(struct stage_run *run, void *data)
{
    struct error **err = data;
    bool joined = false;
    if (!is_started_by_itself(run))
        return true;
    pthread_mutex_lock(&run->build->lock);
    int result = run->build->failed ? -1 : start(run, err);
    pthread_mutex_unlock(&run->build->lock);
    return result == 0 && join_run(run, &joined);
}

static void start_all(struct build *build, struct error **err)
{
    if (build->options->jobs == 1) {
        targets_each_run(build, fetch_base, NULL);
        targets_each_run(build, run_alone, err);
        return;
    }
    pthread_mutex_lock(&build->lock);
    targets_each_run(build, start_needed, err);
    pthread_mutex_unlock(&build->lock);
}

int schedule_run(struct build *build, struct error **err)
{
    struct error *error = NULL;
    start_all(build, &error);
    if (error)
        schedule_fail(build, error);
    join_all(build);
    fetch_ahead_join(build);
    pthread_mutex_lock(&build->lock); /* streams may still fail */
    bool failed = build->failed;
    if (failed)
        error_move(err, TAKE(build->error));
    pthread_mutex_unlock(&build->lock);
    return failed ? -1 : 0;
}
