/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the micro-benches share: a loop is repeated, its cheapest round counts, since noise only
 * adds. Prints ns of CPU time and, where the machine counts them for us, instructions of user space
 * per operation; MB/s of loops that move bytes.
 */
#ifndef CBUILD_BENCH_MICRO_H
#define CBUILD_BENCH_MICRO_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct loop {
    const char *name;
    uint64_t n_ops;     /* of one run */
    uint64_t n_bytes;   /* of one run; 0: it moves none */
    unsigned n_threads; /* the time is that of all */
};

/* Runs it until half a second has passed, five times at least. */
void measure(const struct loop *loop, void (*run)(void *data), void *data);
/* Where nothing may fail: ends the program with the text of the local `err`. */
#define MUST(result)                                                                               \
    do {                                                                                           \
        if ((result) < 0)                                                                          \
            give_up(err);                                                                          \
    } while (0)
void give_up(const struct error *err) __attribute__((noreturn));

/* Text that compresses as sources do, the same each time; the caller's. */
char *made_text(size_t size);

#endif
