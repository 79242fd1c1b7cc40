/* SPDX-License-Identifier: Apache-2.0 */
#include "base/relay.h"

#include "base/mem.h"
#include "base/pool.h"

#include <pthread.h>
#include <string.h>

/*
 * ring[head .. head+used) (wrapping) belongs to the reader, the rest to the writer; each copies
 * outside the mutex. Neither wakes the other for less than a quarter of the ring, but at the end.
 */
struct relay {
    struct source source;
    int (*run)(void *data, struct source *source, struct error **err);
    void *data;
    struct thread *thread;
    char *ring;
    size_t size, head, used;

    pthread_mutex_t mutex;
    pthread_cond_t filled, freed;
    bool closed, aborted; /* no more will come; what came isn't wanted */
    bool ended;           /* run has returned */
    int result;
    struct error *error; /* of run */
};

static size_t batch(const struct relay *relay)
{
    return relay->size / 4 ? relay->size / 4 : 1;
}

/* Waits for bytes; how many lie in one piece, 0: the end. */
static size_t wait_for_bytes(struct relay *relay, bool *aborted)
{
    pthread_mutex_lock(&relay->mutex);
    while (relay->used < batch(relay) && !relay->closed)
        pthread_cond_wait(&relay->filled, &relay->mutex);
    size_t n = relay->used;
    if (n > relay->size - relay->head)
        n = relay->size - relay->head;
    *aborted = relay->aborted;
    pthread_mutex_unlock(&relay->mutex);
    return n;
}

static ssize_t relay_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct relay *relay = CONTAINER_OF(source, struct relay, source);
    bool aborted;
    size_t n = wait_for_bytes(relay, &aborted);
    if (aborted)
        return error_set(err, ERR_CANCELLED, "given up");
    if (n > size)
        n = size;
    memcpy(data, relay->ring + relay->head, n);
    pthread_mutex_lock(&relay->mutex);
    relay->head = (relay->head + n) % relay->size;
    relay->used -= n;
    if (relay->size - relay->used >= batch(relay))
        pthread_cond_signal(&relay->freed);
    pthread_mutex_unlock(&relay->mutex);
    return (ssize_t)n;
}

static void nothing_to_free(struct source *source UNUSED)
{
}

static void *run(void *data)
{
    struct relay *relay = data;
    struct error *error = NULL;
    int result = relay->run(relay->data, &relay->source, &error);
    pthread_mutex_lock(&relay->mutex);
    relay->result = result;
    relay->error = error;
    relay->ended = true;
    pthread_cond_signal(&relay->freed);
    pthread_mutex_unlock(&relay->mutex);
    return NULL;
}

static void release(struct relay *relay)
{
    error_free(relay->error);
    pthread_cond_destroy(&relay->filled);
    pthread_cond_destroy(&relay->freed);
    pthread_mutex_destroy(&relay->mutex);
    free(relay->ring);
    free(relay);
}

struct relay *relay_start(size_t ring_size,
                          int (*run_it)(void *data, struct source *source, struct error **err),
                          void *data, struct error **err)
{
    static const struct source_ops ops = { "relay", relay_read, nothing_to_free };
    struct relay *relay = NEW(struct relay);
    relay->source.ops = &ops;
    relay->run = run_it;
    relay->data = data;
    relay->size = ring_size ? ring_size : 1;
    relay->ring = xmalloc(relay->size);
    pthread_mutex_init(&relay->mutex, NULL);
    pthread_cond_init(&relay->filled, NULL);
    pthread_cond_init(&relay->freed, NULL);
    relay->thread = thread_start(run, relay, err);
    if (!relay->thread) {
        release(relay);
        return NULL;
    }
    return relay;
}

/* Waits for room; the size of the free stretch at *to, 0 when run has ended. */
static size_t wait_for_room(struct relay *relay, char **to)
{
    pthread_mutex_lock(&relay->mutex);
    while (relay->used == relay->size && !relay->ended)
        pthread_cond_wait(&relay->freed, &relay->mutex);
    size_t tail = (relay->head + relay->used) % relay->size;
    size_t room = tail < relay->head ? relay->head - tail : relay->size - tail;
    if (relay->ended)
        room = 0;
    pthread_mutex_unlock(&relay->mutex);
    *to = relay->ring + tail;
    return room;
}

static void commit(struct relay *relay, size_t size)
{
    pthread_mutex_lock(&relay->mutex);
    relay->used += size;
    if (relay->used >= batch(relay))
        pthread_cond_signal(&relay->filled);
    pthread_mutex_unlock(&relay->mutex);
}

int relay_pump(struct relay *relay, struct source *source, struct error **err)
{
    char *to;
    size_t room;
    ssize_t n = 0;
    while ((room = wait_for_room(relay, &to)) && (n = source_read(source, to, room, err)) > 0)
        commit(relay, (size_t)n);
    return n < 0 ? -1 : 0;
}

void relay_write(struct relay *relay, const void *bytes, size_t size)
{
    const char *from = bytes;
    char *to;
    size_t room;
    while (size && (room = wait_for_room(relay, &to))) {
        size_t n = size < room ? size : room;
        memcpy(to, from, n);
        from += n;
        size -= n;
        commit(relay, n);
    }
}

static void stop(struct relay *relay, bool abort_it)
{
    pthread_mutex_lock(&relay->mutex);
    relay->closed = true;
    relay->aborted = abort_it;
    pthread_cond_signal(&relay->filled);
    pthread_mutex_unlock(&relay->mutex);
    thread_join(TAKE(relay->thread));
}

int relay_finish(struct relay *relay, struct error **err)
{
    stop(relay, false);
    int result = relay->result;
    if (result < 0)
        error_move(err, TAKE(relay->error));
    release(relay);
    return result;
}

void relay_free(struct relay *relay)
{
    if (!relay)
        return;
    stop(relay, true);
    release(relay);
}
