/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One mutex for a pool and its groups: tasks are large (a member to compress, a
 * stage's layer), so the lock is never what is waited for.
 *
 * 1. group->pending counts tasks submitted and not yet ended or dropped.
 * 2. A task is in the queue or running, never both; its run or its drop is called once.
 * 3. A worker that submits into a full queue goes beyond the bound: if it waited, workers could
 *    all wait for each other.
 */
#include "base/pool.h"

#include "base/force.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#define QUEUE_PER_THREAD 4
#define CPUS_MAX 8192

struct thread {
    pthread_t id;
};

struct task {
    struct task *next;
    struct pool_group *group;
    int (*run)(void *data, struct error **err);
    void (*drop)(void *data);
    void *data;
};

struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t work;  /* a task came, or closing */
    pthread_cond_t room;  /* a task left the queue */
    pthread_cond_t ended; /* a task ended */
    struct task *first, **last;
    size_t n_queued;
    struct thread **threads;
    unsigned n_threads, n_started, n_idle;
    bool closing;
};

struct pool_group {
    struct pool *pool;
    size_t pending;
    struct error *error;
    bool failed, abandoned;
};

static __thread const struct pool *worker_of; /* the pool whose worker this thread is */

/* CBUILD_FORCE: so that tests see what threads change wherever they run. 0: nothing is forced. */
static unsigned forced_cpus(void)
{
    static const struct {
        const char *word;
        unsigned n;
    } words[] = { { "one-cpu", 1 }, { "two-cpus", 2 }, { "eight-cpus", 8 } };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (force_has(words[i].word))
            return words[i].n;
    return 0;
}

unsigned pool_n_cpus(void)
{
    unsigned forced = forced_cpus();
    if (forced)
        return forced;
    /* beyond the 1024 CPUs of a plain cpu_set_t the call fails with EINVAL: ask for more */
    for (int cpus = CPU_SETSIZE; cpus <= CPUS_MAX; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set)
            break;
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        int result = sched_getaffinity(0, size, set);
        int count = result == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return (unsigned)count;
    }
    return 1;
}

/* Signals go to the main thread, whose handlers wake everybody through the cancel fd. */
struct thread *thread_start(void *(*run)(void *data), void *data, struct error **err)
{
    struct thread *thread = NEW(struct thread);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failure = pthread_create(&thread->id, NULL, run, data);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failure) {
        free(thread);
        errno = failure;
        return error_errno_null(err, "starting a thread");
    }
    return thread;
}

void *thread_join(struct thread *thread)
{
    void *result = NULL;
    if (!thread)
        return NULL;
    if (pthread_join(thread->id, &result) != 0)
        abort(); /* joined twice or by itself: a mistake of ours */
    free(thread);
    return result;
}

static void *worker(void *data);

struct pool *pool_new(unsigned n_threads)
{
    struct pool *pool = NEW(struct pool);
    pool->n_threads = n_threads ? n_threads : pool_n_cpus();
    pool->threads = xcalloc(pool->n_threads, sizeof(*pool->threads));
    pool->last = &pool->first;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->room, NULL);
    pthread_cond_init(&pool->ended, NULL);
    return pool;
}

unsigned pool_n_threads(const struct pool *pool)
{
    return pool->n_threads;
}

static struct task *queue_take(struct pool *pool)
{
    struct task *task = pool->first;
    pool->first = task->next;
    if (!pool->first)
        pool->last = &pool->first;
    pool->n_queued--;
    pthread_cond_signal(&pool->room);
    return task;
}

/* Called with the mutex held, which it gives up while the task runs. */
static void task_execute(struct pool *pool, struct task *task)
{
    struct pool_group *group = task->group;
    struct error *error = NULL;
    bool skip = group->failed || group->abandoned || pool->closing;
    pthread_mutex_unlock(&pool->mutex);
    int result = 0;
    if (!skip)
        result = task->run(task->data, &error);
    else if (task->drop)
        task->drop(task->data);
    assert((result < 0) == (error != NULL));
    free(task);
    pthread_mutex_lock(&pool->mutex);
    if (error && !group->failed) {
        group->failed = true;
        group->error = error;
    } else {
        error_free(error); /* the first one wins */
    }
    group->pending--;
    pthread_cond_broadcast(&pool->ended);
}

static void *worker(void *data)
{
    struct pool *pool = data;
    worker_of = pool;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!pool->first && !pool->closing) {
            pool->n_idle++;
            pthread_cond_wait(&pool->work, &pool->mutex);
            pool->n_idle--;
        }
        if (!pool->first)
            break;
        task_execute(pool, queue_take(pool));
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->n_started; i++)
        thread_join(pool->threads[i]);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->room);
    pthread_cond_destroy(&pool->ended);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->threads);
    free(pool);
}

struct pool_group *pool_group_new(struct pool *pool)
{
    struct pool_group *group = NEW(struct pool_group);
    group->pool = pool;
    return group;
}

/* True when some thread will take the task. */
static bool ensure_worker(struct pool *pool)
{
    if (pool->n_idle > pool->n_queued || pool->n_started == pool->n_threads)
        return true;
    struct error *error = NULL;
    struct thread *thread = thread_start(worker, pool, &error);
    error_free(error); /* fewer threads do the same work */
    if (thread)
        pool->threads[pool->n_started++] = thread;
    return pool->n_started > 0;
}

void pool_submit(struct pool_group *group, int (*run)(void *data, struct error **err),
                 void (*drop)(void *data), void *data)
{
    struct pool *pool = group->pool;
    struct task *task = NEW(struct task);
    *task = (struct task){ NULL, group, run, drop, data };
    pthread_mutex_lock(&pool->mutex);
    group->pending++;
    if (!ensure_worker(pool)) {
        task_execute(pool, task); /* no thread to be had: do it here */
        pthread_mutex_unlock(&pool->mutex);
        return;
    }
    while (worker_of != pool && pool->n_queued >= (size_t)pool->n_threads * QUEUE_PER_THREAD)
        pthread_cond_wait(&pool->room, &pool->mutex);
    *pool->last = task;
    pool->last = &task->next;
    pool->n_queued++;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

int pool_group_wait(struct pool_group *group, struct error **err)
{
    struct pool *pool = group->pool;
    assert(worker_of != pool);
    pthread_mutex_lock(&pool->mutex);
    while (group->pending)
        pthread_cond_wait(&pool->ended, &pool->mutex);
    struct error *error = TAKE(group->error);
    group->failed = false;
    pthread_mutex_unlock(&pool->mutex);
    error_move(err, error);
    return error ? -1 : 0;
}

bool pool_group_failed(struct pool_group *group)
{
    pthread_mutex_lock(&group->pool->mutex);
    bool failed = group->failed;
    pthread_mutex_unlock(&group->pool->mutex);
    return failed;
}

void pool_group_free(struct pool_group *group)
{
    if (!group)
        return;
    pthread_mutex_lock(&group->pool->mutex);
    group->abandoned = true;
    while (group->pending)
        pthread_cond_wait(&group->pool->ended, &group->pool->mutex);
    pthread_mutex_unlock(&group->pool->mutex);
    error_free(group->error); /* who wanted it has waited */
    free(group);
}
