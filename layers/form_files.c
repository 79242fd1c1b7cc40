/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1. A file is written by one thread alone: by the second one when there is room for its first
 *    piece, else by the caller, who thus never waits while both have work of their own. A file of
 *    which one piece was handed over is handed over whole.
 * 2. Files that wait for a second thread are open. All writers together, which are as many as
 *    processors, have no more of them than a part of what the process may open: the rest is written
 *    by the callers.
 * 3. Pieces lie in a ring of bytes, jobs in a ring of their own; both are given back in order.
 */
#include "layers/form_files.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define HOLE_SIZE ((size_t)4096) /* zeros of at least this size aren't written */
#define RING_SIZE ((size_t)1 << 20)
#define N_JOBS 128u /* at most half of them are ends of files: open ones */
#define MAX_PIECE ((size_t)256 << 10)
#define MAX_HANDED ((uint64_t)512 << 10) /* larger files aren't worth a copy */
#define OPEN_SHARE 4u                    /* of what may be open, one part waits: rule 2 */
#define N_ALONE 32u                      /* files before a thread is worth its start */
/* neither side is woken for less than this, but at the end */
#define WAKE_JOBS (N_JOBS / 2)
#define WAKE_SIZE (RING_SIZE / 4)

struct file {
    int fd;
    struct entry entry;
    uint64_t given; /* of its content, by the caller */
    bool has_hole;  /* its writer's */
    bool is_handed;
    bool has_place; /* in n_waiting */
};

struct job {
    struct file *file;
    const uint8_t *data; /* NULL: the file ends */
    size_t size, room;   /* room: of the ring, with what was skipped at its end */
};

static atomic_uint n_waiting; /* rule 2 */

struct form_files {
    struct rights rights;
    mode_t made_mask;
    unsigned max_waiting;
    struct file *file; /* begun and not ended; or NULL */
    unsigned n_files;
    struct thread *thread; /* NULL: none yet */
    uint8_t *ring;
    size_t head; /* where the next piece may lie */

    pthread_mutex_t mutex;
    pthread_cond_t more, less;
    /* under mutex */
    struct job jobs[N_JOBS];
    unsigned first, n_jobs;
    size_t used;
    bool thread_waits, caller_waits;
    bool is_last;        /* no job follows */
    bool is_dropped;     /* nor are those that wait wanted */
    struct error *error; /* of the thread; what follows is dropped */
};

static unsigned get_max_waiting(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    return (unsigned)(limit.rlim_cur < UINT_MAX ? limit.rlim_cur : UINT_MAX) / OPEN_SHARE;
}

struct form_files *form_files_new(const struct rights *rights, mode_t made_mask)
{
    struct form_files *files = NEW(struct form_files);
    files->rights = *rights;
    files->made_mask = made_mask;
    files->max_waiting = get_max_waiting();
    pthread_mutex_init(&files->mutex, NULL);
    pthread_cond_init(&files->more, NULL);
    pthread_cond_init(&files->less, NULL);
    return files;
}

static void file_free(struct file *file)
{
    if (!file)
        return;
    close_auto(&file->fd);
    if (file->has_place)
        atomic_fetch_sub(&n_waiting, 1);
    entry_release(&file->entry);
    free(file);
}
DEFINE_AUTO(struct file, file_free)

/* What is done to a file, by whichever thread */

