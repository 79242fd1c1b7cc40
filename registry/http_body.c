/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/http_body.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/sink.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#define RING_SIZE ((size_t)512 << 10)

struct http_body_reader {
    struct sink sink; /* where the producer writes */
    const struct http_body *body;
    void (*wake)(void *data);
    void *wake_data;
    uint64_t taken;
    struct thread *thread;
    struct error *error; /* of taking; a producer's is its thread's until it has ended */

    /* under mutex */
    pthread_mutex_t mutex;
    pthread_cond_t room;
    char *ring;
    size_t begin, size; /* what is in the ring */
    uint64_t written;
    bool starving; /* the loop found nothing */
    bool failed, stopped;
};

/* The producer's side */

static void ring_put(struct http_body_reader *reader, const char *bytes, size_t size)
{
    size_t at = (reader->begin + reader->size) % RING_SIZE;
    size_t first = size < RING_SIZE - at ? size : RING_SIZE - at;
    memcpy(reader->ring + at, bytes, first);
    memcpy(reader->ring, bytes + first, size - first);
    reader->size += size;
}

/* Waits for room; what fits of `size`, 0 when nobody reads any more */
static size_t put_some(struct http_body_reader *reader, const char *bytes, size_t size)
{
    pthread_mutex_lock(&reader->mutex);
    while (reader->size == RING_SIZE && !reader->stopped)
        pthread_cond_wait(&reader->room, &reader->mutex);
    size_t fits = RING_SIZE - reader->size < size ? RING_SIZE - reader->size : size;
    if (reader->stopped)
        fits = 0;
    ring_put(reader, bytes, fits);
    bool wake = reader->starving && fits;
    reader->starving = reader->starving && !fits;
    pthread_mutex_unlock(&reader->mutex);
    if (wake)
        reader->wake(reader->wake_data);
    return fits;
}

static int ring_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct http_body_reader *reader = (struct http_body_reader *)sink;
    const char *bytes = data;
    if (size > reader->body->size - reader->written)
        return error_set(err, ERR_DIGEST, "more than %llu bytes to send",
                         (unsigned long long)reader->body->size);
    reader->written += size;
    while (size) {
        size_t n = put_some(reader, bytes, size);
        if (!n)
            return error_set(err, ERR_FAILED, "the request has ended");
        bytes += n;
        size -= n;
    }
    return 0;
}

static int ring_finish(struct sink *sink UNUSED, struct error **err UNUSED)
{
    return 0;
}

static void ring_free(struct sink *sink UNUSED)
{
}

static void *run_producer(void *data)
{
    struct http_body_reader *reader = data;
    const struct http_body *body = reader->body;
    int result =
        body->produce(body->producer, body->offset, body->size, &reader->sink, &reader->error);
    if (result == 0 && reader->written < body->size)
        result = error_set(&reader->error, ERR_DIGEST, "%llu bytes to send where %llu are expected",
                           (unsigned long long)reader->written, (unsigned long long)body->size);
    pthread_mutex_lock(&reader->mutex);
    reader->failed = result < 0;
    bool wake = reader->failed && reader->starving;
    pthread_mutex_unlock(&reader->mutex);
    if (wake)
        reader->wake(reader->wake_data);
    return NULL;
}

/* The loop's side */

static ssize_t take_from_file(struct http_body_reader *reader, void *buffer, size_t size)
{
    ssize_t n = io_pread_full(reader->body->fd, buffer, size, reader->body->offset + reader->taken,
                              "what is sent", &reader->error);
    if (n == 0)
        return error_set(&reader->error, ERR_IO, "reading what is sent: the file got shorter");
    return n;
}

static ssize_t take_from_ring(struct http_body_reader *reader, char *buffer, size_t size)
{
    if (!reader->thread) {
        reader->ring = xmalloc(RING_SIZE);
        reader->thread = thread_start(run_producer, reader, &reader->error);
        if (!reader->thread)
            return -1;
    }
    pthread_mutex_lock(&reader->mutex);
    size_t n = size < reader->size ? size : reader->size;
    size_t first = n < RING_SIZE - reader->begin ? n : RING_SIZE - reader->begin;
    memcpy(buffer, reader->ring + reader->begin, first);
    memcpy(buffer + first, reader->ring, n - first);
    reader->begin = (reader->begin + n) % RING_SIZE;
    reader->size -= n;
    reader->starving = n == 0;
    bool failed = n == 0 && reader->failed;
    pthread_cond_signal(&reader->room);
    pthread_mutex_unlock(&reader->mutex);
    return failed ? -1 : (ssize_t)n;
}

ssize_t http_body_take(struct http_body_reader *reader, void *buffer, size_t size)
{
    const struct http_body *body = reader->body;
    uint64_t left = body->size - reader->taken;
    ssize_t n;
    if (size > left)
        size = (size_t)left;
    if (!size)
        return 0;
    if (body->produce) {
        n = take_from_ring(reader, buffer, size);
    } else if (body->data) {
        memcpy(buffer, (const char *)body->data + reader->taken, size);
        n = (ssize_t)size;
    } else {
        n = take_from_file(reader, buffer, size);
    }
    reader->taken += n > 0 ? (uint64_t)n : 0;
    return n;
}

uint64_t http_body_taken(const struct http_body_reader *reader)
{
    return reader->taken;
}

bool http_body_seek(struct http_body_reader *reader, uint64_t offset)
{
    if (offset > reader->body->size || (reader->body->produce && offset != reader->taken))
        return false;
    reader->taken = offset;
    return true;
}

struct http_body_reader *http_body_reader_new(const struct http_body *body,
                                              void (*wake)(void *data), void *data)
{
    static const struct sink_ops ops = { "request body", ring_write, ring_finish, ring_free };
    struct http_body_reader *reader = NEW(struct http_body_reader);
    reader->sink.ops = &ops;
    reader->body = body;
    reader->wake = wake;
    reader->wake_data = data;
    pthread_mutex_init(&reader->mutex, NULL);
    pthread_cond_init(&reader->room, NULL);
    return reader;
}

void http_body_stop(struct http_body_reader *reader)
{
    pthread_mutex_lock(&reader->mutex);
    bool failed = reader->failed;
    reader->stopped = true;
    pthread_cond_signal(&reader->room);
    pthread_mutex_unlock(&reader->mutex);
    if (!reader->thread)
        return;
    (void)thread_join(reader->thread);
    reader->thread = NULL;
    if (!failed) /* it had no more to say than that nobody listens */
        error_clear(&reader->error);
}

int http_body_error(struct http_body_reader *reader, struct error **err)
{
    if (!reader->error)
        return 0;
    error_move(err, TAKE(reader->error));
    return -1;
}

void http_body_reader_free(struct http_body_reader *reader)
{
    if (!reader)
        return;
    assert(!reader->thread);
    error_free(reader->error);
    pthread_mutex_destroy(&reader->mutex);
    pthread_cond_destroy(&reader->room);
    free(reader->ring);
    free(reader);
}
