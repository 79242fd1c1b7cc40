/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that reads, as a source, what another thread writes: for work that pulls its
 * bytes (parsers, inflating) while they arrive.
 *
 *     struct relay *relay = relay_start(1u << 20, run, data, err);
 *     relay_write(relay, bytes, size);      (waits while the ring is full and run wants more)
 *     result = relay_finish(relay, err);    (what run returned)
 */
#ifndef CBUILD_BASE_RELAY_H
#define CBUILD_BASE_RELAY_H

#include "base/source.h"

struct relay;

/* run may free the source or not. Once it has returned, bytes are passed over. */
struct relay *relay_start(size_t ring_size,
                          int (*run)(void *data, struct source *source, struct error **err),
                          void *data, struct error **err);
void relay_write(struct relay *relay, const void *bytes, size_t size);
/* All of a source, read straight into the ring; ends early, well, when run has returned. */
int relay_pump(struct relay *relay, struct source *source, struct error **err) WARN_UNUSED;
/* The end: waits for run and frees the relay. The result and error are run's. */
int relay_finish(struct relay *relay, struct error **err) WARN_UNUSED;
/* Without an end: reading fails with ERR_CANCELLED. Waits for run, whose result nobody wants. */
void relay_free(struct relay *relay);
DEFINE_AUTO(struct relay, relay_free)

#endif
