/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer cuts; whoever is free compresses; whoever completes the oldest
 * member writes out all that are ready. Who writes holds `writing`, not the lock.
 *
 * 1. Jobs stand in the order of the input; a job is waiting, taken or ready, never less again.
 * 2. At most `limit` jobs exist. At the limit the writer takes a waiting job itself; it sleeps only
 *    when every job is taken or being written, that is when other threads run: so a pool whose
 *    workers are all writers of layers can't come to a stop.
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
#define MEMBER_USUAL ((size_t)1536 * 1024) /* most of those that end at an entry are smaller */
#define CUT_BITS 6                         /* 1 entry in 64 begins a member */

enum job_state { JOB_WAITING, JOB_TAKEN, JOB_READY };

/* Room for a member; data NULL: none. */
struct input {
    char *data;     /* MEMBER_MOST */
    size_t touched; /* of it: what it takes of memory */
};

struct job {
    struct job *next;
    enum job_state state;
    struct input input;
    struct strbuf output;
    struct member member;
};

struct spare {
    struct spare *next;
    struct encoder *encoder;
    struct strbuf output; /* what it wrote last: room for a whole member that no job has to keep */
};

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a job left, or a failure */
    unsigned refs;
    struct compression compression;
    const struct member_cache *cache;
    struct spare *spares; /* encoders that nobody uses now */
    struct input *inputs; /* likewise. Kept, so that memory doesn't go to pieces */
    size_t n_inputs, inputs_capacity;

    struct job *first, **last;
    size_t n_jobs; /* the one being written included */
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
    struct input input; /* the member being filled */
    size_t size;
};

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
        strbuf_release(&spare->output);
        free(spare);
    }
    while (queue->n_inputs)
        free(queue->inputs[--queue->n_inputs].data);
    free(queue->inputs);
    error_free(queue->error);
    pthread_mutex_destroy(&queue->mutex);
    pthread_cond_destroy(&queue->changed);
    free(queue);
}

static void job_free(struct job *job)
{
    free(job->input.data);
    strbuf_release(&job->output);
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
    strbuf_init(&spare->output);
    return spare;
}

/* What shrank well is copied out of the room for a whole member, which stays; else it is taken. */
static void encode(struct spare *spare, struct job *job)
{
    size_t input_size = job->member.input_size;
    strbuf_reset(&spare->output);
    (void)strbuf_grow(&spare->output, MEMBER_MOST + MEMBER_MOST / 16);
    encoder_member(spare->encoder, job->input.data, input_size, &spare->output);
    if (spare->output.size < input_size / 2) {
        strbuf_add(&job->output, spare->output.data, spare->output.size);
        return;
    }
    job->output = spare->output;
    strbuf_init(&spare->output);
}

/*
 * Where small members are the rule, what a large one took beyond them goes back to the system: else
 * each buffer has been as large as the largest after a while.
 */
static void trim_input(struct input *input, size_t size)
{
    const uintptr_t page = 4096; /* with larger ones the call may fail, and all is kept */
    if (input->touched < size)
        input->touched = size;
    if (size > MEMBER_USUAL || input->touched <= MEMBER_USUAL)
        return;
    uintptr_t from = ((uintptr_t)input->data + MEMBER_USUAL + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)input->data + input->touched) / page * page;
    if (from < to && madvise((void *)from, to - from, MADV_DONTNEED) == 0)
        input->touched = MEMBER_USUAL;
}

static void job_compress(struct queue *queue, struct job *job)
{
    struct member *member = &job->member;
    job->state = JOB_TAKEN;
    queue->n_busy++;
    struct spare *spare = spare_get(queue);
    pthread_mutex_unlock(&queue->mutex);

    sha256_of(job->input.data, member->input_size, member->input);
    member->is_taken = queue->cache && member_cache_get(queue->cache, member->input,
                                                        member->input_size, &job->output);
    if (!member->is_taken)
        encode(spare, job);
    member->size = job->output.size;
    member->crc = libdeflate_crc32(0, job->output.data, job->output.size);
    trim_input(&job->input, member->input_size);

    pthread_mutex_lock(&queue->mutex);
    spare->next = queue->spares;
    queue->spares = spare;
    *ARRAY_PUSH(queue, inputs) = job->input;
    job->input = (struct input){ NULL, 0 };
    queue->n_busy--;
    job->state = JOB_READY;
}

static void job_write(struct queue *queue, struct job *job)
{
    struct error *error = NULL;
    pthread_mutex_unlock(&queue->mutex);
    int result = sink_write(queue->next, job->output.data, job->output.size, &error);
    if (result == 0) {
        job->member.offset = queue->offset;
        queue->offset += job->member.size;
        *ARRAY_PUSH(queue->list, members) = job->member;
    }
    job_free(job);
    pthread_mutex_lock(&queue->mutex);
    queue->n_jobs--;
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

/* Until at most `most` jobs are left. */
static int work_down(struct queue *queue, size_t most, struct error **err)
{
    int result = 0;
    pthread_mutex_lock(&queue->mutex);
    while (queue->n_jobs > most && !queue->ended)
        if (!compress_one(queue))
            pthread_cond_wait(&queue->changed, &queue->mutex);
    if (queue->ended) {
        error_move(err, queue->error ? TAKE(queue->error) : NULL);
        result = -1;
    }
    pthread_mutex_unlock(&queue->mutex);
    return result;
}

static struct input input_get(struct queue *queue)
{
    struct input input = { NULL, 0 };
    pthread_mutex_lock(&queue->mutex);
    if (queue->n_inputs)
        input = queue->inputs[--queue->n_inputs];
    pthread_mutex_unlock(&queue->mutex);
    if (!input.data)
        input.data = xmalloc(MEMBER_MOST);
    return input;
}

static int member_end(struct member_sink *self, struct error **err)
{
    struct queue *queue = self->queue;
    struct job *job = NEW(struct job);
    job->input = self->input.data ? self->input : input_get(queue);
    self->input = (struct input){ NULL, 0 };
    job->member.input_size = self->size;
    self->size = 0;
    strbuf_init(&job->output);

    pthread_mutex_lock(&queue->mutex);
    *queue->last = job;
    queue->last = &job->next;
    queue->n_jobs++;
    if (self->group)
        queue->refs++;
    pthread_mutex_unlock(&queue->mutex);
    if (self->group)
        pool_submit(self->group, helper_run, helper_drop, queue);
    return work_down(queue, self->group ? self->limit - 1 : 0, err);
}

static int members_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct member_sink *self = (struct member_sink *)sink;
    const char *from = data;
    while (size) {
        if (self->size == MEMBER_MOST && member_end(self, err) < 0)
            return -1;
        if (!self->input.data)
            self->input = input_get(self->queue);
        size_t n = size < MEMBER_MOST - self->size ? size : MEMBER_MOST - self->size;
        memcpy(self->input.data + self->size, from, n);
        self->size += n;
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
    if (self->size < MEMBER_LEAST || path_hash(path) >> (64 - CUT_BITS))
        return 0;
    return member_end(self, err);
}

static int members_finish(struct sink *sink, struct error **err)
{
    struct member_sink *self = (struct member_sink *)sink;
    struct queue *queue = self->queue;
    if ((self->size || !queue->list->n_members) && member_end(self, err) < 0)
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
    free(self->input.data);
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

    struct member_sink *self = NEW(struct member_sink);
    self->sink.ops = &ops;
    self->queue = queue;
    self->group = options->group;
    self->limit = options->n_threads + 1;
    return &self->sink;
}
