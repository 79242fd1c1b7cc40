/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer cuts; whoever is free compresses; whoever completes the oldest
 * member writes out all that are ready. Who writes holds `writing`, not the lock.
 *
 * 1. Jobs stand in the order of the input; a job is waiting, taken or ready, never less again.
 * 2. At most `limit` jobs exist, and while a member is filled they hold a member's most for each
 *    thread, IN_FLIGHT_MOST bytes at most: so memory doesn't grow with the number of cores. At the
 *    limit the writer takes a waiting job itself; it sleeps only when every job is taken or being
 *    written, that is when other threads run: so a pool whose workers are all writers of layers
 *    can't come to a stop. Bytes are what counts: most members are small, and a helper goes through
 *    several of them while the writer compresses a large one. With one job more than threads
 *    helpers waited for a tenth of the time (two cores, a tree of 38,881 files).
 * 3. A helper task takes one waiting job, or none when others were faster. It holds a reference on
 *    the queue, since it may be run long after the sink was freed.
 * 4. The first failure of `next` ends everything: nobody takes or writes any more.
 *
 * The hash of the input is made by who compresses, so that the writer's thread only makes the
 * diff_id.
 */
#include "layers/member_sink.h"

#include "base/array.h"
#include "layers/encoder.h"

#include <libdeflate.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define MEMBER_LEAST ((size_t)512 * 1024)
#define MEMBER_MOST ((size_t)4 * 1024 * 1024)
#define ROOM_SIZE (MEMBER_MOST + MEMBER_MOST / 16)
#define MEMBER_USUAL ((size_t)1536 * 1024) /* most of those that end at an entry are smaller */
#define CUT_BITS 6                         /* 1 entry in 64 begins a member */
#define JOBS_PER_THREAD 4
#define IN_FLIGHT_MOST ((size_t)12 * 1024 * 1024)
#define KEPT_BESIDE ((size_t)4 * 1024 * 1024) /* rooms, where as much is in flight as may be */

enum job_state { JOB_WAITING, JOB_TAKEN, JOB_READY };

/* Room for a member and what compressing may add to it. */
struct room {
    struct strbuf bytes;
    size_t touched; /* what it takes of memory */
};

/* Kept for members to come: faulting in new pages costs more than compressing some members. */
struct rooms {
    struct room *items;
    size_t n_items, items_capacity;
    size_t kept; /* bytes that they touched */
};

struct job {
    struct job *next;
    enum job_state state;
    struct room input, output;
    struct member member;
};

struct spare {
    struct spare *next;
    struct encoder *encoder;
};

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a job left, or a failure */
    unsigned refs;
    struct compression compression;
    const struct member_cache *cache;
    struct spare *spares; /* encoders that nobody uses now */
    struct rooms inputs, outputs;

    struct job *first, **last;
    size_t n_jobs;    /* the one being written included */
    size_t in_flight; /* bytes of their inputs, and of the outputs of those compressed */
    size_t in_flight_most;
    size_t n_busy; /* threads that compress or write */
    bool writing, ended;
    struct error *error;

    struct sink *next;        /* touched by who holds `writing` */
    struct member_list *list; /* likewise */
    uint64_t offset;          /* likewise */
};

struct member_sink {
    struct sink sink;
    struct queue *queue;
    struct pool_group *group;
    size_t limit;
    struct room input; /* the member being filled */
};

static void room_release(struct room *room)
{
    strbuf_release(&room->bytes);
}

static void rooms_release(struct rooms *rooms)
{
    while (rooms->n_items)
        room_release(&rooms->items[--rooms->n_items]);
    free(rooms->items);
}

/* Of no size; the queue's lock is held, as with room_put(). */
static struct room room_get(struct rooms *rooms)
{
    struct room room = { STRBUF_INIT, 0 };
    if (!rooms->n_items)
        return room;
    room = rooms->items[--rooms->n_items];
    rooms->kept -= room.touched;
    return room;
}

/* What is beyond a usual member goes back to the system. */
static void room_trim(struct room *room)
{
    const uintptr_t page = 4096; /* with larger ones the call may fail, and all is kept */
    uintptr_t from = ((uintptr_t)room->bytes.data + MEMBER_USUAL + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)room->bytes.data + room->touched) / page * page;
    if (from < to && madvise((void *)from, to - from, MADV_DONTNEED) == 0)
        room->touched = MEMBER_USUAL;
}

/* Where small members are the rule none of those kept stays as large as the largest was. */
static void rooms_trim(struct rooms *rooms)
{
    rooms->kept = 0;
    for (size_t i = 0; i < rooms->n_items; i++) {
        room_trim(&rooms->items[i]);
        rooms->kept += rooms->items[i].touched;
    }
}