static bool is_zero(const uint8_t *data, size_t size)
{
    return size > 0 && data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

static int write_piece(struct file *file, const void *data, size_t size, struct error **err)
{
    if (size < HOLE_SIZE || !is_zero(data, size))
        return io_write_full(file->fd, data, size, file->entry.path, err);
    file->has_hole = true;
    if (lseek(file->fd, (off_t)size, SEEK_CUR) < 0)
        return error_errno(err, "writing %s", file->entry.path);
    return 0;
}

static int complete(const struct form_files *files, struct file *file, struct error **err)
{
    const struct entry *entry = &file->entry;
    if (file->has_hole && ftruncate(file->fd, (off_t)entry->size) < 0)
        return error_errno(err, "extending %s", entry->path);
    if (attributes_set_file(file->fd, entry, &files->rights, entry->mode & files->made_mask, err) <
        0)
        return error_wrap(err, "%s", entry->path);
    return io_close(&file->fd, entry->path, err);
}

/* functions named locked_* are called with the mutex held */

/* Enough for any piece, wherever in the ring the next one may lie. */
static bool locked_has_much_room(const struct form_files *files)
{
    return files->n_jobs <= N_JOBS - WAKE_JOBS && files->used <= RING_SIZE - 2 * MAX_PIECE;
}

/* The second thread */

static int run_job(const struct form_files *files, const struct job *job, struct error **err)
{
    return job->data ? write_piece(job->file, job->data, job->size, err)
                     : complete(files, job->file, err);
}

static void *run(void *data)
{
    struct form_files *files = data;
    bool failed = false;
    pthread_mutex_lock(&files->mutex);
    for (;;) {
        files->thread_waits = true;
        while (!files->n_jobs && !files->is_last)
            pthread_cond_wait(&files->more, &files->mutex);
        files->thread_waits = false;
        if (!files->n_jobs)
            break;
        struct job job = files->jobs[files->first];
        failed = failed || files->is_dropped;
        pthread_mutex_unlock(&files->mutex);
        struct error *error = NULL;
        failed = failed || run_job(files, &job, &error) < 0;
        if (!job.data)
            file_free(job.file);
        pthread_mutex_lock(&files->mutex);
        if (error)
            files->error = error;
        files->first = (files->first + 1) % N_JOBS;
        files->n_jobs--;
        files->used -= job.room;
        if (files->caller_waits && locked_has_much_room(files))
            pthread_cond_signal(&files->less);
    }
    pthread_mutex_unlock(&files->mutex);
    return NULL;
}

/* Its first failure: once. */
static int locked_failure(struct form_files *files, struct error **err)
{
    if (!files->error)
        return 0;
    error_move(err, TAKE(files->error));
    return -1;
}

/* A piece of the ring for `size` bytes, and what it takes of it; NULL: there is none now. */
static uint8_t *locked_find_room(const struct form_files *files, size_t size, size_t *room)
{
    size_t tail = RING_SIZE - files->head;
    bool fits = size <= tail; /* else it lies at the ring's begin; the tail may be of no byte */
    *room = fits ? size : tail + size;
    if (files->n_jobs + 2 > N_JOBS || *room > RING_SIZE - files->used) /* 2: its end, too */
        return NULL;
    return files->ring + (fits ? files->head : 0);
}

static void locked_wait_for_room(struct form_files *files)
{
    files->caller_waits = true;
    while (!locked_has_much_room(files))
        pthread_cond_wait(&files->less, &files->mutex);
    files->caller_waits = false;
}

static void add(struct form_files *files, const struct job *job)
{
    pthread_mutex_lock(&files->mutex);
    assert(files->n_jobs < N_JOBS);
    files->jobs[(files->first + files->n_jobs++) % N_JOBS] = *job;
    bool wake = files->thread_waits && (files->n_jobs >= WAKE_JOBS || files->used >= WAKE_SIZE);
    pthread_mutex_unlock(&files->mutex);
    if (wake)
        pthread_cond_signal(&files->more);
}

/* 1 handed over, 0 there is no room, and none is waited for */
static int hand_over(struct form_files *files, struct file *file, const void *data, size_t size,
                     bool wait, struct error **err)
{
    struct job job = { .file = file, .size = size };
    pthread_mutex_lock(&files->mutex);
    uint8_t *to = locked_find_room(files, size, &job.room);
    if (!to && wait) {
        locked_wait_for_room(files);
        to = locked_find_room(files, size, &job.room);
    }
    int result = locked_failure(files, err);
    files->used += to && result == 0 ? job.room : 0;
    pthread_mutex_unlock(&files->mutex);
    if (result < 0 || !to)
        return result;
    memcpy(to, data, size); /* this part is ours alone */
    files->head = (size_t)(to - files->ring) + size;
    job.data = to;
    add(files, &job);
    return 1;
}

/* The caller */

/* Where there is none the thread gets to work: it may have been let sleep. */
static bool take_place(struct form_files *files, struct file *file)
{
    file->has_place = atomic_fetch_add(&n_waiting, 1) < files->max_waiting;
    if (file->has_place)
        return true;
    atomic_fetch_sub(&n_waiting, 1);
    pthread_mutex_lock(&files->mutex);
    if (files->thread_waits && files->n_jobs)
        pthread_cond_signal(&files->more);
    pthread_mutex_unlock(&files->mutex);
    return false;
}

static bool may_hand_over(struct form_files *files, struct file *file)
{
    return files->thread && file->given == 0 && file->entry.size <= MAX_HANDED &&
           take_place(files, file);
}

static void start_thread(struct form_files *files)
{
    AUTO(error_free) struct error *ignored = NULL; /* then there is one thread */
    if (pool_n_cpus() == 1)
        return;
    files->ring = xmalloc(RING_SIZE);
    files->thread = thread_start(run, files, &ignored);
}

static void end_thread(struct form_files *files, bool drop)
{
    pthread_mutex_lock(&files->mutex);
    files->is_last = true;
    files->is_dropped = drop;
    pthread_cond_signal(&files->more);
    pthread_mutex_unlock(&files->mutex);
    if (files->thread)
        thread_join(TAKE(files->thread));
    assert(!files->n_jobs && !files->used);
    files->is_last = false;
    free(TAKE(files->ring));
    files->head = 0;
    files->n_files = 0;
}

void form_files_begin(struct form_files *files, int *fd, const struct entry *entry)
{
    assert(!files->file);
    struct file *file = files->file = NEW(struct file);
    file->fd = take_fd(fd);
    entry_copy(&file->entry, entry);
    if (++files->n_files == N_ALONE)
        start_thread(files);
}

/* Rule 1 */
static int give(struct form_files *files, const uint8_t *data, size_t size, struct error **err)
{
    struct file *file = files->file;
    if (file->is_handed || may_hand_over(files, file)) {
        int handed = hand_over(files, file, data, size, file->is_handed, err);
        if (handed < 0)
            return -1;
        file->is_handed = handed;
    }
    if (!file->is_handed && write_piece(file, data, size, err) < 0)
        return -1;
    file->given += size;
    return 0;
}

int form_files_data(struct form_files *files, const void *data, size_t size, struct error **err)
{
    struct file *file = files->file;
    assert(file);
    if (size > file->entry.size - file->given)
        return error_set(err, ERR_INVALID, "%s: more than the %llu bytes that were announced",
                         file->entry.path, (unsigned long long)file->entry.size);
    const uint8_t *at = data;
    for (size_t n; size; at += n, size -= n) {
        n = size < MAX_PIECE ? size : MAX_PIECE;
        if (give(files, at, n, err) < 0)
            return -1;
    }
    return 0;
}

static int hand_over_end(struct form_files *files, struct error **err)
{
    const struct job job = { .file = TAKE(files->file) };
    pthread_mutex_lock(&files->mutex);
    if (files->n_jobs == N_JOBS)
        locked_wait_for_room(files);
    int result = locked_failure(files, err);
    pthread_mutex_unlock(&files->mutex);
    add(files, &job);
    return result;
}

int form_files_end(struct form_files *files, struct error **err)
{
    struct file *file = files->file;
    if (!file)
        return 0;
    if (file->given != file->entry.size)
        return error_set(err, ERR_INVALID, "%s: %llu bytes where %llu were announced",
                         file->entry.path, (unsigned long long)file->given,
                         (unsigned long long)file->entry.size);
    if (file->is_handed)
        return hand_over_end(files, err);
    int result = complete(files, file, err);
    file_free(TAKE(files->file));
    return result;
}

int form_files_settle(struct form_files *files, struct error **err)
{
    if (form_files_end(files, err) < 0)
        return -1;
    end_thread(files, false);
    return locked_failure(files, err); /* nobody else is there */
}

void form_files_free(struct form_files *files)
{
    if (!files)
        return;
    end_thread(files, true);
    file_free(files->file);
    error_free(files->error);
    pthread_cond_destroy(&files->more);
    pthread_cond_destroy(&files->less);
    pthread_mutex_destroy(&files->mutex);
    free(files);
}
