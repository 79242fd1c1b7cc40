/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that read, as a source, what another thread writes: for work that pulls its
 * bytes (parsers, inflating, hashing) while they arrive. Each of them sees all bytes.
 *
 *     struct relay *relay = relay_start(1u << 20, runs, n, err);
 *     relay_write(relay, bytes, size);      (waits while the ring is full and somebody wants more)
 *     result = relay_finish(relay, err);    (what the runs returned)
 */
#ifndef CBUILD_BASE_RELAY_H
#define CBUILD_BASE_RELAY_H

#include "base/source.h"

struct relay;

/* May free the source or not. Its source lends: source_borrow() copies nothing. */
struct relay_run {
    int (*run)(void *data, struct source *source, struct error **err);
    void *data;
};

/*
 * `n` runs, each on a thread of its own; at most RING_MAX_READERS. Once all have returned, or one
 * has failed, bytes are passed over, and for the others it is the end.
 */
struct relay *relay_start(size_t ring_size, const struct relay_run *runs, unsigned n,
                          struct error **err);
void relay_write(struct relay *relay, const void *bytes, size_t size);
/* All of a source, read straight into the ring; ends early, well, when nobody wants more. */
int relay_pump(struct relay *relay, struct source *source, struct error **err) WARN_UNUSED;
/* The end: waits for all and frees the relay. The error is that of the first run that failed, in
 * the order of `runs`. */
int relay_finish(struct relay *relay, struct error **err) WARN_UNUSED;
/* Without an end: reading fails with ERR_CANCELLED. Waits for all, whose results nobody wants. */
void relay_free(struct relay *relay);
DEFINE_AUTO(struct relay, relay_free)

#endif