/* `rooms` are the queue's inputs or outputs. */
static void room_put(struct queue *queue, struct rooms *rooms, struct room *room)
{
    size_t size = room->bytes.size;
    if (room->touched < size)
        room->touched = size;
    strbuf_reset(&room->bytes);
    if (size <= MEMBER_USUAL) {
        room_trim(room);
        rooms_trim(rooms);
    }
    size_t held = queue->in_flight + queue->inputs.kept + queue->outputs.kept;
    if (held + room->touched <= queue->in_flight_most + KEPT_BESIDE) {
        *ARRAY_PUSH(rooms, items) = *room;
        rooms->kept += room->touched;
        strbuf_init(&room->bytes);
    }
    room_release(room);
}

static void queue_unref(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    bool last = --queue->refs == 0;
    pthread_mutex_unlock(&queue->mutex);
    if (!last)
        return;
    while (queue->spares) {
        struct spare *spare = queue->spares;
        queue->spares = spare->next;
        encoder_free(spare->encoder);
        free(spare);
    }
    rooms_release(&queue->inputs);
    rooms_release(&queue->outputs);
    error_free(queue->error);
    pthread_mutex_destroy(&queue->mutex);
    pthread_cond_destroy(&queue->changed);
    free(queue);
}

static void job_free(struct job *job)
{
    room_release(&job->input);
    room_release(&job->output);
    free(job);
}

/* The functions that follow are called with the lock held, and give it up while they work. */

static struct spare *spare_get(struct queue *queue)
{
    struct spare *spare = queue->spares;
    if (spare) {
        queue->spares = spare->next;
        return spare;
    }
    spare = NEW(struct spare);
    spare->encoder = encoder_new(&queue->compression);
    return spare;
}

static void job_compress(struct queue *queue, struct job *job)
{
    struct member *member = &job->member;
    const struct strbuf *input = &job->input.bytes;
    struct strbuf *output = &job->output.bytes;
    job->state = JOB_TAKEN;
    queue->n_busy++;
    struct spare *spare = spare_get(queue);
    job->output = room_get(&queue->outputs);
    pthread_mutex_unlock(&queue->mutex);

    sha256_of(input->data, input->size, member->input);
    (void)strbuf_grow(output, ROOM_SIZE);
    member->is_taken =
        queue->cache && member_cache_get(queue->cache, member->input, input->size, output);
    if (!member->is_taken)
        encoder_member(spare->encoder, input->data, input->size, output);
    member->input_size = input->size;
    member->size = output->size;
    member->crc = libdeflate_crc32(0, output->data, output->size);

    pthread_mutex_lock(&queue->mutex);
    spare->next = queue->spares;
    queue->spares = spare;
    queue->in_flight += member->size;
    queue->in_flight -= member->input_size;
    room_put(queue, &queue->inputs, &job->input);
    queue->n_busy--;
    job->state = JOB_READY;
}

static void job_write(struct queue *queue, struct job *job)
{
    struct error *error = NULL;
    pthread_mutex_unlock(&queue->mutex);
    int result = sink_write(queue->next, job->output.bytes.data, job->member.size, &error);
    if (result == 0) {
        job->member.offset = queue->offset;
        queue->offset += job->member.size;
        *ARRAY_PUSH(queue->list, members) = job->member;
    }
    pthread_mutex_lock(&queue->mutex);
    queue->in_flight -= job->member.size;
    queue->n_jobs--;
    room_put(queue, &queue->outputs, &job->output);
    job_free(job);
    if (result < 0) {
        queue->error = error;
        queue->ended = true;
    }
    pthread_cond_broadcast(&queue->changed);
}

/* Writes what is ready at the front; no-op where another thread does it already. */
static void write_ready(struct queue *queue)
{
    if (queue->writing)
        return;
    queue->writing = true;
    queue->n_busy++;
    while (queue->first && queue->first->state == JOB_READY && !queue->ended) {
        struct job *job = queue->first;
        queue->first = job->next;
        if (!queue->first)
            queue->last = &queue->first;
        job_write(queue, job);
    }
    queue->n_busy--;
    queue->writing = false;
    pthread_cond_broadcast(&queue->changed);
}

/* False when no job is waiting. */
static bool compress_one(struct queue *queue)
{
    struct job *job = queue->ended ? NULL : queue->first;
    while (job && job->state != JOB_WAITING)
        job = job->next;
    if (!job)
        return false;
    job_compress(queue, job);
    write_ready(queue);
    return true;
}

/* Helpers */

static void helper_drop(void *data)
{
    queue_unref(data);
}

static int helper_run(void *data, struct error **err UNUSED)
{
    struct queue *queue = data;
    pthread_mutex_lock(&queue->mutex);
    (void)compress_one(queue); /* others were faster: nothing to do */
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    queue_unref(queue);
    return 0; /* a failure is the writer's to report */
}

