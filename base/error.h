/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong: a code that callers may branch on, a chain of context, and
 * fields for the reader.
 *
 * Every function that can fail takes `struct error **err` last and returns 0 or
 * -1, an fd or -1, or a pointer or NULL. On entry *err is NULL. Success: outputs
 * set, *err untouched. Failure: *err set exactly once, outputs untouched.
 *
 *     if (rename(a, b) < 0)
 *         return error_errno(err, "rename %s", b);
 *     if (store_put(...) < 0)
 *         return error_wrap(err, "layer %s", name);
 *
 * Context is a noun or a gerund, added once, where the noun becomes known:
 * never "failed to", no full stop at the end. Credentials, tokens and signed
 * URLs never enter an error.
 *
 * `hint` is the way out, one sentence; `detail` is text of several lines to
 * show after the message (a Dockerfile excerpt, the last output of a step).
 */
#ifndef CBUILD_BASE_ERROR_H
#define CBUILD_BASE_ERROR_H

#include "base/auto.h"

#include <stdbool.h>
#include <stdint.h>

enum error_code {
    ERR_FAILED = 1,   /* anything that has no code of its own */
    ERR_USAGE,        /* command line */
    ERR_NOT_FOUND,    /* image, tag, blob, file, stage */
    ERR_EXISTS,       /* is there already, in the way */
    ERR_SYNTAX,       /* Dockerfile, ignore file, configuration */
    ERR_INVALID,      /* a document or archive that breaks its format */
    ERR_LIMIT,        /* over a limit of ours: size, depth, count, ratio */
    ERR_DIGEST,       /* content does not match its digest or size */
    ERR_UNAUTHORIZED, /* credentials missing, wrong, or without the right */
    ERR_NETWORK,      /* resolve, connect, TLS, timeout, status 5xx */
    ERR_REFUSED,      /* the registry said no for another reason */
    ERR_RUN,          /* a RUN step ended with a status or a signal */
    ERR_UNSUPPORTED,  /* kernel, platform, or a feature that isn't there */
    ERR_STORE,        /* the store is damaged, newer, or held */
    ERR_IO,           /* the operating system refused: errno is kept */
    ERR_NO_SPACE,     /* ENOSPC, EDQUOT */
    ERR_CANCELLED,    /* a signal asked us to stop */
    ERR_CHECKS,       /* build checks found errors */
};

struct error;

#define error_set(err, code, ...) (error_set_((err), (code), __VA_ARGS__), -1)
/* ENOENT becomes ERR_NOT_FOUND, ENOSPC and EDQUOT ERR_NO_SPACE, ECANCELED ERR_CANCELLED, others
 * ERR_IO */
#define error_errno(err, ...) (error_errno_((err), __VA_ARGS__), -1)
#define error_wrap(err, ...) (error_wrap_((err), __VA_ARGS__), -1)
/* For functions that return a pointer: `return error_set_null(err, ...)`. */
#define error_set_null(err, code, ...) (error_set_((err), (code), __VA_ARGS__), NULL)
#define error_errno_null(err, ...) (error_errno_((err), __VA_ARGS__), NULL)
#define error_wrap_null(err, ...) (error_wrap_((err), __VA_ARGS__), NULL)

void error_set_(struct error **err, enum error_code code, const char *format, ...) PRINTF(3, 4);
void error_errno_(struct error **err, const char *format, ...) PRINTF(2, 3);
void error_wrap_(struct error **err, const char *format, ...) PRINTF(2, 3);

/* Add fields to an error that is set; the first hint and detail win. */
void error_hint(struct error **err, const char *format, ...) PRINTF(2, 3);
void error_detail(struct error **err, const char *format, ...) PRINTF(2, 3);

/* Adds text after what the detail has already. */
void error_add_detail(struct error **err, const char *text);

/* Changes the code, where a level knows better what a failure means. */
void error_recode(struct error **err, enum error_code code);

/* NULL is no error: false, "", 0. */
bool error_is(const struct error *error, enum error_code code);
enum error_code error_code(const struct error *error);
int error_errno_value(const struct error *error);
/* "context: context: message"; belongs to the error */
const char *error_message(const struct error *error);
const char *error_hint_text(const struct error *error);   /* NULL when there is none */
const char *error_detail_text(const struct error *error); /* NULL when there is none */

/* The exit status of STYLE.md's table for this code. */
int error_exit_status(const struct error *error);

/* Hands `from` (owned, may be NULL) to *err. */
void error_move(struct error **err, struct error *from);
struct error *error_copy(const struct error *error);
void error_free(struct error *error);
/* Drops what is in *err, if anything, and makes it NULL: before a second try. */
void error_clear(struct error **err);
DEFINE_AUTO(struct error, error_free)

#endif
