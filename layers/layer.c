/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1. `state` goes from MAKING to DONE or FAILED once; blob, diff_id and error don't change after
 * that.
 * 2. A made layer's list is complete before the layer exists; a blob's is there when `has_list`.
 * 3. What costs time (fetching, scanning) is done by one thread, which holds `busy`, not the mutex.
 *    Who finds it busy waits and looks again; if the other failed, it tries itself.
 */
#include "layers/layer.h"

#include "base/mem.h"
#include "layers/content_digests.h"
#include "layers/entries.h"
#include "layers/layer_stream.h"
#include "layers/snapshot.h"

#include <pthread.h>
#include <string.h>

enum layer_state { LAYER_MAKING, LAYER_DONE, LAYER_FAILED };

struct layer {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned refs;
    struct store *store;

    enum layer_state state;
    struct error *error; /* of a failed stream */
    struct descriptor blob;
    struct digest diff_id;
    bool has_previous; /* immutable */
    size_t n_members, n_taken;

    bool has_list, busy;
    struct entry_list list;
    struct layer_fetcher fetcher;
    struct snapshot *form;
    struct content_digests contents; /* by index in the list */
};

/* A stream under way: one reference on the layer, and what its content comes from. */
struct stream_job {
    struct layer *layer;
    struct layer_options options;
    struct changeset changeset; /* its list is the layer's */
};

static struct layer *layer_alloc(struct store *store)
{
    struct layer *layer = NEW(struct layer);
    pthread_mutex_init(&layer->mutex, NULL);
    pthread_cond_init(&layer->changed, NULL);
    layer->refs = 1;
    layer->store = store;
    return layer;
}

struct layer *layer_ref(struct layer *layer)
{
    pthread_mutex_lock(&layer->mutex);
    layer->refs++;
    pthread_mutex_unlock(&layer->mutex);
    return layer;
}

void layer_unref(struct layer *layer)
{
    if (!layer)
        return;
    pthread_mutex_lock(&layer->mutex);
    bool last = --layer->refs == 0;
    pthread_mutex_unlock(&layer->mutex);
    if (!last)
        return;
    snapshot_free(layer->form);
    content_digests_release(&layer->contents);
    entry_list_release(&layer->list);
    descriptor_release(&layer->blob);
    error_free(layer->error);
    pthread_cond_destroy(&layer->changed);
    pthread_mutex_destroy(&layer->mutex);
    free(layer);
}

struct layer *layer_from_blob(struct store *store, const struct descriptor *blob,
                              const struct digest *diff_id, const struct layer_fetcher *fetcher)
{
    struct layer *layer = layer_alloc(store);
    layer->state = LAYER_DONE;
    descriptor_copy(&layer->blob, blob);
    layer->diff_id = *diff_id;
    if (fetcher)
        layer->fetcher = *fetcher;
    return layer;
}

/* Making */

static void stream_job_free(struct stream_job *job)
{
    job->changeset.list = (struct entry_list)ENTRY_LIST_INIT;
    changeset_release(&job->changeset);
    layer_unref(job->layer);
    free(job);
}

static void layer_complete(struct layer *layer, enum layer_state state)
{
    layer->state = state;
    pthread_cond_broadcast(&layer->changed);
}

static size_t count_taken(const struct entries *entries)
{
    size_t n = 0;
    for (size_t i = 0; i < entries->n_members; i++)
        n += entries->members[i].is_taken;
    return n;
}

static int stream_run(void *data, struct error **err)
{
    struct stream_job *job = data;
    struct layer *layer = job->layer;
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
    struct error *error = NULL;
    int result =
        layer_stream(layer->store, &job->options, &job->changeset, &blob, &entries, &error);

    pthread_mutex_lock(&layer->mutex);
    if (result < 0) {
        layer->error = error;
        error_move(err, error_copy(error));
        layer_complete(layer, LAYER_FAILED);
    } else {
        layer->blob = blob;
        blob = (struct descriptor){ .size = 0 };
        layer->diff_id = entries.diff_id;
        layer->n_members = entries.n_members;
        layer->n_taken = count_taken(&entries);
        layer_complete(layer, LAYER_DONE);
    }
    pthread_mutex_unlock(&layer->mutex);
    stream_job_free(job);
    return result;
}

