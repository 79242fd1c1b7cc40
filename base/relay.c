/* SPDX-License-Identifier: Apache-2.0 */
#include "base/relay.h"

#include "base/mem.h"
#include "base/pool.h"
#include "base/ring.h"

#include <string.h>

struct relay_reader {
    struct source source;
    struct ring *ring;
    unsigned index;
    struct relay_run run;
    size_t lent; /* of the ring, until the next call */
    struct thread *thread;
    int result;
    struct error *error;
};

struct relay {
    struct ring *ring;
    struct relay_reader readers[RING_MAX_READERS];
    unsigned n_readers;
};

static ssize_t relay_borrow(struct source *source, void *buffer UNUSED, size_t size,
                            const void **data, struct error **err)
{
    struct relay_reader *reader = CONTAINER_OF(source, struct relay_reader, source);
    if (reader->lent)
        ring_took(reader->ring, reader->index, reader->lent);
    reader->lent = 0;
    ssize_t n = ring_peek(reader->ring, reader->index, data);
    if (n < 0)
        return error_set(err, ERR_CANCELLED, "given up");
    if ((size_t)n > size)
        n = (ssize_t)size;
    reader->lent = (size_t)n;
    return n;
}

static ssize_t relay_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct relay_reader *reader = CONTAINER_OF(source, struct relay_reader, source);
    const void *bytes = NULL;
    ssize_t n = relay_borrow(source, NULL, size, &bytes, err);
    if (n <= 0)
        return n;
    memcpy(data, bytes, (size_t)n);
    reader->lent = 0;
    ring_took(reader->ring, reader->index, (size_t)n);
    return n;
}

static void nothing_to_free(struct source *source UNUSED)
{
}

static void *run(void *data)
{
    struct relay_reader *reader = data;
    reader->result = reader->run.run(reader->run.data, &reader->source, &reader->error);
    ring_leave(reader->ring, reader->index, reader->result < 0);
    return NULL;
}

static int start(struct relay *relay, const struct relay_run *what, struct error **err)
{
    static const struct source_ops ops = { "relay", relay_read, nothing_to_free, relay_borrow };
    struct relay_reader *reader = &relay->readers[relay->n_readers];
    reader->source.ops = &ops;
    reader->ring = relay->ring;
    reader->index = relay->n_readers;
    reader->run = *what;
    reader->thread = thread_start(run, reader, err);
    if (!reader->thread)
        return -1;
    relay->n_readers++;
    return 0;
}

struct relay *relay_start(size_t ring_size, const struct relay_run *runs, unsigned n,
                          struct error **err)
{
    struct relay *relay = NEW(struct relay);
    relay->ring = ring_new(ring_size, n);
    for (unsigned i = 0; i < n; i++) {
        if (start(relay, &runs[i], err) < 0) {
            relay_free(relay);
            return NULL;
        }
    }
    return relay;
}

int relay_pump(struct relay *relay, struct source *source, struct error **err)
{
    void *to;
    size_t room;
    ssize_t n = 0;
    while ((room = ring_room(relay->ring, &to)) && (n = source_read(source, to, room, err)) > 0)
        ring_wrote(relay->ring, (size_t)n);
    return n < 0 ? -1 : 0;
}

void relay_write(struct relay *relay, const void *bytes, size_t size)
{
    (void)ring_write(relay->ring, bytes, size); /* false: nobody wants more, which is no failure */
}

static void join(struct relay *relay)
{
    for (unsigned i = 0; i < relay->n_readers; i++)
        thread_join(TAKE(relay->readers[i].thread));
}

static void release(struct relay *relay)
{
    for (unsigned i = 0; i < relay->n_readers; i++)
        error_free(relay->readers[i].error);
    ring_free(relay->ring);
    free(relay);
}

int relay_finish(struct relay *relay, struct error **err)
{
    int result = 0;
    ring_end(relay->ring);
    join(relay);
    for (unsigned i = 0; i < relay->n_readers && result == 0; i++) {
        result = relay->readers[i].result;
        if (result < 0)
            error_move(err, TAKE(relay->readers[i].error));
    }
    release(relay);
    return result;
}

void relay_free(struct relay *relay)
{
    if (!relay)
        return;
    ring_abort(relay->ring);
    join(relay);
    release(relay);
}
