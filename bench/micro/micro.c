/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/micro/micro.h"

#include "base/mem.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ENOUGH_NS 500000000u

/* CPU time: others may be busy, too */
static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* -1 where the machine doesn't count, or not for us. */
static int open_counter(void)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof(attr),
        .config = PERF_COUNT_HW_INSTRUCTIONS,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .inherit = 1,
    };
    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t read_counter(int fd)
{
    uint64_t value = 0;
    return fd >= 0 && read(fd, &value, sizeof(value)) == (ssize_t)sizeof(value) ? value : 0;
}

void measure(const struct loop *loop, void (*run)(void *data), void *data)
{
    const int counter = open_counter();
    uint64_t best = UINT64_MAX, instructions = UINT64_MAX, total = 0;
    for (unsigned i = 0; i < 5 || total < ENOUGH_NS; i++) {
        const uint64_t counted = read_counter(counter), start = now_ns();
        run(data);
        const uint64_t took = now_ns() - start, count = read_counter(counter) - counted;
        best = took < best ? took : best;
        instructions = count < instructions ? count : instructions;
        total += took;
    }
    if (counter >= 0)
        close(counter);
    printf("%-34s %12.1f ns", loop->name, (double)best / (double)loop->n_ops);
    if (loop->n_bytes)
        printf(" %9.1f MB/s", (double)loop->n_bytes * 1000 / (double)best);
    else
        printf("%15s", "");
    if (counter >= 0 && instructions)
        printf(" %12.1f instructions", (double)instructions / (double)loop->n_ops);
    printf("%s\n", loop->n_threads > 1 ? "  (several threads)" : "");
}

void give_up(const struct error *err)
{
    (void)fprintf(stderr, "bench: %s\n", error_message(err));
    exit(1);
}

char *made_text(size_t size)
{
    enum { N_WORDS = 1024, LONGEST = 9 };
    char words[N_WORDS][LONGEST + 1];
    uint32_t state = 1;
    for (size_t i = 0; i < N_WORDS; i++) {
        const size_t length = 2 + i % (LONGEST - 1);
        for (size_t j = 0; j <= length && j <= LONGEST; j++) {
            state = state * 1664525 + 1013904223;
            words[i][j] = j < length ? "etaoinshrdlucmfw"[state >> 28] : 0;
        }
    }
    char *text = xmalloc(size + LONGEST + 2);
    for (size_t at = 0; at < size;) {
        state = state * 1664525 + 1013904223;
        /* some much more often than others */
        const char *word = words[(state >> 22) % (1 + (state >> 12 & (N_WORDS - 1)))];
        at = (size_t)(stpcpy(stpcpy(text + at, word), state >> 28 ? " " : "\n") - text);
    }
    text[size] = 0;
    return text;
}
