/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread waits for the layers in the order they were added, which is that of the steps; tasks
 * of a pool send what is ready. So no stage ever waits for the network, and no upload for a layer.
 */
#include "builder/push_ahead.h"

#include "base/array.h"
#include "base/mem.h"
#include "builder/executor.h"
#include "registry/push.h"

#include <string.h>

#define N_UPLOADS 4 /* side by side; http.h bounds connections per host */

struct push_ahead {
    struct build *build;
    struct pool *pool;
    struct pool_group *group;
    const struct reference **repositories; /* of the tags, each once; borrowed */
    size_t n_repositories, repositories_capacity;

    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    struct thread *thread;
    struct layer **layers; /* owned */
    size_t n_layers, layers_capacity, next;
    bool closed, stopped;
    struct error *error; /* the first */
    bool begun;          /* the thread was started */
    unsigned vertex;     /* while it is shown; 0: it isn't */
};

struct upload {
    struct push_ahead *ahead;
    const struct reference *repository;
    struct descriptor blob;
};

static bool knows_repository(const struct push_ahead *ahead, const struct reference *tag)
{
    for (size_t i = 0; i < ahead->n_repositories; i++)
        if (!strcmp(ahead->repositories[i]->domain, tag->domain) &&
            !strcmp(ahead->repositories[i]->path, tag->path))
            return true;
    return false;
}

struct push_ahead *push_ahead_new(struct build *build)
{
    if (!build->options->push || build->forecast)
        return NULL;
    struct push_ahead *ahead = NEW(struct push_ahead);
    ahead->build = build;
    ahead->pool = pool_new(N_UPLOADS);
    ahead->group = pool_group_new(ahead->pool);
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    for (size_t i = 0; i < build->options->n_tags; i++)
        if (!knows_repository(ahead, &build->options->tags[i]))
            *ARRAY_PUSH(ahead, repositories) = &build->options->tags[i];
    return ahead;
}

/*
 * The first failure is the build's, unless it fails for another reason already. Nothing is sent any
 * more: the session is aborted, and the group skips what waits.
 */
static void fail(struct push_ahead *ahead, const struct error *error)
{
    pthread_mutex_lock(&ahead->lock);
    bool is_first = !ahead->stopped && !ahead->error;
    if (is_first)
        ahead->error = error_copy(error);
    pthread_mutex_unlock(&ahead->lock);
    if (is_first)
        schedule_fail(ahead->build, error_copy(error));
}

static void upload_free(void *data)
{
    struct upload *upload = data;
    descriptor_release(&upload->blob);
    free(upload);
}

static int upload_run(void *data, struct error **err)
{
    struct upload *upload = data;
    struct push_ahead *ahead = upload->ahead;
    struct build *build = ahead->build;
    int result = registry_push_blob(build->session, build->store, upload->repository, &upload->blob,
                                    ahead->vertex, err);
    if (result < 0) {
        AUTO(free) char *name = reference_familiar(upload->repository);
        error_wrap_(err, "pushing %s", name);
        fail(ahead, *err);
    }
    upload_free(upload);
    return result;
}

static void send_layer(struct push_ahead *ahead, struct layer *layer)
{
    AUTO(descriptor_release) struct descriptor blob = { 0 };
    AUTO(error_free) struct error *error = NULL;
    if (layer_wait(layer, &blob, NULL, &error) < 0)
        return; /* the stream's group has the error too */
    /* the base's, which the image in the store needs as well */
    if (!ahead->build->options->push_only && layer_fetch(layer, &error) < 0) {
        fail(ahead, error);
        return;
    }
    for (size_t i = 0; i < ahead->n_repositories; i++) {
        struct upload *upload = NEW(struct upload);
        upload->ahead = ahead;
        upload->repository = ahead->repositories[i];
        descriptor_copy(&upload->blob, &blob);
        pool_submit(ahead->group, upload_run, upload_free, upload);
    }
}

static void *ahead_thread(void *data)
{
    struct push_ahead *ahead = data;
    pthread_mutex_lock(&ahead->lock);
    for (;;) {
        while (ahead->next == ahead->n_layers && !ahead->closed)
            pthread_cond_wait(&ahead->changed, &ahead->lock);
        if (ahead->next == ahead->n_layers || ahead->stopped)
            break;
        struct layer *layer = ahead->layers[ahead->next++];
        pthread_mutex_unlock(&ahead->lock);
        send_layer(ahead, layer);
        pthread_mutex_lock(&ahead->lock);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

/* With the lock held. */
static void begin(struct push_ahead *ahead, struct error **err)
{
    struct progress *progress = ahead->build->progress;
    ahead->begun = true;
    ahead->vertex = progress_vertex(progress);
    progress_started(progress, ahead->vertex, "pushing layers");
    ahead->thread = thread_start(ahead_thread, ahead, err);
}

/* Platforms share layers. */
static bool has_layer(const struct push_ahead *ahead, const struct layer *layer)
{
    for (size_t i = 0; i < ahead->n_layers; i++)
        if (ahead->layers[i] == layer)
            return true;
    return false;
}

void push_ahead_add_layer(struct push_ahead *ahead, const struct stage_run *run,
                          struct layer *layer)
{
    AUTO(error_free) struct error *error = NULL;
    if (!ahead || !stage_run_is_of_image(run))
        return;
    pthread_mutex_lock(&ahead->lock);
    if (!ahead->begun)
        begin(ahead, &error);
    if (!has_layer(ahead, layer))
        *ARRAY_PUSH(ahead, layers) = layer_ref(layer);
    pthread_cond_signal(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
    if (error)
        fail(ahead, error);
}

void push_ahead_add_tree(struct push_ahead *ahead, const struct stage_run *run, struct tree *tree)
{
    for (size_t i = 0; ahead && i < tree_n_layers(tree); i++)
        push_ahead_add_layer(ahead, run, tree_layer(tree, i));
}

static void join(struct push_ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    ahead->closed = true;
    pthread_cond_signal(&ahead->changed);
    struct thread *thread = TAKE(ahead->thread);
    pthread_mutex_unlock(&ahead->lock);
    if (thread)
        (void)thread_join(thread);
}

static void tell_end(struct push_ahead *ahead, enum progress_kind kind)
{
    if (ahead->vertex)
        progress_simple(ahead->build->progress, kind, ahead->vertex);
    ahead->vertex = 0;
}

int push_ahead_finish(struct push_ahead *ahead, struct error **err)
{
    AUTO(error_free) struct error *first = NULL; /* is ahead->error */
    if (!ahead)
        return 0;
    join(ahead);
    if (pool_group_wait(ahead->group, &first) < 0 || ahead->error) {
        error_move(err, error_copy(ahead->error ? ahead->error : first));
        return -1;
    }
    tell_end(ahead, PROGRESS_DONE);
    return 0;
}

void push_ahead_stop(struct push_ahead *ahead)
{
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->stopped = ahead->closed = true;
    pthread_cond_signal(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
}

void push_ahead_free(struct push_ahead *ahead)
{
    if (!ahead)
        return;
    join(ahead);
    pool_group_free(ahead->group);
    pool_free(ahead->pool);
    if (ahead->error && ahead->vertex)
        progress_failed(ahead->build->progress, ahead->vertex, error_message(ahead->error));
    else
        tell_end(ahead, PROGRESS_CANCELLED);
    for (size_t i = 0; i < ahead->n_layers; i++)
        layer_unref(ahead->layers[i]);
    free(ahead->layers);
    free(ahead->repositories);
    error_free(ahead->error);
    pthread_mutex_destroy(&ahead->lock);
    pthread_cond_destroy(&ahead->changed);
    free(ahead);
}
