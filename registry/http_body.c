/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/http_body.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/ring.h"
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

    struct ring *ring; /* NULL: no producer was started */
    uint64_t written;  /* the producer's */

    pthread_mutex_t mutex;
    bool failed; /* the producer; under mutex */
};

/* The producer's side */

static int body_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct http_body_reader *reader = (struct http_body_reader *)sink;
    if (size > reader->body->size - reader->written)
        return error_set(err, ERR_DIGEST, "more than %llu bytes to send",
                         (unsigned long long)reader->body->size);
    reader->written += size;
    if (!ring_write(reader->ring, data, size))
        return error_set(err, ERR_FAILED, "the request has ended");
    return 0;
}

static int body_finish(struct sink *sink UNUSED, struct error **err UNUSED)
{
    return 0;
}

static void body_free(struct sink *sink UNUSED)
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
    pthread_mutex_unlock(&reader->mutex);
    if (result < 0)
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
        reader->ring = ring_new(RING_SIZE, 1);
        reader->thread = thread_start(run_producer, reader, &reader->error);
        if (!reader->thread)
            return -1;
    }
    const void *bytes;
    size_t n = ring_try_peek(reader->ring, 0, &bytes, reader->wake, reader->wake_data);
    if (!n) {
        pthread_mutex_lock(&reader->mutex);
        bool failed = reader->failed;
        pthread_mutex_unlock(&reader->mutex);
        return failed ? -1 : 0;
    }
    n = size < n ? size : n;
    memcpy(buffer, bytes, n);
    ring_took(reader->ring, 0, n);
    return (ssize_t)n;
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
    static const struct sink_ops ops = { "request body", body_write, body_finish, body_free };
    struct http_body_reader *reader = NEW(struct http_body_reader);
    reader->sink.ops = &ops;
    reader->body = body;
    reader->wake = wake;
    reader->wake_data = data;
    pthread_mutex_init(&reader->mutex, NULL);
    return reader;
}

void http_body_stop(struct http_body_reader *reader)
{
    pthread_mutex_lock(&reader->mutex);
    bool failed = reader->failed;
    pthread_mutex_unlock(&reader->mutex);
    if (!reader->thread)
        return;
    ring_leave(reader->ring, 0, false);
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
    ring_free(reader->ring);
    free(reader);
}
