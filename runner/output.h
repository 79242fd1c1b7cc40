/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output of a command on its way to the user: whole lines where they come whole, nothing
 * ever left out; and its end, kept for the error message. Bytes in, calls out: no fd, no clock of
 * its own. Not locked.
 */
#ifndef CBUILD_RUNNER_OUTPUT_H
#define CBUILD_RUNNER_OUTPUT_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTPUT_MAX_LINE ((size_t)32768) /* of a longer line a part is delivered */
#define OUTPUT_SLOW_MS 250              /* and of one that isn't finished within this time */
#define OUTPUT_TAIL_LINES 64
#define OUTPUT_TAIL_SIZE ((size_t)8192)

typedef void output_log(void *data, const void *bytes, size_t size, bool error_stream);

struct output_stream {
    struct strbuf pending; /* an unfinished line */
    uint64_t since_ms;     /* when its first byte came */
};

struct output {
    output_log *log; /* may be NULL */
    void *log_data;
    struct output_stream streams[2]; /* stdout, stderr */
    struct strbuf tail;
};

void output_init(struct output *output, output_log *log, void *log_data);
void output_release(struct output *output);
DEFINE_AUTO_STRUCT(struct output, output_release)

void output_add(struct output *output, bool error_stream, const void *data, size_t size,
                uint64_t now_ms);
/* Delivers lines that have waited long enough. */
void output_tick(struct output *output, uint64_t now_ms);
/* Milliseconds until the next output_tick() has something to do, -1: never. */
int output_wait_ms(const struct output *output, uint64_t now_ms);
/* Delivers what is left. */
void output_finish(struct output *output);
/* The last lines of both streams, as they were delivered; "" where there was nothing. */
char *output_take_tail(struct output *output) WARN_UNUSED;

#endif
