/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a Dockerfile (or ignore file) with its name, so that an error can
 * say where and show it:
 *
 *     Dockerfile:3: unknown instruction "COYP"
 *        1 |     FROM busybox
 *        2 |
 *        3 | >>> COYP a b
 *          |     ^~~~
 *
 * The message is "NAME:LINE: ...", the excerpt goes into the error's detail.
 * Pure; immutable after source_text_new(), so any thread may read it.
 * (A `struct source` is a byte stream: base/source.h.)
 */
#ifndef CBUILD_BUILDER_SOURCE_TEXT_H
#define CBUILD_BUILDER_SOURCE_TEXT_H

#include "base/auto.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <stddef.h>

/* Lines counted from 1, both inclusive; {0, 0}: no place is known. */
struct source_range {
    size_t first, last;
};

struct source_text {
    char *name;
    char *data; /* without a BOM; data[size] is NUL, and data may hold NULs */
    size_t size;
    size_t *starts; /* offset of each line */
    size_t n_lines; /* a last line without newline counts; 0 for empty text */
};

/* Copies both. `name` is what errors call it: "Dockerfile", "app/x.Dockerfile", "<stdin>". */
struct source_text *source_text_new(const char *name, const char *data, size_t size);
void source_text_free(struct source_text *text);
DEFINE_AUTO(struct source_text, source_text_free)

/* Line `number` (1..n_lines) with its line end; points into the text. */
const char *source_text_line(const struct source_text *text, size_t number, size_t *size);

/*
 * Appends the lines of `range` with two lines of context on either side, those of the
 * range marked with >>>; long ranges and long lines are shortened, control characters
 * shown as '?'. The place within the range where `culprit` (NULL: none) stands, as a word
 * of its own if it does so in its line, is underlined. Appends nothing when the range lies outside
 * of the text.
 */
void source_text_excerpt(const struct source_text *text, struct source_range range,
                         const char *culprit, struct strbuf *buf);

/*
 * Puts "NAME:LINE: " in front of an error that is set, and the excerpt into its detail
 * (unless it has one). Without a culprit that is underlined which the message names first of: a
 * word in quotes, a flag, what follows a noun ("source a/b: ..."); at a mistake of which nothing is
 * named, the instruction. `text` NULL: leaves the error as it is. Yields -1.
 */
#define source_text_locate(text, range, culprit, err)                                              \
    (source_text_locate_((text), (range), (culprit), (err)), -1)
void source_text_locate_(const struct source_text *text, struct source_range range,
                         const char *culprit, struct error **err);

#endif