/* The group failed before this stream began. */
static void stream_drop(void *data)
{
    struct stream_job *job = data;
    struct layer *layer = job->layer;
    pthread_mutex_lock(&layer->mutex);
    error_set_(&layer->error, ERR_CANCELLED, "given up: another layer could not be written");
    layer_complete(layer, LAYER_FAILED);
    pthread_mutex_unlock(&layer->mutex);
    stream_job_free(job);
}

struct layer *layer_make(struct store *store, const struct layer_options *options,
                         struct changeset *changeset, struct snapshot *form)
{
    struct layer *layer = layer_alloc(store);
    layer->state = LAYER_MAKING;
    layer->list = changeset->list;
    layer->has_list = true;
    layer->has_previous = options->previous.is_set;
    layer->form = form;

    struct stream_job *job = NEW(struct stream_job);
    job->layer = layer_ref(layer);
    job->options = *options;
    job->changeset = *changeset;
    *changeset = (struct changeset)CHANGESET_INIT;
    pool_submit(options->group, stream_run, stream_drop, job);
    return layer;
}

/* Waiting */

int layer_wait(struct layer *layer, struct descriptor *blob, struct digest *diff_id,
               struct error **err)
{
    int result = 0;
    pthread_mutex_lock(&layer->mutex);
    while (layer->state == LAYER_MAKING)
        pthread_cond_wait(&layer->changed, &layer->mutex);
    if (layer->state == LAYER_FAILED) {
        error_move(err, error_copy(layer->error));
        result = -1;
    } else {
        if (blob)
            descriptor_copy(blob, &layer->blob);
        if (diff_id)
            *diff_id = layer->diff_id;
    }
    pthread_mutex_unlock(&layer->mutex);
    return result;
}

bool layer_is_done(struct layer *layer)
{
    pthread_mutex_lock(&layer->mutex);
    bool done = layer->state != LAYER_MAKING;
    pthread_mutex_unlock(&layer->mutex);
    return done;
}

bool layer_reused(struct layer *layer, size_t *n_members, size_t *n_taken)
{
    pthread_mutex_lock(&layer->mutex);
    bool done = layer->state == LAYER_DONE && layer->has_previous;
    if (done) {
        *n_members = layer->n_members;
        *n_taken = layer->n_taken;
    }
    pthread_mutex_unlock(&layer->mutex);
    return done;
}

struct snapshot *layer_snapshot(struct layer *layer)
{
    return layer->form;
}

/* Contents: under the mutex */

/* Room for them, and what was kept; later, since most layers are never asked. */
static void prepare_contents(struct layer *layer)
{
    if (layer->contents.n || !layer->has_list)
        return;
    content_digests_init(&layer->contents, layer->list.n_entries, store_spill(layer->store));
    if (layer->state == LAYER_DONE)
        content_digests_read(&layer->contents, layer->store, &layer->blob.digest);
}

bool layer_known_content(struct layer *layer, const struct entry *entry, uint8_t out[SHA256_SIZE])
{
    pthread_mutex_lock(&layer->mutex);
    prepare_contents(layer);
    bool known = content_digests_get(&layer->contents, (size_t)(entry - layer->list.entries), out);
    pthread_mutex_unlock(&layer->mutex);
    return known;
}

void layer_learn_content(struct layer *layer, const struct entry *entry,
                         const uint8_t digest[SHA256_SIZE])
{
    pthread_mutex_lock(&layer->mutex);
    prepare_contents(layer);
    content_digests_put(&layer->contents, (size_t)(entry - layer->list.entries), digest);
    pthread_mutex_unlock(&layer->mutex);
}

int layer_keep_contents(struct layer *layer, struct error **err)
{
    int result = 0;
    pthread_mutex_lock(&layer->mutex);
    bool is_new = layer->contents.is_new;
    pthread_mutex_unlock(&layer->mutex);
    if (!is_new)
        return 0;
    if (layer_wait(layer, NULL, NULL, err) < 0)
        return -1;
    pthread_mutex_lock(&layer->mutex);
    if (layer->contents.is_new) {
        /* another process may have learnt others */
        content_digests_read(&layer->contents, layer->store, &layer->blob.digest);
        result = content_digests_write(&layer->contents, layer->store, &layer->blob.digest, err);
    }
    pthread_mutex_unlock(&layer->mutex);
    return result;
}

/* Blobs. The functions that follow are called by who holds `busy`. */

