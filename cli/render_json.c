/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BuildKit's client status as JSON, one object a line, with the members that its readers know:
 * vertexes, statuses, logs, warnings. A vertex's digest is a name for it: that of its number and
 * text. COMMANDS.md section 1, "rawjson"
 */
#include "base/array.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/render.h"
#include "oci/digest.h"
#include "registry/base64.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct vertex {
    char digest[DIGEST_TEXT_SIZE];
    char *name, *started; /* NULL: not yet */
};

struct render_json {
    struct progress progress;
    pthread_mutex_t lock;
    struct vertex *vertices; /* number - 1 */
    size_t n_vertices, vertices_capacity;
};

static json_t *now(void)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t ns = clock_now_ns();
    clock_format_ns(ns / 1000000000, (uint32_t)(ns % 1000000000), text);
    return json_from_string(text);
}

static void print(const char *member, json_t *object)
{
    AUTO(json_decref) json_t *root = json_object();
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    json_t *list = json_array();
    json_array_append_new(list, object);
    json_set(root, member, list);
    json_format_canonical(root, &text);
    strbuf_addc(&text, '\n');
    (void)fwrite(text.data, 1, text.size, stderr);
    (void)fflush(stderr);
}

static json_t *encoded(const void *data, size_t size)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    base64_encode(&text, data, size);
    return json_from_string(text.data);
}

static void name_vertex(struct vertex *vertex, unsigned number, const char *name)
{
    AUTO(free) char *text = xasprintf("%u %s", number, name);
    struct digest digest = digest_of(text, strlen(text));
    digest_format(&digest, vertex->digest);
    free(vertex->name);
    vertex->name = xstrdup(name);
}

static void print_vertex(const struct vertex *vertex, const char *error, bool cached,
                         bool completed)
{
    json_t *object = json_object();
    json_set(object, "digest", json_from_string(vertex->digest));
    json_set(object, "name", json_from_string(vertex->name));
    json_set(object, "started", json_from_string(vertex->started));
    if (completed)
        json_set(object, "completed", now());
    if (cached)
        json_set(object, "cached", json_true());
    if (error)
        json_set(object, "error", json_from_string(error));
    print("vertexes", object);
}

static void start(struct vertex *vertex, unsigned number, const char *name)
{
    name_vertex(vertex, number, name);
    AUTO(json_decref) json_t *time = now();
    free(vertex->started);
    vertex->started = xstrdup(json_string_value(time));
    print_vertex(vertex, NULL, false, false);
}

static void print_log(const struct vertex *vertex, const void *data, size_t size, bool error_stream)
{
    json_t *object = json_object();
    json_set(object, "vertex", json_from_string(vertex->digest));
    json_set(object, "stream", json_integer(error_stream ? 2 : 1));
    json_set(object, "data", encoded(data, size));
    json_set(object, "timestamp", now());
    print("logs", object);
}

static void print_status(const struct vertex *vertex, const struct progress_event *event)
{
    json_t *object = json_object();
    json_set(object, "id", json_from_string(event->name ? event->name : ""));
    json_set(object, "vertex", json_from_string(vertex->digest));
    json_set(object, "current", json_integer((json_int_t)event->done));
    json_set(object, "total", json_integer((json_int_t)event->total));
    json_set(object, "timestamp", now());
    json_set(object, "started", json_from_string(vertex->started));
    if (event->total && event->done >= event->total)
        json_set(object, "completed", now());
    print("statuses", object);
}

static void print_warning(const struct vertex *vertex, const char *text)
{
    json_t *object = json_object();
    json_set(object, "vertex", json_from_string(vertex ? vertex->digest : ""));
    json_set(object, "level", json_integer(1));
    json_set(object, "short", encoded(text, strlen(text)));
    print("warnings", object);
}

/* What belongs to no step: a vertex of its own, that ends at once. */
static void print_note(struct render_json *render, const char *text)
{
    (void)ARRAY_PUSH(render, vertices);
    struct vertex *vertex = &render->vertices[render->n_vertices - 1];
    start(vertex, (unsigned)render->n_vertices, text);
    print_vertex(vertex, NULL, false, true);
}

static void show(struct vertex *vertex, const struct progress_event *event)
{
    switch (event->kind) {
    case PROGRESS_STARTED:
        start(vertex, event->vertex, event->name);
        return;
    case PROGRESS_CACHED:
        print_vertex(vertex, NULL, true, true);
        return;
    case PROGRESS_DONE:
        print_vertex(vertex, NULL, false, true);
        return;
    case PROGRESS_FAILED:
        print_vertex(vertex, event->text, false, true);
        return;
    case PROGRESS_CANCELLED:
        print_vertex(vertex, "context canceled", false, true);
        return;
    case PROGRESS_LOG:
        print_log(vertex, event->data, event->size, event->error_stream);
        return;
    case PROGRESS_TRANSFER:
        print_status(vertex, event);
        return;
    case PROGRESS_WARNING:
        print_warning(vertex, event->text);
        return;
    case PROGRESS_NOTE: {
        AUTO(free) char *line = xasprintf("%s\n", event->text);
        print_log(vertex, line, strlen(line), false);
        return;
    }
    }
}

static void emit(struct progress *progress, const struct progress_event *event)
{
    struct render_json *render = CONTAINER_OF(progress, struct render_json, progress);
    pthread_mutex_lock(&render->lock);
    if (event->vertex && event->vertex <= render->n_vertices)
        show(&render->vertices[event->vertex - 1], event);
    else if (event->kind == PROGRESS_WARNING)
        print_warning(NULL, event->text);
    else if (event->text)
        print_note(render, event->text);
    pthread_mutex_unlock(&render->lock);
}

static unsigned new_vertex(struct progress *progress)
{
    struct render_json *render = CONTAINER_OF(progress, struct render_json, progress);
    pthread_mutex_lock(&render->lock);
    (void)ARRAY_PUSH(render, vertices);
    unsigned number = (unsigned)render->n_vertices;
    name_vertex(&render->vertices[number - 1], number, "");
    pthread_mutex_unlock(&render->lock);
    return number;
}

static struct progress *json_new(void)
{
    struct render_json *render = NEW(struct render_json);
    render->progress.emit = emit;
    render->progress.new_vertex = new_vertex;
    render->progress.shows_no_log = true;
    pthread_mutex_init(&render->lock, NULL);
    return &render->progress;
}

static void json_free(struct progress *progress)
{
    struct render_json *render = CONTAINER_OF(progress, struct render_json, progress);
    for (size_t i = 0; i < render->n_vertices; i++) {
        free(render->vertices[i].name);
        free(render->vertices[i].started);
    }
    free(render->vertices);
    pthread_mutex_destroy(&render->lock);
    free(render);
}

const struct render_ops render_json = { "rawjson", json_new, json_free };
