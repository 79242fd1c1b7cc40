/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded ring of bytes from one thread to one or several others, each of which sees all bytes.
 * Writers write into it and readers read in it: nothing is copied. Neither side is woken for less
 * than a quarter of the ring, but at the end.
 *
 *     while ((room = ring_room(ring, &to)))        while ((n = ring_peek(ring, 0, &bytes)) > 0)
 *         ring_wrote(ring, fill(to, room));            ring_took(ring, 0, use(bytes, n));
 *     ring_end(ring);                              ring_leave(ring, 0);
 */
#ifndef CBUILD_BASE_RING_H
#define CBUILD_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RING_MAX_READERS 4

struct ring;

/* size 0 is 1; 1 to RING_MAX_READERS readers, numbered from 0. */
struct ring *ring_new(size_t size, unsigned n_readers);
/* Nobody may use it any more. */
void ring_free(struct ring *ring);

/* The writer's side */

/* Waits for room: what is free in one piece at *to; 0: nobody reads any more. */
size_t ring_room(struct ring *ring, void **to);
/* The first `size` bytes of it are written. */
void ring_wrote(struct ring *ring, size_t size);
/* Both, by copying; false: nobody reads any more. */
bool ring_write(struct ring *ring, const void *bytes, size_t size);
/* No more will come. */
void ring_end(struct ring *ring);
/* Nor is what came wanted. From any thread. */
void ring_abort(struct ring *ring);

/* The readers' sides */

/* Waits for bytes: what lies in one piece at *bytes; 0 at the end, -1 aborted. */
ssize_t ring_peek(struct ring *ring, unsigned reader, const void **bytes);
/*
 * What there is, at once; 0: nothing yet, or the end. Then `wake` is called when there is more,
 * once, on the writer's thread.
 */
size_t ring_try_peek(struct ring *ring, unsigned reader, const void **bytes,
                     void (*wake)(void *data), void *data);
/* The first `size` bytes of it aren't needed any more. */
void ring_took(struct ring *ring, unsigned reader, size_t size);
/* This reader wants no more. When all have left, or one `has_failed`, writing ends. */
void ring_leave(struct ring *ring, unsigned reader, bool has_failed);

#endif
