/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache records are written when their layer's blob is in the store, while later steps run: a kill
 * costs only what hadn't come that far. Jobs are worked on in the order they were added; within a
 * stage that is parents first, so waiting for a job's layer finds its parents' digests known.
 */
#include "base/array.h"
#include "base/mem.h"
#include "builder/executor.h"
#include "builder/ran_record.h"
#include "layers/snapshot.h"

#include <assert.h>
#include <string.h>

struct recorder {
    struct store *store;
    struct compression compression;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct thread *thread;
    struct record_job *jobs;
    size_t n_jobs, jobs_capacity, next;
    bool closed;
    struct error *error;
    void (*failed)(void *data, struct error *error);
    void *failed_data;
};

static void record_job_release(struct record_job *job)
{
    layer_unref(job->layer);
    tree_unref(job->tree);
    cache_record_release(&job->record);
    inputs_release(&job->inputs);
    free(job->form);
    free(job->upon);
    tempfile_free(job->inputs_file);
    lockfile_remove(job->lock);
    *job = (struct record_job){ 0 };
}

int recorder_result_key(struct tree *parent, const struct digest *rest, struct digest *ret,
                        struct error **err)
{
    struct digest chain = { 0 };
    if (tree_chain_id(parent, &chain, err) < 0)
        return -1;
    *ret = cache_result_key(&chain, rest);
    return 0;
}

/* What lies below doesn't count: as if upon nothing. */
static int record_independent(struct recorder *recorder, struct record_job *job, struct error **err)
{
    struct cache_keys keys = { &job->recipe, NULL, &job->rest, job->inputs_file };
    job->record.chain_id = job->record.diff_id;
    return cache_put(recorder->store, &keys, &recorder->compression, &job->record, &job->inputs,
                     err);
}

static void tell_reuse(const struct record_job *job)
{
    size_t n_members, n_taken;
    if (job->progress && layer_reused(job->layer, &n_members, &n_taken))
        progress_note(job->progress, job->vertex,
                      "layer: %zu of %zu members taken from the build before", n_taken, n_members);
}

/*
 * Says that the step has run, if its layer will take a while. upon: the layers below aren't waited
 * for. A failure costs nothing but that a kill will run the step again.
 */
static void record_ran(struct recorder *recorder, struct record_job *job, bool upon)
{
    AUTO(error_free) struct error *ignored = NULL;
    struct ran_record record = { .step = job->record.step,
                                 .created = job->record.created,
                                 .inputs = job->rest,
                                 .form = job->form,
                                 .upon = upon ? job->upon : NULL };
    if (!job->form || job->has_ran || layer_is_done(job->layer) ||
        (!upon && tree_chain_id(tree_parent(job->tree), &record.below, &ignored) < 0) ||
        ran_record_put(recorder->store, &job->recipe, &record, &ignored) < 0)
        return;
    *(upon ? &job->has_ran_upon : &job->has_ran) = true;
}

static bool is_known(const struct tree *tree)
{
    for (size_t i = tree_n_layers(tree); i > 0; i--)
        if (!layer_is_done(tree_layer(tree, i - 1)))
            return false;
    return true;
}

/* Who was told to stop leaves the form to the next; one whose layer can't be written goes. */
static void end_ran(struct recorder *recorder, const struct record_job *job,
                    const struct error *error)
{
    if (!job->has_ran && !job->has_ran_upon)
        return;
    if (error_is(error, ERR_CANCELLED))
        snapshot_keep(layer_snapshot(job->layer));
    else
        ran_record_drop(recorder->store, &job->recipe);
}

