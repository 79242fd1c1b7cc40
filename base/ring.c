/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

struct ring_reader {
    /* its own: so that looking at a piece of what it has seen takes no lock */
    uint64_t took, seen;
    /* under mutex */
    pthread_cond_t filled;
    uint64_t at; /* what it took, as far as the writer knows */
    bool waits, left;
    void (*wake)(void *data); /* NULL: not to be called */
    void *wake_data;
};

/*
 * Bytes [at of the slowest, written) belong to readers, the rest to the writer: what is done with
 * them is done without the mutex. One that waits never waits for one that waits: a ring with less
 * than a quarter to read has more than a quarter to write.
 */
struct ring {
    char *bytes;
    size_t size, batch;
    unsigned n_readers;

    pthread_mutex_t mutex;
    pthread_cond_t freed;
    uint64_t written;
    struct ring_reader readers[RING_MAX_READERS];
    unsigned n_left;
    bool writer_waits, ended, aborted, failed;
};

struct ring *ring_new(size_t size, unsigned n_readers)
{
    assert(n_readers >= 1 && n_readers <= RING_MAX_READERS);
    struct ring *ring = NEW(struct ring);
    ring->size = size ? size : 1;
    ring->batch = ring->size / 4 ? ring->size / 4 : 1;
    ring->bytes = xmalloc(ring->size);
    ring->n_readers = n_readers;
    pthread_mutex_init(&ring->mutex, NULL);
    for (unsigned i = 0; i < n_readers; i++)
        pthread_cond_init(&ring->readers[i].filled, NULL);
    pthread_cond_init(&ring->freed, NULL);
    return ring;
}

void ring_free(struct ring *ring)
{
    if (!ring)
        return;
    for (unsigned i = 0; i < ring->n_readers; i++)
        pthread_cond_destroy(&ring->readers[i].filled);
    pthread_cond_destroy(&ring->freed);
    pthread_mutex_destroy(&ring->mutex);
    free(ring->bytes);
    free(ring);
}

/* functions named locked_* are called with the mutex held */

static bool locked_is_read(const struct ring *ring)
{
    return !ring->failed && ring->n_left < ring->n_readers;
}

static size_t locked_room(const struct ring *ring)
{
    uint64_t used = 0;
    for (unsigned i = 0; i < ring->n_readers; i++) {
        const struct ring_reader *reader = &ring->readers[i];
        if (!reader->left && ring->written - reader->at > used)
            used = ring->written - reader->at;
    }
    return ring->size - (size_t)used;
}

static void locked_wake_writer(struct ring *ring)
{
    if (ring->writer_waits && (!locked_is_read(ring) || locked_room(ring) >= ring->batch))
        pthread_cond_signal(&ring->freed);
}

static void locked_wake_readers(struct ring *ring)
{
    for (unsigned i = 0; i < ring->n_readers; i++) {
        struct ring_reader *reader = &ring->readers[i];
        if (reader->waits && (ring->ended || ring->written - reader->at >= ring->batch))
            pthread_cond_signal(&reader->filled);
    }
}

/* The writer's side */

size_t ring_room(struct ring *ring, void **to)
{
    pthread_mutex_lock(&ring->mutex);
    ring->writer_waits = true;
    while (locked_is_read(ring) && locked_room(ring) < ring->batch)
        pthread_cond_wait(&ring->freed, &ring->mutex);
    ring->writer_waits = false;
    size_t tail = (size_t)(ring->written % ring->size);
    size_t room = locked_is_read(ring) ? locked_room(ring) : 0;
    pthread_mutex_unlock(&ring->mutex);
    *to = ring->bytes + tail;
    return room < ring->size - tail ? room : ring->size - tail;
}

