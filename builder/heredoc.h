/* SPDX-License-Identifier: Apache-2.0 */
/* Here-documents: `[n]<<[-]WORD` in RUN, COPY and ADD. Pure. */
#ifndef CBUILD_BUILDER_HEREDOC_H
#define CBUILD_BUILDER_HEREDOC_H

#include "builder/source_text.h"

#include <stdbool.h>
#include <stddef.h>

struct heredoc {
    char *name;    /* the delimiter without quotes; a file name in COPY */
    char *content; /* as written: tabs not yet stripped, nothing expanded */
    bool expand;   /* no part of the delimiter was quoted */
    bool chomp;    /* <<- */
    unsigned fd;
    struct source_range range; /* the body and its terminator; {0, 0} when parsed from mere text */
};

void heredoc_release(struct heredoc *heredoc);

/* The body with leading tabs stripped where <<- asks for it. */
char *heredoc_body(const struct heredoc *heredoc) WARN_UNUSED;

/*
 * The heredoc that `word` (quotes kept) announces, content NULL.
 * Returns 1; 0 when the word is none; ERR_SYNTAX for an unbalanced quote.
 */
int heredoc_parse_word(const char *word, struct heredoc *ret, struct error **err) WARN_UNUSED;

struct heredoc_list {
    struct heredoc *items;
    size_t n_items, items_capacity;
};

void heredoc_list_release(struct heredoc_list *list);
DEFINE_AUTO_STRUCT(struct heredoc_list, heredoc_list_release)

/* Appends those that a whole line announces, in order, contents NULL. */
int heredoc_scan(const char *line, struct heredoc_list *ret, struct error **err) WARN_UNUSED;

#endif
