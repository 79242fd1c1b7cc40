/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress as lines, in the shape of BuildKit's plain progress:
 *
 *     #5 [build 2/4] RUN make
 *     #5 0.42 text
 *     #5 DONE 1.2s
 *
 * Nothing is ever clipped.
 */
#include "base/array.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strvec.h"
#include "cli/render.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct vertex {
    char *name;
    uint64_t started_ms, transfer_ms;
    struct strvec completed; /* blobs whose last line was shown */
};

struct render_plain {
    struct progress progress;
    pthread_mutex_t lock;
    struct vertex *vertices; /* number - 1 */
    size_t n_vertices, vertices_capacity;
    unsigned current; /* whose lines came last */
    struct strbuf line;
    bool held; /* what there is to show waits in `line` */
};

static struct vertex *find(struct render_plain *render, unsigned number)
{
    return number && number <= render->n_vertices ? &render->vertices[number - 1] : NULL;
}

static double seconds_since(uint64_t started_ms)
{
    return (double)(clock_monotonic_ms() - started_ms) / 1000.0;
}

/* A blank line between vertices, and the name again where one goes on. */
static void switch_to(struct render_plain *render, unsigned number, const char *name)
{
    if (render->current == number)
        return;
    if (render->current)
        strbuf_addc(&render->line, '\n');
    if (name)
        strbuf_addf(&render->line, "#%u %s\n", number, name);
    render->current = number;
}

static void flush(struct render_plain *render)
{
    if (render->held)
        return;
    /* one write, so that lines of several processes don't mix */
    (void)fwrite(render->line.data, 1, render->line.size, stderr);
    (void)fflush(stderr);
    strbuf_reset(&render->line);
}

static void add_log(struct render_plain *render, const struct vertex *vertex,
                    const struct progress_event *event)
{
    const char *data = event->data;
    size_t size = event->size;
    double at = seconds_since(vertex->started_ms);
    while (size) {
        const char *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size;
        strbuf_addf(&render->line, "#%u %.3f ", event->vertex, at);
        strbuf_add(&render->line, data, n && data[n - 1] == '\r' ? n - 1 : n);
        strbuf_addc(&render->line, '\n');
        n += end != NULL;
        data += n;
        size -= n;
    }
}

/* A line at the end of each blob, and every five seconds in between. */
static void add_transfer(struct render_plain *render, struct vertex *vertex,
                         const struct progress_event *event)
{
    uint64_t now = clock_monotonic_ms();
    bool complete = event->total && event->done >= event->total;
    const char *name = event->name ? event->name : "";
    if (complete ? strvec_has(&vertex->completed, name) : now - vertex->transfer_ms < 5000)
        return;
    if (complete)
        strvec_push(&vertex->completed, name);
    vertex->transfer_ms = now;
    char done[RENDER_SIZE_TEXT], total[RENDER_SIZE_TEXT];
    render_format_size(done, event->done);
    render_format_size(total, event->total);
    switch_to(render, event->vertex, vertex->name);
    strbuf_addf(&render->line, "#%u %s %s / %s\n", event->vertex, name, done, total);
}

static void add_vertex_event(struct render_plain *render, struct vertex *vertex,
                             const struct progress_event *event)
{
    unsigned number = event->vertex;
    switch (event->kind) {
    case PROGRESS_STARTED:
        free(vertex->name);
        vertex->name = xstrdup(event->name);
        vertex->started_ms = vertex->transfer_ms = clock_monotonic_ms();
        switch_to(render, number, event->name);
        return;
    case PROGRESS_TRANSFER:
        add_transfer(render, vertex, event);
        return;
    case PROGRESS_WARNING:
    case PROGRESS_NOTE:
    case PROGRESS_CACHED:
    case PROGRESS_LOG:
    case PROGRESS_DONE:
    case PROGRESS_FAILED:
    case PROGRESS_CANCELLED:
        break;
    }
    switch_to(render, number, vertex->name);
    if (event->kind == PROGRESS_LOG)
        add_log(render, vertex, event);
    else if (event->kind == PROGRESS_CACHED)
        strbuf_addf(&render->line, "#%u CACHED\n", number);
    else if (event->kind == PROGRESS_DONE)
        strbuf_addf(&render->line, "#%u DONE %.1fs\n", number, seconds_since(vertex->started_ms));
    else if (event->kind == PROGRESS_FAILED)
        strbuf_addf(&render->line, "#%u ERROR: %s\n", number, event->text);
    else if (event->kind == PROGRESS_CANCELLED)
        strbuf_addf(&render->line, "#%u CANCELED\n", number);
    else
        strbuf_addf(&render->line, "#%u %s%s\n", number,
                    event->kind == PROGRESS_WARNING ? "WARNING: " : "", event->text);
}

static void emit(struct progress *progress, const struct progress_event *given)
{
    struct render_plain *render = CONTAINER_OF(progress, struct render_plain, progress);
    /* names and messages hold what Dockerfiles and registries say; only a step's output goes out as
     * it is */
    AUTO(strbuf_release) struct strbuf name = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    struct progress_event clean = *given, *event = &clean;
    if (given->name) {
        strbuf_add_printable(&name, given->name);
        clean.name = name.data;
    }
    if (given->text) {
        strbuf_add_printable(&text, given->text);
        clean.text = text.data;
    }
    pthread_mutex_lock(&render->lock);
    struct vertex *vertex = find(render, event->vertex);
    if (vertex)
        add_vertex_event(render, vertex, event);
    else if (event->text)
        strbuf_addf(&render->line, "%s%s\n", event->kind == PROGRESS_WARNING ? "warning: " : "",
                    event->text);
    flush(render);
    pthread_mutex_unlock(&render->lock);
}

static void hold(struct progress *progress, bool held)
{
    struct render_plain *render = CONTAINER_OF(progress, struct render_plain, progress);
    pthread_mutex_lock(&render->lock);
    render->held = held;
    flush(render);
    pthread_mutex_unlock(&render->lock);
}

static unsigned new_vertex(struct progress *progress)
{
    struct render_plain *render = CONTAINER_OF(progress, struct render_plain, progress);
    pthread_mutex_lock(&render->lock);
    (void)ARRAY_PUSH(render, vertices);
    unsigned number = (unsigned)render->n_vertices;
    pthread_mutex_unlock(&render->lock);
    return number;
}

static struct progress *plain_new(void)
{
    struct render_plain *render = NEW(struct render_plain);
    render->progress.emit = emit;
    render->progress.new_vertex = new_vertex;
    render->progress.hold = hold;
    pthread_mutex_init(&render->lock, NULL);
    strbuf_init(&render->line);
    return &render->progress;
}

static void plain_free(struct progress *progress)
{
    struct render_plain *render = CONTAINER_OF(progress, struct render_plain, progress);
    for (size_t i = 0; i < render->n_vertices; i++) {
        free(render->vertices[i].name);
        strvec_release(&render->vertices[i].completed);
    }
    free(render->vertices);
    strbuf_release(&render->line);
    pthread_mutex_destroy(&render->lock);
    free(render);
}

const struct render_ops render_plain = { "plain", plain_new, plain_free };