/* The writer */

/* Until at most `most` jobs are left, and no more in flight than may be. */
static int work_down(struct queue *queue, size_t most, struct error **err)
{
    int result = 0;
    pthread_mutex_lock(&queue->mutex);
    while ((queue->n_jobs > most || queue->in_flight > queue->in_flight_most) && !queue->ended)
        if (!compress_one(queue))
            pthread_cond_wait(&queue->changed, &queue->mutex);
    if (queue->ended) {
        error_move(err, queue->error ? TAKE(queue->error) : NULL);
        result = -1;
    }
    pthread_mutex_unlock(&queue->mutex);
    return result;
}

/* The member that is filled ends. */
static int member_end(struct member_sink *self, struct error **err)
{
    struct queue *queue = self->queue;
    struct job *job = NEW(struct job);
    job->input = self->input;
    self->input = (struct room){ STRBUF_INIT, 0 };
    strbuf_init(&job->output.bytes);

    pthread_mutex_lock(&queue->mutex);
    *queue->last = job;
    queue->last = &job->next;
    queue->n_jobs++;
    queue->in_flight += job->input.bytes.size;
    if (self->group)
        queue->refs++;
    pthread_mutex_unlock(&queue->mutex);
    if (self->group)
        pool_submit(self->group, helper_run, helper_drop, queue);
    return work_down(queue, self->group ? self->limit - 1 : 0, err);
}

static void begin_member(struct member_sink *self)
{
    struct queue *queue = self->queue;
    pthread_mutex_lock(&queue->mutex);
    self->input = room_get(&queue->inputs);
    pthread_mutex_unlock(&queue->mutex);
    (void)strbuf_grow(&self->input.bytes, ROOM_SIZE);
}

static int members_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct member_sink *self = (struct member_sink *)sink;
    struct strbuf *filled = &self->input.bytes;
    const char *from = data;
    while (size) {
        if (filled->size == MEMBER_MOST && member_end(self, err) < 0)
            return -1;
        if (!filled->capacity)
            begin_member(self);
        size_t n = size < MEMBER_MOST - filled->size ? size : MEMBER_MOST - filled->size;
        strbuf_add(filled, from, n);
        from += n;
        size -= n;
    }
    return 0;
}

/* FNV-1a, mixed so that all bits of the path reach those that are looked at */
static uint64_t path_hash(const char *path)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 33;
}

int member_sink_entry(struct sink *sink, const char *path, struct error **err)
{
    struct member_sink *self = (struct member_sink *)sink;
    if (self->input.bytes.size < MEMBER_LEAST || path_hash(path) >> (64 - CUT_BITS))
        return 0;
    return member_end(self, err);
}

static int members_finish(struct sink *sink, struct error **err)
{
    struct member_sink *self = (struct member_sink *)sink;
    struct queue *queue = self->queue;
    if ((self->input.bytes.size || !queue->list->n_members) && member_end(self, err) < 0)
        return -1;
    if (work_down(queue, 0, err) < 0)
        return -1;
    return sink_finish(queue->next, err);
}

static void members_free(struct sink *sink)
{
    struct member_sink *self = (struct member_sink *)sink;
    struct queue *queue = self->queue;
    pthread_mutex_lock(&queue->mutex);
    queue->ended = true;
    while (queue->n_busy)
        pthread_cond_wait(&queue->changed, &queue->mutex);
    struct job *job = queue->first;
    queue->first = NULL;
    pthread_mutex_unlock(&queue->mutex);
    while (job) {
        struct job *next = job->next;
        job_free(job);
        job = next;
    }
    sink_free(queue->next);
    queue_unref(queue);
    room_release(&self->input);
    free(self);
}

struct sink *member_sink_new(struct sink *next, const struct member_options *options,
                             struct member_list *list)
{
    static const struct sink_ops ops = { "members", members_write, members_finish, members_free };
    struct queue *queue = NEW(struct queue);
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->changed, NULL);
    queue->refs = 1;
    queue->compression = options->compression;
    queue->cache = options->cache;
    queue->last = &queue->first;
    queue->next = next;
    queue->list = list;
    size_t for_all = options->n_threads * MEMBER_MOST;
    queue->in_flight_most = for_all < IN_FLIGHT_MOST ? for_all : IN_FLIGHT_MOST;

    struct member_sink *self = NEW(struct member_sink);
    self->sink.ops = &ops;
    strbuf_init(&self->input.bytes);
    self->queue = queue;
    self->group = options->group;
    self->limit = options->n_threads * JOBS_PER_THREAD;
    return &self->sink;
}
