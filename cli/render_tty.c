/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress on a terminal. What has ended stays as one line, in the order of ending; below stands
 * what runs, redrawn in place: name, time, transfers, and the last lines of its output. A step that
 * fails leaves all of its output: it is kept in an unnamed file until the step has ended.
 *
 * Times go on by a thread that begins with the first step after others have begun: a user namespace
 * can be entered by a process of one thread only, and until then nothing takes long.
 */
#include "base/array.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/strvec.h"
#include "cli/render.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 120
#define LOG_LINES 6 /* of each running step */
#define LINE_MAX_SIZE 400

struct transfer {
    char *name;
    uint64_t done, total;
};

struct vertex {
    char *name;
    uint64_t started_ms;
    bool running;
    FILE *log;           /* all of its output; NULL: none yet */
    struct strbuf line;  /* the last one, unfinished */
    struct strvec lines; /* the last ones */
    struct transfer *transfers;
    size_t n_transfers, transfers_capacity;
};

struct render_tty {
    struct progress progress;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t ticker;
    bool has_ticker, ending, no_color;
    struct vertex **vertices; /* number - 1 */
    size_t n_vertices, vertices_capacity;
    size_t n_done;
    uint64_t started_ms, drawn_ms;
    size_t n_drawn; /* lines below the ones that stay */
    struct strbuf out;
    bool held; /* what stays waits in `out`, the rest isn't drawn */
};

/* --- pieces ---------------------------------------------------------------------------------- */

enum color { PLAIN, DIM, BLUE, RED, YELLOW };

static void add_color(struct render_tty *render, enum color color)
{
    static const char *const codes[] = { "\033[0m", "\033[2m", "\033[34m", "\033[31m", "\033[33m" };
    if (!render->no_color)
        strbuf_adds(&render->out, codes[color]);
}

static double seconds_since(uint64_t started_ms)
{
    return (double)(clock_monotonic_ms() - started_ms) / 1000.0;
}

static struct winsize window(void)
{
    struct winsize size = { .ws_col = 80, .ws_row = 24 };
    struct winsize found;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &found) == 0 && found.ws_col > 20 && found.ws_row > 3)
        size = found;
    return size;
}

/* At most `width` columns, a character of several bytes counted as one: a wide one may wrap. */
static size_t cut(const char *text, size_t width)
{
    size_t size = 0;
    for (size_t columns = 0; text[size]; size++)
        if (((unsigned char)text[size] & 0xc0) != 0x80 && columns++ == width)
            break;
    return size;
}

/* A line of the part that is redrawn: it must not wrap. `right` may be NULL. */
static void add_line(struct render_tty *render, enum color color, const char *left,
                     const char *right)
{
    const size_t width = window().ws_col - 1u;
    size_t right_size = right ? strlen(right) + 1 : 0;
    size_t size = cut(left, width > right_size ? width - right_size : 0);
    if (color != PLAIN)
        add_color(render, color);
    strbuf_add(&render->out, left, size);
    if (right) {
        size_t columns = 0;
        for (size_t i = 0; i < size; i++)
            columns += ((unsigned char)left[i] & 0xc0) != 0x80;
        for (; columns + right_size < width + 1; columns++)
            strbuf_addc(&render->out, ' ');
        strbuf_adds(&render->out, right);
    }
    if (color != PLAIN)
        add_color(render, PLAIN);
    strbuf_addc(&render->out, '\n');
    render->n_drawn++;
}

/* --- what is redrawn ------------------------------------------------------------------------- */

static void erase(struct render_tty *render)
{
    if (render->n_drawn)
        strbuf_addf(&render->out, "\033[%zuA\r\033[J", render->n_drawn);
    render->n_drawn = 0;
}

static void draw_vertex(struct render_tty *render, const struct vertex *vertex, size_t n_lines)
{
    AUTO(free) char *name = xasprintf(" => %s", vertex->name);
    AUTO(free) char *time = xasprintf("%.1fs", seconds_since(vertex->started_ms));
    add_line(render, PLAIN, name, time);
    for (size_t i = 0; i < vertex->n_transfers && n_lines; i++, n_lines--) {
        const struct transfer *transfer = &vertex->transfers[i];
        char done[RENDER_SIZE_TEXT], total[RENDER_SIZE_TEXT];
        render_format_size(done, transfer->done);
        render_format_size(total, transfer->total);
        AUTO(free) char *text = xasprintf(" => => %s %s / %s", transfer->name, done, total);
        add_line(render, PLAIN, text, NULL);
    }
    size_t n = vertex->lines.n < n_lines ? vertex->lines.n : n_lines;
    for (size_t i = vertex->lines.n - n; i < vertex->lines.n; i++) {
        AUTO(free) char *text = xasprintf(" => => # %s", vertex->lines.items[i]);
        add_line(render, DIM, text, NULL);
    }
}

