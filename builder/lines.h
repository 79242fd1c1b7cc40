/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Dockerfile as logical lines: comments dropped (and remembered), continuations
 * joined, heredoc bodies read on demand, parser directives at the top.
 *
 *     struct lines lines;
 *     lines_init(&lines, source);
 *     lines_read_directives(&lines, &directives, err);
 *     while ((more = lines_next(&lines, &line, err)) > 0) {
 *         ... if the instruction announces heredocs: lines_read_heredocs(&lines, &line, &list, err)
 *     }
 *
 * Pure. Time and memory are linear in the text.
 */
#ifndef CBUILD_BUILDER_LINES_H
#define CBUILD_BUILDER_LINES_H

#include "base/strbuf.h"
#include "builder/heredoc.h"
#include "builder/source_text.h"

#include <stdbool.h>

struct lines {
    const struct source_text *source; /* borrowed */
    size_t next;                      /* number of the next physical line */
    char escape;
};

void lines_init(struct lines *lines, const struct source_text *source);

struct directives {
    char *syntax, *check;
    char escape;
    size_t syntax_line, check_line, escape_line; /* 0: not there */
};

void directives_release(struct directives *directives);
DEFINE_AUTO_STRUCT(struct directives, directives_release)

/*
 * "# syntax=", "# escape=", "# check=" at the very top, before any other comment, blank
 * line or instruction; the first line that is none of them ends the search. `syntax` is also
 * found behind a "#!" first line, after "//" and in a JSON object. Sets lines->escape and
 * moves behind the directives. ERR_SYNTAX: one given twice, another escape than \ or `.
 */
int lines_read_directives(struct lines *lines, struct directives *ret,
                          struct error **err) WARN_UNUSED;

struct logical_line {
    struct source_range range;
    struct strbuf text;    /* without blanks in front */
    struct strbuf comment; /* the comment lines just above, trimmed, joined by newlines */
    size_t empty_line;     /* number of the first blank line within a continuation; 0: none */
};

#define LOGICAL_LINE_INIT                                                                          \
    {                                                                                              \
        .text = STRBUF_INIT, .comment = STRBUF_INIT                                                \
    }
void logical_line_release(struct logical_line *line);
DEFINE_AUTO_STRUCT(struct logical_line, logical_line_release)

/* Fills *line (initialised; reused from call to call). False at the end of the text. */
bool lines_next(struct lines *lines, struct logical_line *line);

/*
 * Reads the bodies that follow `line` into the heredocs of `list` in order and
 * extends line->range. ERR_SYNTAX: one isn't terminated.
 */
int lines_read_heredocs(struct lines *lines, struct logical_line *line, struct heredoc_list *list,
                        struct error **err) WARN_UNUSED;

#endif
