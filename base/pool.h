/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads. The only place that makes threads.
 *
 * A group collects tasks; the first error wins and its wait returns it. Tasks
 * of a failed group that haven't started are skipped (their `run` is not called,
 * `drop` is). Tasks may submit to the pool but must not wait for a group of the
 * same pool: a full pool would wait for itself. pool_submit never blocks the
 * caller on other tasks' completion unless the queue is at its bound.
 */
#ifndef CBUILD_BASE_POOL_H
#define CBUILD_BASE_POOL_H

#include "base/error.h"

#include <stdbool.h>

struct pool;
struct pool_group;

/* n_threads 0: one per available CPU (sched_getaffinity). Threads start with the first task, all
 * signals blocked. */
struct pool *pool_new(unsigned n_threads);
unsigned pool_n_threads(const struct pool *pool);
/* Waits for running tasks; queued ones are dropped. */
void pool_free(struct pool *pool);
DEFINE_AUTO(struct pool, pool_free)

struct pool_group *pool_group_new(struct pool *pool);
/* `drop` (may be NULL) is called instead of `run` when the task is skipped: frees data. */
void pool_submit(struct pool_group *group, int (*run)(void *data, struct error **err),
                 void (*drop)(void *data), void *data);
/* Until all its tasks ended; the first error. The group can be used again. */
int pool_group_wait(struct pool_group *group, struct error **err) WARN_UNUSED;
bool pool_group_failed(struct pool_group *group);
/* Drops what is queued, waits for what runs. Before its pool is freed. */
void pool_group_free(struct pool_group *group);
DEFINE_AUTO(struct pool_group, pool_group_free)

/* Threads for long waits (a stage's steps): unbounded, joined by hand. */
struct thread;
struct thread *thread_start(void *(*run)(void *data), void *data, struct error **err);
void *thread_join(struct thread *thread); /* frees it */

/* CPUs this process may use, at least 1. */
unsigned pool_n_cpus(void);

#endif