/* As much as the window holds, the name of each step first. */
static void draw(struct render_tty *render)
{
    size_t rows = window().ws_row - 2u, n_running = 0, n_begun = 0;
    for (size_t i = 0; i < render->n_vertices; i++) {
        n_running += render->vertices[i]->running;
        n_begun += render->vertices[i]->name != NULL;
    }
    if (!n_running)
        return;
    AUTO(free)
    char *head = xasprintf("[+] Building %.1fs (%zu/%zu)", seconds_since(render->started_ms),
                           render->n_done, n_begun);
    add_line(render, PLAIN, head, NULL);
    size_t spare = rows > n_running + 1 ? rows - n_running - 1 : 0;
    size_t each = spare / n_running < LOG_LINES ? spare / n_running : LOG_LINES;
    for (size_t i = 0; i < render->n_vertices && render->n_drawn < rows; i++)
        if (render->vertices[i]->running)
            draw_vertex(render, render->vertices[i], each);
    render->drawn_ms = clock_monotonic_ms();
}

static void flush(struct render_tty *render)
{
    if (render->held)
        return;
    (void)fwrite(render->out.data, 1, render->out.size, stderr);
    (void)fflush(stderr);
    strbuf_reset(&render->out);
}

static void redraw(struct render_tty *render)
{
    erase(render);
    if (!render->held)
        draw(render);
    flush(render);
}

static void *tick(void *data)
{
    struct render_tty *render = data;
    pthread_mutex_lock(&render->lock);
    while (!render->ending) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&render->changed, &render->lock, &until);
        if (!render->ending)
            redraw(render);
    }
    pthread_mutex_unlock(&render->lock);
    return NULL;
}

static bool has_threads(void)
{
    size_t n = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks && (entry = readdir(tasks));)
        n += entry->d_name[0] != '.';
    if (tasks)
        (void)closedir(tasks);
    return n > 1;
}

static void start_ticker(struct render_tty *render)
{
    if (!render->has_ticker && has_threads())
        render->has_ticker = pthread_create(&render->ticker, NULL, tick, render) == 0;
}

/* --- a step's output ------------------------------------------------------------------------- */

static void end_line(struct vertex *vertex)
{
    AUTO(strbuf_release) struct strbuf clean = STRBUF_INIT;
    /* what a program overwrites with a carriage return isn't to be seen here either */
    const char *text = vertex->line.data;
    const char *last = strrchr(text, '\r');
    strbuf_add_printable(&clean, last && last[1] ? last + 1 : text);
    strbuf_rtrim(&clean);
    if (vertex->lines.n == LOG_LINES)
        strvec_remove(&vertex->lines, 0);
    strvec_push(&vertex->lines, clean.data);
    strbuf_reset(&vertex->line);
}

static void add_log(struct vertex *vertex, const char *data, size_t size)
{
    if (!vertex->log)
        vertex->log = tmpfile();
    if (vertex->log)
        (void)fwrite(data, 1, size, vertex->log);
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n')
            end_line(vertex);
        else if (data[i] && vertex->line.size < LINE_MAX_SIZE)
            strbuf_addc(&vertex->line, data[i]);
    }
}

/* Everything, as it came. */
static void add_whole_log(struct render_tty *render, struct vertex *vertex)
{
    char buffer[4096];
    size_t n, last = '\n';
    if (!vertex->log)
        return;
    strbuf_addf(&render->out, "------\n > %s:\n", vertex->name);
    rewind(vertex->log);
    while ((n = fread(buffer, 1, sizeof(buffer), vertex->log)) > 0) {
        strbuf_add(&render->out, buffer, n);
        flush(render);
        last = (unsigned char)buffer[n - 1];
    }
    strbuf_adds(&render->out, last == '\n' ? "------\n" : "\n------\n");
}

static void set_transfer(struct vertex *vertex, const struct progress_event *event)
{
    const char *name = event->name ? event->name : "";
    for (size_t i = 0; i < vertex->n_transfers; i++) {
        if (strcmp(vertex->transfers[i].name, name) == 0) {
            vertex->transfers[i].done = event->done;
            vertex->transfers[i].total = event->total;
            return;
        }
    }
    struct transfer *transfer = ARRAY_PUSH(vertex, transfers);
    *transfer =
        (struct transfer){ .name = xstrdup(name), .done = event->done, .total = event->total };
}

/* --- what stays ------------------------------------------------------------------------------ */

static void keep_text(struct render_tty *render, enum color color, const char *before,
                      const char *text)
{
    erase(render);
    add_color(render, color);
    strbuf_adds(&render->out, before);
    strbuf_add_printable(&render->out, text);
    add_color(render, PLAIN);
    strbuf_addc(&render->out, '\n');
}

static void empty_vertex(struct vertex *vertex)
{
    if (vertex->log)
        (void)fclose(vertex->log);
    vertex->log = NULL;
    strvec_release(&vertex->lines);
    strbuf_release(&vertex->line);
    for (size_t i = 0; i < vertex->n_transfers; i++)
        free(vertex->transfers[i].name);
    free(vertex->transfers);
    vertex->transfers = NULL;
    vertex->n_transfers = vertex->transfers_capacity = 0;
}

