/* SPDX-License-Identifier: Apache-2.0 */
/* How many threads this process has, for tests of who starts some. */
#ifndef CBUILD_TESTS_UNIT_THREADS_H
#define CBUILD_TESTS_UNIT_THREADS_H

#include "tests/unit/test.h"

#include <dirent.h>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__
#define N_OWN_THREADS 2 /* TSan has one */
#else
#define N_OWN_THREADS 1
#endif

static size_t count_threads(void)
{
    size_t n = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *entry; (entry = readdir(tasks));)
        n += entry->d_name[0] != '.';
    assert_int_equal(closedir(tasks), 0);
    return n;
}

/* Before any is started: one that was joined is seen a moment longer. */
static size_t count_threads_at_rest(void)
{
    for (int i = 0; count_threads() > N_OWN_THREADS && i < 120000; i++)
        (void)usleep(1000);
    return count_threads();
}

#endif