static int record_layer(struct recorder *recorder, struct record_job *job, struct error **err)
{
    record_ran(recorder, job, false);
    if (layer_wait(job->layer, &job->record.blob, &job->record.diff_id, err) < 0) {
        end_ran(recorder, job, *err);
        return error_wrap(err, "layer of %.*s", (int)strcspn(job->record.step, "\n"),
                          job->record.step);
    }
    tell_reuse(job);
    job->record.has_layer = true;
    if (job->is_independent)
        return record_independent(recorder, job, err);
    if (tree_chain_id(job->tree, &job->record.chain_id, err) < 0) {
        end_ran(recorder, job, *err);
        return -1;
    }
    struct snapshot *snapshot = layer_snapshot(job->layer);
    if (snapshot && snapshot_name(snapshot, &job->record.chain_id, err) < 0)
        return -1;
    struct digest result;
    if (recorder_result_key(tree_parent(job->tree), &job->rest, &result, err) < 0)
        return -1;
    struct cache_keys keys = { &job->recipe, &result, &job->rest, job->inputs_file };
    return cache_put(recorder->store, &keys, &recorder->compression, &job->record, &job->inputs,
                     err);
}

static int record(struct recorder *recorder, struct record_job *job, struct error **err)
{
    if (record_layer(recorder, job, err) < 0)
        return -1;
    return job->shape.is_set ? cache_put_shape(recorder->store, &job->shape, err) : 0;
}

static void *recorder_thread(void *data)
{
    struct recorder *recorder = data;
    pthread_mutex_lock(&recorder->lock);
    for (;;) {
        while (recorder->next == recorder->n_jobs && !recorder->closed)
            pthread_cond_wait(&recorder->changed, &recorder->lock);
        if (recorder->next == recorder->n_jobs)
            break;
        struct record_job job = recorder->jobs[recorder->next++];
        pthread_mutex_unlock(&recorder->lock);
        struct error *error = NULL;
        if (record(recorder, &job, &error) < 0 && recorder->failed)
            recorder->failed(recorder->failed_data, error_copy(error));
        record_job_release(&job);
        pthread_mutex_lock(&recorder->lock);
        if (error && !recorder->error)
            recorder->error = error;
        else
            error_free(error);
    }
    pthread_mutex_unlock(&recorder->lock);
    return NULL;
}

struct recorder *recorder_new(struct store *store, const struct compression *compression,
                              void (*failed)(void *data, struct error *error), void *data)
{
    struct recorder *recorder = NEW(struct recorder);
    recorder->failed = failed;
    recorder->failed_data = data;
    recorder->store = store;
    recorder->compression = *compression;
    pthread_mutex_init(&recorder->lock, NULL);
    pthread_cond_init(&recorder->changed, NULL);
    return recorder;
}

void recorder_add(struct recorder *recorder, struct record_job *job)
{
    /* at once if possible: its turn may come late */
    const bool known = is_known(tree_parent(job->tree));
    if (known || job->upon)
        record_ran(recorder, job, !known);
    pthread_mutex_lock(&recorder->lock);
    assert(!recorder->closed);
    struct error *error = NULL;
    if (!recorder->thread)
        recorder->thread = thread_start(recorder_thread, recorder, &error);
    if (recorder->thread) {
        *ARRAY_PUSH(recorder, jobs) = *job;
        *job = (struct record_job){ 0 };
        pthread_cond_signal(&recorder->changed);
    } else if (!recorder->error) {
        recorder->error = error;
    } else {
        error_free(error);
    }
    pthread_mutex_unlock(&recorder->lock);
    record_job_release(job);
}

static void join(struct recorder *recorder)
{
    pthread_mutex_lock(&recorder->lock);
    recorder->closed = true;
    pthread_cond_signal(&recorder->changed);
    pthread_mutex_unlock(&recorder->lock);
    if (recorder->thread)
        (void)thread_join(TAKE(recorder->thread));
}

int recorder_finish(struct recorder *recorder, struct error **err)
{
    join(recorder);
    if (recorder->error) {
        error_move(err, TAKE(recorder->error));
        return -1;
    }
    return 0;
}

void recorder_free(struct recorder *recorder)
{
    if (!recorder)
        return;
    join(recorder);
    error_free(recorder->error);
    free(recorder->jobs);
    pthread_mutex_destroy(&recorder->lock);
    pthread_cond_destroy(&recorder->changed);
    free(recorder);
}
