/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"

#include <string.h>

#define WORD_MAX_SIZE 64 /* longer ones aren't typing mistakes of ours */

static unsigned char lower(char c)
{
    /* not tolower(): that asks the locale */
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein with adjacent swaps (optimal string alignment), in three rolling rows. */
static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    unsigned rows[3][WORD_MAX_SIZE + 1];
    for (size_t j = 0; j <= n_b; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n_a; i++) {
        unsigned *now = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= n_b; j++) {
            unsigned cost = lower(a[i - 1]) != lower(b[j - 1]);
            now[j] = least(least(above[j] + 1, now[j - 1] + 1), above[j - 1] + cost);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = least(now[j], two_above[j - 2] + 1);
        }
    }
    return rows[n_a % 3][n_b];
}

const char *suggest_nearest(const char *word, const char *const *candidates, size_t n)
{
    size_t size = strlen(word);
    if (!size || size > WORD_MAX_SIZE)
        return NULL;
    size_t limit = size / 3 < 1 ? 1 : size / 3;
    unsigned best = (unsigned)(limit > 4 ? 4 : limit) + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t candidate_size = strlen(candidates[i]);
        if (candidate_size > WORD_MAX_SIZE)
            continue;
        unsigned d = distance(word, size, candidates[i], candidate_size);
        if (d < best) {
            best = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}