static int fetch_blob(struct layer *layer, struct error **err)
{
    char name[DIGEST_TEXT_SIZE];
    uint64_t size;
    digest_format(&layer->blob.digest, name);
    if (store_lease(layer->store, &layer->blob.digest, err) < 0)
        return -1;
    if (store_has_blob(layer->store, &layer->blob.digest, &size)) {
        if (layer->fetcher.settle)
            layer->fetcher.settle(layer->fetcher.data);
        if (size == layer->blob.size)
            return 0;
        return error_set(err, ERR_DIGEST, "layer %s: %llu bytes, its manifest says %llu", name,
                         (unsigned long long)size, (unsigned long long)layer->blob.size);
    }
    if (!layer->fetcher.fetch)
        return error_set(err, ERR_NOT_FOUND, "layer %s: not in the store", name);
    if (layer->fetcher.fetch(layer->fetcher.data, &layer->blob, err) < 0)
        return error_wrap(err, "layer %s", name);
    return 0;
}

static int check_diff_id(struct layer *layer, const struct digest *diff_id, struct error **err)
{
    if (digest_equal(diff_id, &layer->diff_id))
        return 0;
    char name[DIGEST_TEXT_SIZE], expected[DIGEST_TEXT_SIZE], got[DIGEST_TEXT_SIZE];
    digest_format(&layer->blob.digest, name);
    digest_format(&layer->diff_id, expected);
    digest_format(diff_id, got);
    return error_set(err, ERR_DIGEST, "layer %s: its content has the diff_id %s, the image says %s",
                     name, got, expected);
}

/* 1: it is there. */
static int read_entries(struct layer *layer, struct entries *ret, struct error **err)
{
    AUTO(error_free) struct error *absent = NULL;
    if (entries_read(layer->store, &layer->blob.digest, ret, &absent) == 0)
        return 1;
    if (error_is(absent, ERR_NOT_FOUND))
        return 0;
    error_move(err, TAKE(absent));
    return -1;
}

/* What is fetched just now may have been looked at on its way: then it isn't read again. */
static int find_entries(struct layer *layer, struct entries *ret, struct error **err)
{
    int found = read_entries(layer, ret, err);
    if (found == 0)
        found = fetch_blob(layer, err) < 0 ? -1 : read_entries(layer, ret, err);
    if (found != 0)
        return found < 0 ? -1 : 0;
    return entries_scan(layer->store, &layer->blob.digest, ret, err);
}

static int load_list(struct layer *layer, struct error **err)
{
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    if (store_lease(layer->store, &layer->blob.digest, err) < 0 ||
        find_entries(layer, &entries, err) < 0)
        return -1;
    if (check_diff_id(layer, &entries.diff_id, err) < 0)
        return -1;
    layer->list = entries.list; /* nobody reads it before has_list is set */
    entries.list = (struct entry_list)ENTRY_LIST_INIT;
    return 0;
}

/* Runs `work` once at a time, and not at all where the layer is being made or `*done`. */
static int work_alone(struct layer *layer, bool *done,
                      int (*work)(struct layer *layer, struct error **err), struct error **err)
{
    pthread_mutex_lock(&layer->mutex);
    while (layer->busy && !(done && *done))
        pthread_cond_wait(&layer->changed, &layer->mutex);
    if (done && *done) {
        pthread_mutex_unlock(&layer->mutex);
        return 0;
    }
    layer->busy = true;
    pthread_mutex_unlock(&layer->mutex);

    int result = work(layer, err);

    pthread_mutex_lock(&layer->mutex);
    layer->busy = false;
    if (result == 0 && done)
        *done = true;
    pthread_cond_broadcast(&layer->changed);
    pthread_mutex_unlock(&layer->mutex);
    return result;
}

const struct entry_list *layer_entries(struct layer *layer, struct error **err)
{
    return work_alone(layer, &layer->has_list, load_list, err) < 0 ? NULL : &layer->list;
}

int layer_check(struct layer *layer, struct error **err)
{
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    AUTO(error_free) struct error *absent = NULL; /* then the blob is read */
    const struct digest *blob = &layer->blob.digest;
    if (store_lease(layer->store, blob, err) < 0)
        return -1;
    if (entries_read_members(layer->store, blob, &entries, &absent) < 0)
        return layer_entries(layer, err) ? 0 : -1;
    return check_diff_id(layer, &entries.diff_id, err);
}

int layer_fetch(struct layer *layer, struct error **err)
{
    if (layer_wait(layer, NULL, NULL, err) < 0)
        return -1;
    return work_alone(layer, NULL, fetch_blob, err);
}
