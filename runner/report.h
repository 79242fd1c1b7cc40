/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong between clone and exec. The child of a process with threads may not
 * allocate, so it has no struct error: it fills a report of fixed size, which the parent
 * reads from a pipe and turns into an error. All functions here are async-signal-safe.
 *
 * Functions of the child take `struct report *report` last and return 0 or -1, an fd or -1.
 */
#ifndef CBUILD_RUNNER_REPORT_H
#define CBUILD_RUNNER_REPORT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define REPORT_TEXT_SIZE 1024

enum report_kind {
    REPORT_NONE,
    REPORT_SETUP,   /* a step of the set-up */
    REPORT_EXEC,    /* the command itself */
    REPORT_LIMIT,   /* a resource limit, named by the text */
    REPORT_NOTE,    /* the same, and the set-up goes on */
    REPORT_WARNING, /* text to tell, and it goes on */
};

struct report {
    enum report_kind kind;
    int error;                /* errno; 0: the text says it all */
    bool interpreter_missing; /* REPORT_EXEC: the file is there, but not what executes it */
    char text[REPORT_TEXT_SIZE];
};

/* "WHAT NAME" with errno as it is; NAME may be NULL, long ones are cut. Always -1. */
int report_errno(struct report *report, const char *what, const char *name);
/* The same where errno says nothing. */
int report_text(struct report *report, const char *what, const char *name);

/* What it says as an error: ERR_RUN where errno says nothing. For the parent; yields -1. */
int report_error(const struct report *report, struct error **err);

/*
 * Text without allocation: appends to buf, which holds `used` bytes of `size`; false and buf
 * unchanged when it doesn't fit.
 */
bool text_append(char *buf, size_t size, size_t *used, const char *text);
/* Decimal digits and a NUL; returns buf. */
#define TEXT_NUMBER_SIZE 24
const char *text_number(char buf[TEXT_NUMBER_SIZE], unsigned long long value);

#endif