void ring_wrote(struct ring *ring, size_t size)
{
    void (*wakes[RING_MAX_READERS])(void *data) = { NULL };
    void *data[RING_MAX_READERS] = { NULL };
    pthread_mutex_lock(&ring->mutex);
    ring->written += size;
    locked_wake_readers(ring);
    for (unsigned i = 0; size && i < ring->n_readers; i++) {
        wakes[i] = ring->readers[i].wake;
        data[i] = ring->readers[i].wake_data;
        ring->readers[i].wake = NULL;
    }
    pthread_mutex_unlock(&ring->mutex);
    for (unsigned i = 0; i < ring->n_readers; i++)
        if (wakes[i])
            wakes[i](data[i]);
}

bool ring_write(struct ring *ring, const void *bytes, size_t size)
{
    const char *from = bytes;
    while (size) {
        void *to;
        size_t room = ring_room(ring, &to);
        size_t n = size < room ? size : room;
        if (!n)
            return false;
        memcpy(to, from, n);
        ring_wrote(ring, n);
        from += n;
        size -= n;
    }
    return true;
}

void ring_end(struct ring *ring)
{
    pthread_mutex_lock(&ring->mutex);
    ring->ended = true;
    locked_wake_readers(ring);
    pthread_mutex_unlock(&ring->mutex);
}

void ring_abort(struct ring *ring)
{
    pthread_mutex_lock(&ring->mutex);
    ring->aborted = ring->ended = ring->failed = true;
    locked_wake_readers(ring);
    pthread_cond_signal(&ring->freed);
    pthread_mutex_unlock(&ring->mutex);
}

/* The readers' sides */

/* What it has seen and not taken yet, in one piece */
static size_t piece(const struct ring *ring, const struct ring_reader *self, const void **bytes)
{
    size_t head = (size_t)(self->took % ring->size);
    size_t n = (size_t)(self->seen - self->took);
    *bytes = ring->bytes + head;
    return n < ring->size - head ? n : ring->size - head;
}

static void locked_give_back(struct ring *ring, struct ring_reader *self)
{
    self->at = self->took;
    locked_wake_writer(ring);
}

ssize_t ring_peek(struct ring *ring, unsigned reader, const void **bytes)
{
    struct ring_reader *self = &ring->readers[reader];
    if (self->seen > self->took)
        return (ssize_t)piece(ring, self, bytes);
    pthread_mutex_lock(&ring->mutex);
    locked_give_back(ring, self);
    self->waits = true;
    while (!ring->ended && ring->written - self->at < ring->batch)
        pthread_cond_wait(&self->filled, &ring->mutex);
    self->waits = false;
    self->seen = ring->written;
    bool aborted = ring->aborted;
    pthread_mutex_unlock(&ring->mutex);
    return aborted ? -1 : (ssize_t)piece(ring, self, bytes);
}

size_t ring_try_peek(struct ring *ring, unsigned reader, const void **bytes,
                     void (*wake)(void *data), void *data)
{
    struct ring_reader *self = &ring->readers[reader];
    if (self->seen > self->took)
        return piece(ring, self, bytes);
    pthread_mutex_lock(&ring->mutex);
    locked_give_back(ring, self);
    self->seen = ring->aborted ? self->took : ring->written;
    self->wake = self->seen > self->took ? NULL : wake;
    self->wake_data = data;
    pthread_mutex_unlock(&ring->mutex);
    return piece(ring, self, bytes);
}

void ring_took(struct ring *ring, unsigned reader, size_t size)
{
    struct ring_reader *self = &ring->readers[reader];
    self->took += size;
    if (self->took - self->at < ring->batch)
        return;
    pthread_mutex_lock(&ring->mutex);
    locked_give_back(ring, self);
    pthread_mutex_unlock(&ring->mutex);
}

void ring_leave(struct ring *ring, unsigned reader, bool has_failed)
{
    pthread_mutex_lock(&ring->mutex);
    ring->n_left += !ring->readers[reader].left;
    ring->readers[reader].left = true;
    ring->failed = ring->failed || has_failed;
    locked_wake_writer(ring);
    pthread_mutex_unlock(&ring->mutex);
}
