/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forced fallbacks: CBUILD_FORCE is a comma list of words that make cbuild
 * behave as on a poorer machine, so that tests reach every rung of every ladder
 * wherever they run. Read once. Words in use: grep for force_has.
 *
 *     CBUILD_FORCE=no-openat2,no-copy-file-range cbuild build .
 */
#ifndef CBUILD_BASE_FORCE_H
#define CBUILD_BASE_FORCE_H

#include <stdbool.h>

bool force_has(const char *word);
/* The same question of a given list (NULL: empty). Pure. */
bool force_list_has(const char *list, const char *word);

#endif
