/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of an instruction that its execution will expand: the table of DOCKERFILE.md section 3,
 * for who looks at a Dockerfile without building it. Pure.
 */
#ifndef CBUILD_BUILDER_INSTRUCTION_WORDS_H
#define CBUILD_BUILDER_INSTRUCTION_WORDS_H

#include "builder/instruction.h"

/* `flags` and `escape` are words_expand()'s. Returns 0 or -1. */
typedef int (*instruction_word_visit)(void *data, const char *word, unsigned flags, char escape,
                                      struct error **err);

/*
 * Visits each word in the order of expansion, until a visit fails. Not FROM's and not ARG's: the
 * first knows other variables, of the second a value may be ignored. Triggers' words are expanded
 * elsewhere.
 */
int instruction_each_word(const struct instruction *instruction, char escape,
                          instruction_word_visit visit, void *data, struct error **err) WARN_UNUSED;

#endif
