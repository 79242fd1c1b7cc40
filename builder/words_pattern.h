/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The patterns of ${v#p}, ${v%p} and ${v/p/r}: `*` any text, `?` any character,
 * `\*` `\?` `\\` themselves; no bracket expressions. `\}` and `\/` stand for the
 * second character. Pure; the work per call is bounded (ERR_LIMIT).
 */
#ifndef CBUILD_BUILDER_WORDS_PATTERN_H
#define CBUILD_BUILDER_WORDS_PATTERN_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>

/* value without the shortest (longest: `greedy`) prefix or suffix that matches, appended to ret. */
int words_trim_prefix(const char *value, const char *pattern, bool greedy, struct strbuf *ret,
                      struct error **err) WARN_UNUSED;
int words_trim_suffix(const char *value, const char *pattern, bool greedy, struct strbuf *ret,
                      struct error **err) WARN_UNUSED;
/* value with the first or all longest matches replaced by the literal text, appended to ret (its
 * cap holds). */
int words_replace(const char *value, const char *pattern, const char *replacement, bool all,
                  struct strbuf *ret, struct error **err) WARN_UNUSED;

#endif