static void end_vertex(struct render_tty *render, struct vertex *vertex, enum color color,
                       const char *word)
{
    AUTO(free) char *name = xasprintf(" => %s%s", word, vertex->name);
    AUTO(free) char *time = xasprintf("%.1fs", seconds_since(vertex->started_ms));
    vertex->running = false;
    render->n_done++;
    erase(render);
    add_line(render, color, name, time);
    render->n_drawn = 0; /* it stays */
    if (color == RED)
        add_whole_log(render, vertex);
    empty_vertex(vertex);
}

static void show(struct render_tty *render, struct vertex *vertex,
                 const struct progress_event *event)
{
    switch (event->kind) {
    case PROGRESS_STARTED: {
        AUTO(strbuf_release) struct strbuf name = STRBUF_INIT;
        strbuf_add_printable(&name, event->name);
        free(vertex->name);
        vertex->name = xstrdup(name.data);
        vertex->started_ms = clock_monotonic_ms();
        vertex->running = true;
        start_ticker(render);
        return;
    }
    case PROGRESS_CACHED:
        end_vertex(render, vertex, BLUE, "CACHED ");
        return;
    case PROGRESS_DONE:
        end_vertex(render, vertex, BLUE, "");
        return;
    case PROGRESS_FAILED:
        end_vertex(render, vertex, RED, "ERROR ");
        return;
    case PROGRESS_CANCELLED:
        end_vertex(render, vertex, YELLOW, "CANCELED ");
        return;
    case PROGRESS_LOG:
        add_log(vertex, event->data, event->size);
        return;
    case PROGRESS_TRANSFER:
        set_transfer(vertex, event);
        return;
    case PROGRESS_WARNING:
        keep_text(render, YELLOW, " => WARNING: ", event->text);
        return;
    case PROGRESS_NOTE:
        keep_text(render, PLAIN, " => ", event->text);
        return;
    }
}

static void emit(struct progress *progress, const struct progress_event *event)
{
    struct render_tty *render = CONTAINER_OF(progress, struct render_tty, progress);
    bool often = event->kind == PROGRESS_LOG || event->kind == PROGRESS_TRANSFER;
    pthread_mutex_lock(&render->lock);
    struct vertex *vertex = event->vertex && event->vertex <= render->n_vertices
                                ? render->vertices[event->vertex - 1]
                                : NULL;
    if (vertex && (vertex->name || event->kind == PROGRESS_STARTED))
        show(render, vertex, event);
    else if (event->text)
        keep_text(render, event->kind == PROGRESS_WARNING ? YELLOW : PLAIN,
                  event->kind == PROGRESS_WARNING ? "warning: " : "", event->text);
    if (!often || clock_monotonic_ms() - render->drawn_ms >= TICK_MS)
        redraw(render);
    pthread_mutex_unlock(&render->lock);
}

static void hold(struct progress *progress, bool held)
{
    struct render_tty *render = CONTAINER_OF(progress, struct render_tty, progress);
    pthread_mutex_lock(&render->lock);
    erase(render);
    flush(render);
    render->held = held;
    redraw(render);
    pthread_mutex_unlock(&render->lock);
}

static unsigned new_vertex(struct progress *progress)
{
    struct render_tty *render = CONTAINER_OF(progress, struct render_tty, progress);
    pthread_mutex_lock(&render->lock);
    struct vertex *vertex = NEW(struct vertex);
    strbuf_init(&vertex->line);
    *ARRAY_PUSH(render, vertices) = vertex;
    unsigned number = (unsigned)render->n_vertices;
    pthread_mutex_unlock(&render->lock);
    return number;
}

static struct progress *tty_new(void)
{
    const char *no_color = getenv("NO_COLOR"); /* no-color.org: any value but an empty one */
    struct render_tty *render = NEW(struct render_tty);
    render->progress.emit = emit;
    render->progress.new_vertex = new_vertex;
    render->progress.hold = hold;
    render->progress.shows_failed_log = true;
    render->no_color = no_color && *no_color;
    render->started_ms = clock_monotonic_ms();
    pthread_mutex_init(&render->lock, NULL);
    pthread_cond_init(&render->changed, NULL);
    strbuf_init(&render->out);
    return &render->progress;
}

static void tty_free(struct progress *progress)
{
    struct render_tty *render = CONTAINER_OF(progress, struct render_tty, progress);
    pthread_mutex_lock(&render->lock);
    render->ending = true;
    erase(render);
    flush(render);
    pthread_cond_broadcast(&render->changed);
    pthread_mutex_unlock(&render->lock);
    if (render->has_ticker)
        (void)pthread_join(render->ticker, NULL);
    for (size_t i = 0; i < render->n_vertices; i++) {
        empty_vertex(render->vertices[i]);
        free(render->vertices[i]->name);
        free(render->vertices[i]);
    }
    free(render->vertices);
    strbuf_release(&render->out);
    pthread_mutex_destroy(&render->lock);
    pthread_cond_destroy(&render->changed);
    free(render);
}

const struct render_ops render_tty = { "tty", tty_new, tty_free };
