/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/output.h"

#include <string.h>

void output_init(struct output *output, output_log *log, void *log_data)
{
    *output = (struct output){ .log = log, .log_data = log_data };
    for (int i = 0; i < 2; i++)
        strbuf_init(&output->streams[i].pending);
    strbuf_init(&output->tail);
}

void output_release(struct output *output)
{
    for (int i = 0; i < 2; i++)
        strbuf_release(&output->streams[i].pending);
    strbuf_release(&output->tail);
}

/* Twice the size is kept, so that it is cut rarely. */
static void keep_tail(struct output *output, const char *data, size_t size)
{
    if (size > OUTPUT_TAIL_SIZE) {
        data += size - OUTPUT_TAIL_SIZE;
        size = OUTPUT_TAIL_SIZE;
    }
    strbuf_add(&output->tail, data, size);
    if (output->tail.size > 2 * OUTPUT_TAIL_SIZE)
        strbuf_remove(&output->tail, 0, output->tail.size - OUTPUT_TAIL_SIZE);
}

static void deliver(struct output *output, bool error_stream, const char *data, size_t size)
{
    if (!size)
        return;
    keep_tail(output, data, size);
    if (output->log)
        output->log(output->log_data, data, size, error_stream);
}

static void flush(struct output *output, bool error_stream)
{
    struct strbuf *pending = &output->streams[error_stream].pending;
    deliver(output, error_stream, pending->data, pending->size);
    strbuf_reset(pending);
}

void output_add(struct output *output, bool error_stream, const void *data, size_t size,
                uint64_t now_ms)
{
    struct output_stream *stream = &output->streams[error_stream];
    const char *newline = memrchr(data, '\n', size);
    if (newline) {
        size_t whole = (size_t)(newline - (const char *)data) + 1;
        if (stream->pending.size) {
            strbuf_add(&stream->pending, data, whole);
            flush(output, error_stream);
        } else {
            deliver(output, error_stream, data, whole);
        }
        data = newline + 1;
        size -= whole;
    }
    if (!size)
        return;
    if (!stream->pending.size)
        stream->since_ms = now_ms;
    strbuf_add(&stream->pending, data, size);
    if (stream->pending.size >= OUTPUT_MAX_LINE)
        flush(output, error_stream);
}

void output_tick(struct output *output, uint64_t now_ms)
{
    for (int i = 0; i < 2; i++)
        if (output->streams[i].pending.size &&
            now_ms - output->streams[i].since_ms >= OUTPUT_SLOW_MS)
            flush(output, i);
}

int output_wait_ms(const struct output *output, uint64_t now_ms)
{
    int wait_ms = -1;
    for (int i = 0; i < 2; i++) {
        if (!output->streams[i].pending.size)
            continue;
        uint64_t passed = now_ms - output->streams[i].since_ms;
        int left = passed >= OUTPUT_SLOW_MS ? 0 : (int)(OUTPUT_SLOW_MS - passed);
        if (wait_ms < 0 || left < wait_ms)
            wait_ms = left;
    }
    return wait_ms;
}

void output_finish(struct output *output)
{
    flush(output, false);
    flush(output, true);
}

char *output_take_tail(struct output *output)
{
    const struct strbuf *tail = &output->tail;
    size_t start = tail->size > OUTPUT_TAIL_SIZE ? tail->size - OUTPUT_TAIL_SIZE : 0;
    /* begin with a whole line, if there is one */
    if (start) {
        const char *newline = memchr(tail->data + start, '\n', tail->size - start);
        if (newline && newline + 1 < tail->data + tail->size)
            start = (size_t)(newline + 1 - tail->data);
    }
    size_t lines = 0;
    for (size_t at = tail->size; at > start; at--) {
        if (tail->data[at - 1] != '\n' || at == tail->size)
            continue;
        if (++lines == OUTPUT_TAIL_LINES) {
            start = at;
            break;
        }
    }
    strbuf_remove(&output->tail, 0, start);
    return strbuf_detach(&output->tail);
}
