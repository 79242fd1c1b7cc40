/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of bytes between the writer and the thread that feeds `next`.
 *
 * 1. ring[head .. head+used) (wrapping) belongs to the thread, the rest to the writer; each copies
 *    or passes on outside the mutex.
 * 2. Neither wakes the other for little: the thread sleeps until a quarter of the ring is full (or
 *    the end comes), the writer until a quarter is free. tar headers of 512 bytes would otherwise
 *    cost two context switches each.
 * 3. Only the thread calls next->write; finish and free of `next` come after it is joined.
 */
#include "base/sink.h"

#include "base/mem.h"
#include "base/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

struct sink_thread {
    struct sink sink;
    struct sink *next;
    char *ring;
    size_t size, head, used;
    pthread_mutex_t mutex;
    pthread_cond_t filled, freed;
    bool closed;         /* no more writes will come */
    bool aborted;        /* what is in the ring is not wanted */
    struct error *error; /* of next, for the writer */
    bool failed;
    struct thread *thread; /* started by the first write */
};

static size_t batch(const struct sink_thread *self)
{
    return self->size / 4 ? self->size / 4 : 1;
}

static void *feed(void *data)
{
    struct sink_thread *self = data;
    pthread_mutex_lock(&self->mutex);
    for (;;) {
        while (self->used < batch(self) && !self->closed)
            pthread_cond_wait(&self->filled, &self->mutex);
        if (self->aborted || !self->used)
            break;
        /* not all of it at once: the writer fills one part while another is passed on */
        size_t n = self->used < batch(self) ? self->used : batch(self);
        if (n > self->size - self->head)
            n = self->size - self->head;
        const char *from = self->ring + self->head;
        pthread_mutex_unlock(&self->mutex);
        struct error *error = NULL;
        int result = sink_write(self->next, from, n, &error);
        pthread_mutex_lock(&self->mutex);
        if (result < 0) {
            self->failed = true;
            self->error = error;
            break;
        }
        self->head = (self->head + n) % self->size;
        self->used -= n;
        if (self->size - self->used >= batch(self))
            pthread_cond_signal(&self->freed);
    }
    pthread_cond_signal(&self->freed);
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

/* Hands over the error of next; a second asker gets a copy. */
static int report(struct sink_thread *self, struct error **err)
{
    error_move(err, error_copy(self->error));
    return -1;
}

/* Waits for room; the size of the free stretch at *to, 0 when next has failed. */
static size_t wait_for_room(struct sink_thread *self, char **to)
{
    pthread_mutex_lock(&self->mutex);
    while (self->used == self->size && !self->failed)
        pthread_cond_wait(&self->freed, &self->mutex);
    size_t tail = (self->head + self->used) % self->size;
    size_t room = tail < self->head ? self->head - tail : self->size - tail;
    if (self->used == self->size || self->failed)
        room = 0;
    pthread_mutex_unlock(&self->mutex);
    *to = self->ring + tail;
    return room;
}

static void add_used(struct sink_thread *self, size_t n)
{
    pthread_mutex_lock(&self->mutex);
    self->used += n;
    if (self->used >= batch(self))
        pthread_cond_signal(&self->filled);
    pthread_mutex_unlock(&self->mutex);
}

static int thread_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct sink_thread *self = (struct sink_thread *)sink;
    if (!self->thread) {
        self->thread = thread_start(feed, self, err);
        if (!self->thread)
            return -1;
    }
    const char *from = data;
    while (size) {
        char *to;
        size_t room = wait_for_room(self, &to);
        if (!room)
            return report(self, err);
        size_t n = size < room ? size : room;
        memcpy(to, from, n);
        add_used(self, n);
        from += n;
        size -= n;
    }
    return 0;
}

static void stop(struct sink_thread *self, bool abort_it)
{
    pthread_mutex_lock(&self->mutex);
    self->closed = true;
    self->aborted |= abort_it;
    pthread_cond_signal(&self->filled);
    pthread_mutex_unlock(&self->mutex);
    thread_join(TAKE(self->thread));
}

static int thread_finish(struct sink *sink, struct error **err)
{
    struct sink_thread *self = (struct sink_thread *)sink;
    stop(self, false);
    if (self->failed)
        return report(self, err);
    return sink_finish(self->next, err);
}

static void thread_free(struct sink *sink)
{
    struct sink_thread *self = (struct sink_thread *)sink;
    stop(self, true);
    sink_free(self->next);
    error_free(self->error);
    pthread_cond_destroy(&self->filled);
    pthread_cond_destroy(&self->freed);
    pthread_mutex_destroy(&self->mutex);
    free(self->ring);
    free(self);
}

struct sink *sink_thread_new(struct sink *next, size_t queue_size)
{
    static const struct sink_ops ops = { "thread", thread_write, thread_finish, thread_free };
    struct sink_thread *self = NEW(struct sink_thread);
    self->sink.ops = &ops;
    self->next = next;
    self->size = queue_size ? queue_size : 1;
    self->ring = xmalloc(self->size);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->filled, NULL);
    pthread_cond_init(&self->freed, NULL);
    return &self->sink;
}
