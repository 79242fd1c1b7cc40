/* SPDX-License-Identifier: Apache-2.0 */
/* The nearest known word to a mistyped one. Pure. */
#ifndef CBUILD_BASE_SUGGEST_H
#define CBUILD_BASE_SUGGEST_H

#include <stddef.h>

/*
 * The candidate with the least Damerau-Levenshtein distance (ignoring case), if that
 * is at most a third of the word's length (at least 1, at most 4); else NULL. The first wins a tie.
 */
const char *suggest_nearest(const char *word, const char *const *candidates, size_t n);

#endif
